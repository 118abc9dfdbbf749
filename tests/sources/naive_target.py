"""A deliberately naive Z39.50 client: the loop that everybody writes first, over our own codec.

It asks for the next chunk whatever came, believes that nothing is the end and every record is MARC. Each fault test
must fail on it, so that no test is empty.
"""

from __future__ import annotations

import socket

from harvester.errors import ProtocolError
from harvester.sources.z3950 import apdu, ber, pqf
from harvester.sources.z3950.apdu import Credentials
from tests.sources.outcome import Outcome

CHUNK = 10


def harvest(port: int) -> Outcome:
    """What the naive loop brings home from a target on loopback."""
    outcome = Outcome()
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0) as connection:
            _ask(connection, apdu.init(Credentials(), 1 << 20, 1 << 20, named_sets=False))
            found = apdu.search_answer(_ask(connection, apdu.search(pqf.Query(pqf.term("x")), ("Default",), "default")))
            position = 1
            while position <= found.hits and len(outcome.identifiers) < 500:
                request = apdu.present("default", position, CHUNK, "F", apdu.SYNTAXES["usmarc"])
                answer = apdu.present_answer(_ask(connection, request), 1_000)
                for raw in answer.records:
                    outcome.identifiers.append(raw.payload[raw.payload.index(b"\x1e") + 1 :].split(b"\x1e")[0].decode())
                    outcome.payloads.append(raw.payload.decode("latin-1"))
                position += CHUNK
        outcome.verdict, outcome.proof = "complete", "proven"
    except (OSError, ValueError, ProtocolError) as error:
        outcome.error = error
    return outcome


def _ask(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    buffer = bytearray()
    while ber.Frame(1 << 24).end(buffer) is None:
        block = connection.recv(65536)
        if not block:
            raise ConnectionError
        buffer += block
    return bytes(buffer)
