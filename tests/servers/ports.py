"""Ports for servers that are told where to listen."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

RANGE = range(12_000, 32_000)  # below what a system gives to outgoing connections, which would come in between


def free_port() -> int:
    """A port of loopback that nobody listens at, and that nobody is given before the server has started."""
    while True:
        port = random.SystemRandom().choice(RANGE)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
