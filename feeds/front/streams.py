"""A socket that never blocks, with what still has to be written to it."""

from __future__ import annotations

import socket
from collections import deque
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector

Piece = bytes | memoryview


class Stream:
    """One side of a connection. ``on_read`` is called when there is something to read, as long as that is watched for.

    While something waits to be written nothing is read; ``on_flushed`` is called once it is written, and ``on_broken`` if it
    cannot be.
    """

    __slots__ = ("_events", "_reads", "_selector", "_unsent", "sock")

    def __init__(self, sock: socket.socket, selector: BaseSelector) -> None:
        self.sock = sock
        self._selector = selector
        self._events = 0
        self._reads = False
        self._unsent: deque[Piece] = deque()

    def on_read(self) -> None:
        """There is something to read, or the end of it."""
        raise NotImplementedError

    def on_flushed(self) -> None:
        """Everything is written."""

    def on_broken(self) -> None:
        """What is written reaches nobody any more."""
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether ``close`` was not called yet."""
        return self.sock.fileno() >= 0

    @property
    def is_behind(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._unsent)

    def watch(self, *, reading: bool) -> None:
        """Look for something to read, or no more."""
        self._reads = reading
        self._renew()

    def write(self, *pieces: Piece) -> None:
        """Send what the connection takes now, and the rest as soon as it does."""
        self._unsent.extend(piece for piece in pieces if piece)
        self._flush()

    def write_rest(self, head: bytes, body: Piece, sent: int) -> None:
        """Send what is left of a head and a body after so many bytes of both."""
        rest = memoryview(body)[max(sent - len(head), 0) :]
        self._unsent.extend(piece for piece in (head[sent:], rest) if piece)
        self._renew()

    def close(self) -> None:
        """End the connection; to do it again does no harm."""
        self._unsent.clear()
        self._want(0)
        self.sock.close()

    def ready(self, events: int) -> None:
        """What the selector has found."""
        if events & EVENT_WRITE:
            self._flush()
            if not self._unsent and self.is_open:
                self.on_flushed()
        elif self._events & EVENT_READ:
            self.on_read()

    def _flush(self) -> None:
        try:
            while self._unsent:
                piece = self._unsent[0]
                sent = self.sock.send(piece)
                if sent < len(piece):
                    self._unsent[0] = memoryview(piece)[sent:]
                else:
                    self._unsent.popleft()
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()
            self.on_broken()
            return
        self._renew()

    def _renew(self) -> None:
        self._want(EVENT_WRITE if self._unsent else EVENT_READ if self._reads else 0)

    def _want(self, events: int) -> None:
        """Have the selector look for these events alone."""
        if events == self._events or not self.is_open:
            return
        before, self._events = self._events, events
        if not events:
            with suppress(KeyError):
                self._selector.unregister(self.sock)
        elif before:
            self._selector.modify(self.sock, events, self.ready)
        else:
            self._selector.register(self.sock, events, self.ready)
