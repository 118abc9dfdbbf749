"""Connections that only go where they may, and end when they must: the transport under fetch.

Each address is checked after the name was resolved and before it is connected to, so that a name that resolves to
something else a moment later (DNS rebinding) gains nothing. Every single read is bounded by what is left of the
total time, status line and headers included, which socket time-outs alone do not do.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from harvester.errors import Refused
from harvester.model import Clock
from harvester.sources.environment import Limits

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Cloud metadata services hand out credentials: no library answers there, not even inside a network.
_METADATA = {"169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_HEADER_ROOM = 1 << 20


def may_connect(address: str, *, internal: bool) -> bool:
    """True when *address* (an IP as text) is public, or is not but the source is marked internal."""
    inner = list(_inside(ipaddress.ip_address(address.partition("%")[0])))
    if any(str(each) in _METADATA for each in inner):
        return False
    return internal or all(each.is_global and not each.is_multicast for each in inner)


def _inside(address: IPAddress) -> Iterator[IPAddress]:
    """The address itself and every IPv4 address that is wrapped in it."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
        return
    yield address
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield address.teredo[1]
    if address in _NAT64 or int(address) >> 32 == 0:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


class Guard:
    """The bounds of the request under way; one per fetcher, begun anew with each request."""

    def __init__(self, clock: Clock, limits: Limits, *, internal: bool) -> None:
        self._clock = clock
        self._limits = limits
        self.internal = internal
        self._end = 0.0
        self._received = 0
        self._keys = ""

    def begin(self, keys: str = "") -> None:
        """Start the total time and the byte count of one request; *keys* is query text that nobody may log."""
        self._end = self._clock.monotonic() + self._limits.total_seconds
        self._received = 0
        self._keys = keys

    def target(self, url: str) -> str:
        """*url* as it goes over the wire. Keys are added last: urllib3 and requests repeat addresses in messages."""
        if not self._keys:
            return url
        return f"{url}{'&' if '?' in url else '?'}{self._keys}"

    def over(self) -> bool:
        """True when the total time of the request has passed."""
        return self._clock.monotonic() >= self._end

    def seconds(self, bound: float) -> float:
        """*bound*, or what is left of the total time if that is less.

        Raises:
            Refused: nothing is left.
        """
        if self.over():
            raise Refused(f"no complete answer within {self._limits.total_seconds:g} seconds")
        return min(bound, self._end - self._clock.monotonic())

    def read_seconds(self) -> float:
        """How long the next read may wait."""
        return self.seconds(self._limits.read_seconds)

    def count(self, received: int) -> None:
        """Count bytes off the wire, headers and chunk sizes included.

        Raises:
            Refused: more than the response bound.
        """
        self._received += received
        if self._received > self._limits.response_bytes + _HEADER_ROOM:
            raise Refused(f"answer larger than {self._limits.response_bytes:,} bytes")

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of *host* that may be connected to.

        Raises:
            Refused: there are only others.
            OSError: the name is unknown.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        texts = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        allowed = [text for text in texts if may_connect(text, internal=self.internal)]
        if not allowed:
            raise Refused(
                f"{host} is at {', '.join(texts)}, which is not a public address",
                hint="mark the source `internal: true` (--internal) if it stands in your own network",
            )
        return allowed

    def connect(self, connection: HTTPConnection) -> socket.socket:
        """A connected socket to an allowed address of the connection's host."""
        try:
            addresses = self.addresses(connection.host, connection.port or 0)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(connection.host, connection, socket.gaierror(str(error))) from None
        refusal: Exception = OSError("no address")
        for address in addresses:
            try:
                timeout = self.seconds(self._limits.connect_seconds)
                target = (address, connection.port or 0)
                return create_connection(target, timeout, socket_options=connection.socket_options)
            except TimeoutError:
                refusal = ConnectTimeoutError(connection, "no connection in time")
            except OSError as error:
                refusal = NewConnectionError(connection, error.strerror or type(error).__name__)
        raise refusal


class _BoundedReader(io.RawIOBase):
    """The socket's bytes; each read waits no longer than the guard allows and is counted."""

    def __init__(self, sock: socket.socket, guard: Guard) -> None:
        self._sock = sock
        self._guard = guard
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._guard.read_seconds())
        count = self._raw.readinto(buffer)
        self._guard.count(count or 0)
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, guard: Guard, sock: socket.socket, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        unbounded = self.fp
        self.fp = io.BufferedReader(_BoundedReader(sock, guard))
        unbounded.close()


def _pools(guard: Guard, *, proxied: bool) -> dict[str, type[HTTPConnectionPool]]:
    response = staticmethod(partial(_BoundedResponse, guard))

    def connect(connection: HTTPConnection) -> socket.socket:
        return guard.connect(connection)

    def put_request(connection: HTTPConnection, method: str, url: str, *arguments: Any, **named: Any) -> None:
        HTTPConnection.putrequest(connection, method, guard.target(url), *arguments, **named)

    body: dict[str, Any] = {"response_class": response, "putrequest": put_request}
    # A proxy stands where the operator put it, often in a private network; it is not the source.
    body |= {} if proxied else {"_new_conn": connect}
    plain = type("PlainConnection", (HTTPConnection,), dict(body))
    secure = type("SecureConnection", (HTTPSConnection,), dict(body))
    return {
        "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


class GuardedAdapter(HTTPAdapter):
    """Requests' own adapter on guarded connections: one kept open to each host."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        super().__init__(pool_connections=4, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = _pools(self._guard, proxied=False)

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **named)
        manager.pool_classes_by_scheme = _pools(self._guard, proxied=True)
        return manager
