"""Connections to the application, which is behind a server that knows all of HTTP, at a Unix socket.

Each is used for one client at a time.
"""

from __future__ import annotations

import os
import socket
from typing import Protocol

from feeds.front.polling import Poll
from feeds.front.streams import Stream

_PIECE = 64 * 1024
_IDLE = 32
"""Connections that are kept for later."""


class Listener(Protocol):
    """Whom a connection to the application works for."""

    def heard(self, data: bytes) -> None:
        """What came from the application; nothing at the end."""

    def sent(self) -> None:
        """The application has taken what was written to it."""

    def give_up(self) -> None:
        """Something went wrong on the connection."""


class Inner(Stream):
    """A connection to the application."""

    __slots__ = ("_upstream", "owner")
    reads_while_behind = True  # it may take more only when what it has answered is read

    def __init__(self, descriptor: int, poll: Poll, upstream: Upstream) -> None:
        super().__init__(descriptor, poll)
        self._upstream = upstream
        self.owner: Listener | None = None

    def on_read(self) -> None:
        """Pass on what there is."""
        try:
            data = os.read(self.descriptor, _PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if self.owner is not None:
            self.owner.heard(data)
        else:
            self._upstream.lose(self)

    def on_flushed(self) -> None:
        """Pass that on."""
        if self.owner is not None:
            self.owner.sent()

    def give_up(self) -> None:
        """Close it, and let its client know."""
        self.close()
        if self.owner is not None:
            self.owner.give_up()

    def on_broken(self) -> None:
        """Nothing more is taken there, but there may be an answer to read, which came early."""
        self.watch(reading=True)


class Upstream:
    """The connections to the application's socket. Those that are idle are kept, and noticed when they end."""

    def __init__(self, path: str, poll: Poll) -> None:
        self._path = path
        self._poll = poll
        self._idle: list[Inner] = []

    def connect(self) -> Inner:
        """A new connection. Raises OSError where nobody listens, or more wait already than may."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(0)
            connection.connect(self._path)
            return Inner(connection.detach(), self._poll, self)

    def take(self) -> Inner:
        """A connection, which may be one that was used before."""
        while self._idle:
            inner = self._idle.pop()
            if inner.descriptor >= 0:
                return inner
        return self.connect()

    def give_back(self, inner: Inner) -> None:
        """Keep a connection on which everything was answered."""
        inner.owner = None
        if len(self._idle) < _IDLE:
            inner.watch(reading=True)
            self._idle.append(inner)
        else:
            inner.close()

    def lose(self, inner: Inner) -> None:
        """One of those that were kept has ended."""
        if inner in self._idle:
            self._idle.remove(inner)
        inner.close()
