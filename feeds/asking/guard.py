"""Decides to which addresses a connection may be opened, at the moment it is opened, for every redirect hop.

A host is resolved once, its addresses are vetted, and the connection goes to the address that passed: a name that changes its
answer afterwards changes nothing (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError
from urllib3.poolmanager import PoolManager

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_SLACK = 0.1
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PRIVATE: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
        "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip
"""What is not the public Internet (IANA special-purpose registries), listed because Python 3.11 calls some of it global."""


class RefusedError(Exception):
    """A connection that the guard does not let through."""


@dataclass(frozen=True, slots=True)
class Guard:
    """``allowed`` are networks that the owner opened, ``own`` the host:port pairs that the configuration itself names."""

    allowed: tuple[Network, ...]
    own: frozenset[tuple[str, int]]

    @staticmethod
    def of(networks: Iterable[str], urls: Iterable[str]) -> Guard:
        """From the networks of ``fetch.allow_networks`` and the URLs of the configuration."""
        named = (urlsplit(url) for url in urls)
        pairs = ((parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)) for parts in named)
        literal = frozenset((host, port) for host, port in pairs if _is_literal(host))
        return Guard(tuple(ipaddress.ip_network(network) for network in networks), literal)

    def address_for(self, host: str, port: int) -> str:
        """The address to connect to. Raises RefusedError, or OSError when the host has none."""
        name = host.strip("[]")
        found = [str(info[4][0]) for info in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]
        if (host, port) in self.own or (name, port) in self.own:
            return found[0]
        for text in found:
            if self._permits(ipaddress.ip_address(text.partition("%")[0])):
                return text
        raise RefusedError(
            f"leads to {host}, which is the private address {found[0]}; open it with fetch.allow_networks if it is yours"
        )

    def _permits(self, address: Address) -> bool:
        if any(address in network for network in self.allowed if network.version == address.version):
            return True
        return not any(address in network for network in _PRIVATE if network.version == address.version)


def _is_literal(host: str) -> bool:
    """Whether a configured host says by itself that it is local; a name that merely resolves to a private address does not."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


class OverdueError(Exception):
    """A connection that was cut because its deadline passed."""


class Watch:
    """Cuts the connection in use when a deadline passes, whatever it is waiting for: a server may drip header bytes for ever."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._overdue = False

    @contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        """Watch over a block until a time of ``time.monotonic``. Raises OverdueError instead of what the cut made of it."""
        self._overdue = False
        timer = threading.Timer(max(deadline - time.monotonic(), 0) + _SLACK, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception as error:
            if self._overdue:
                raise OverdueError from error
            raise
        else:
            if self._overdue:  # http.client takes headers that are cut off for the whole of them
                raise OverdueError
        finally:
            timer.cancel()
            self._socket = None

    def over(self, connection: socket.socket | None) -> None:
        """Say which connection is in use."""
        self._socket = connection

    def _cut(self) -> None:
        self._overdue = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


class _Guarded:
    """Connects to the vetted address under the name that was asked for."""

    guard: Guard
    watch: Watch
    sock: socket.socket | None
    host: str
    port: int
    _dns_host: str

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        try:
            self._dns_host = self.guard.address_for(name, self.port)
        except socket.gaierror as error:
            raise NameResolutionError(name, self, error) from error  # type: ignore[arg-type]  # a mixin of HTTPConnection
        try:
            return super()._new_conn()  # type: ignore[misc,no-any-return]
        finally:
            self._dns_host = name

    def getresponse(self) -> Any:
        """Called by urllib3 to wait for the answer."""
        self.watch.over(self.sock)
        return super().getresponse()  # type: ignore[misc]


class GuardedPoolManager(PoolManager):
    """urllib3's pool manager, all of whose connections ask the guard."""

    def __init__(self, guard: Guard, watch: Watch, **options: Any) -> None:
        super().__init__(**options)
        http = type("GuardedHTTPConnection", (_Guarded, HTTPConnection), {"guard": guard, "watch": watch})
        https = type("GuardedHTTPSConnection", (_Guarded, HTTPSConnection), {"guard": guard, "watch": watch})
        self.pool_classes_by_scheme = {
            "http": type("GuardedHTTPPool", (HTTPConnectionPool,), {"ConnectionCls": http}),
            "https": type("GuardedHTTPSPool", (HTTPSConnectionPool,), {"ConnectionCls": https}),
        }
