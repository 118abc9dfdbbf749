"""A TCP proxy on loopback that spoils what passes: cut, delay, drip, corrupt, reset, black hole."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Spoil:
    """What happens to the bytes from the server; offsets count from the first byte of a connection.

    cut: closed after so many bytes; reset: the same by TCP reset; corrupt: this byte is inverted; drip: seconds
    between single bytes; hole: nothing is passed at all.
    """

    cut: int | None = None
    reset: int | None = None
    corrupt: int | None = None
    drip: float = 0.0
    hole: bool = False


NOTHING = Spoil()


class FaultProxy:
    """Passes connections on to *port* and spoils the first *times* of them; none: all."""

    def __init__(self, port: int, spoil: Spoil = NOTHING, times: int | None = None) -> None:
        self._target = port
        self._spoil, self._times = spoil, times
        self.connections = 0

    def __enter__(self) -> FaultProxy:
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.set()
        for each in (self._listener, *self._open):
            each.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/oai"

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:  # the test is over
                client.close()
                return
            self._open += [client, server]
            threading.Thread(target=self._pass, args=(client, server, Spoil()), daemon=True).start()
            spoil = self._spoil if self._times is None or self.connections <= self._times else NOTHING
            threading.Thread(target=self._pass, args=(server, client, spoil), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, spoil: Spoil) -> None:
        passed = 0
        end = min((each for each in (spoil.cut, spoil.reset) if each is not None), default=None)
        try:
            while block := source.recv(65536):
                if spoil.hole:
                    continue
                if end is not None:
                    block = block[: end - passed]
                self._send(sink, self._corrupted(block, spoil.corrupt, passed), spoil.drip)
                passed += len(block)
                if end is not None and passed >= end:
                    break
        except OSError:
            pass
        if spoil.reset is not None:
            sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        for each in (sink, source):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _send(self, sink: socket.socket, block: bytes, drip: float) -> None:
        if not drip:
            sink.sendall(block)
            return
        for number in range(len(block)):
            sink.sendall(block[number : number + 1])
            if self._closing.wait(drip):
                return

    @staticmethod
    def _corrupted(block: bytes, offset: int | None, passed: int) -> bytes:
        if offset is None or not passed <= offset < passed + len(block):
            return block
        place = offset - passed
        return block[:place] + bytes([block[place] ^ 0xFF]) + block[place + 1 :]
