"""A dump at an http(s) address, fetched only when it changed, straight into a temporary file."""

from __future__ import annotations

import hashlib
import tempfile
from typing import BinaryIO, NamedTuple

import msgspec
import requests

from harvester.errors import ProtocolError, Refused
from harvester.model import Source
from harvester.sources.environment import Environment
from harvester.sources.fetch import Fetcher
from harvester.sources.inflate import Inflater

MOST_SECONDS = 4 * 3600.0  # a dump takes longer than an answer; silence still ends after read_seconds
_CHUNK = 256 << 10


class Downloaded(NamedTuple):
    """The dump (at its start), its hash, and the facts that make the next request conditional."""

    stream: BinaryIO
    digest: str
    learned: tuple[tuple[str, str], ...]


class Downloader(Fetcher):
    """A fetcher whose answers go into a file: dumps are larger than memory."""

    def __init__(self, source: Source, environment: Environment, limit: int) -> None:
        limits = msgspec.structs.replace(
            environment.limits,
            response_mib=limit / (1 << 20),
            total_seconds=max(environment.limits.total_seconds, MOST_SECONDS),
        )
        super().__init__(source, msgspec.structs.replace(environment, limits=limits))
        self._limit = limit
        self._dump = tempfile.SpooledTemporaryFile(max_size=8 << 20)  # noqa: SIM115 - close() closes it
        self._digest = hashlib.sha256()

    def download(self, etag: str, modified: str) -> Downloaded | None:
        """The dump, or None when it is still the one that *etag* and *modified* stand for.

        Raises:
            ProtocolError: the server answers with an error; and everything that Fetcher raises.
        """
        headers = {"Accept-Encoding": "identity"}
        headers |= {"If-None-Match": etag} if etag else {}
        headers |= {"If-Modified-Since": modified} if modified else {}
        self._session.headers.update(headers)
        answer = self.get()
        if answer.status == 304:
            return None
        if answer.status != 200:
            raise ProtocolError(f"HTTP {answer.status}", place=answer.url, code=str(answer.status))
        facts = (("etag", answer.headers.get("etag", "")), ("modified", answer.headers.get("last-modified", "")))
        self._dump.seek(0)
        kept = tuple((name, value) for name, value in facts if value and value.isprintable() and len(value) < 500)
        return Downloaded(self._dump, self._digest.hexdigest(), kept)  # type: ignore[arg-type]

    def close(self) -> None:
        """Close the connections and the file."""
        super().close()
        self._dump.close()

    def _read(self, response: requests.Response) -> tuple[bytes, tuple[str, ...]]:
        """Write the body into the file; a packed dump stays packed, a packed answer is unpacked."""
        self._dump.seek(0)
        self._dump.truncate()
        self._digest = hashlib.sha256()
        announced = response.headers.get("content-encoding", "")
        inflater = Inflater(announced, limit=self._limit, ratio=self._limits.ratio)
        taken = 0
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            self._go_on()
            self._guard.seconds(self._limits.read_seconds)
            # A dump that is a .gz itself is no packed answer, whatever the server announces.
            for plain in inflater.feed(chunk) if announced and announced != "identity" else (chunk,):
                taken += len(plain)
                self._keep(plain, taken)
        if announced and announced != "identity":
            for plain in inflater.end():
                taken += len(plain)
                self._keep(plain, taken)
        return b"", inflater.flags

    def _keep(self, plain: bytes, taken: int) -> None:
        if taken > self._limit:
            raise Refused(f"answer larger than {self._limit:,} bytes")
        self._digest.update(plain)
        self._dump.write(plain)
