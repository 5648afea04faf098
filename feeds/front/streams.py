"""A connection that never waits, with what still has to be written to it.

By its descriptor alone: a socket object of Python's costs as much again as all that is done with most connections.
"""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress

from feeds.front.polling import READ, WRITE, Poll

Piece = bytes | memoryview


class Stream(ABC):
    """One side of a connection, which this object closes; its descriptor must not block, and is -1 when it was closed.

    ``on_read`` is called when there is something to read, as long as that is watched for. While something waits to be written
    nothing is read, unless the class says so; ``on_flushed`` is called once it is written, and ``on_broken`` if it cannot be.
    """

    __slots__ = ("_events", "_poll", "_reads", "_unsent", "descriptor")
    reads_while_behind = False

    def __init__(self, descriptor: int, poll: Poll) -> None:
        self.descriptor = descriptor
        self._poll = poll
        self._events = 0
        self._reads = False
        self._unsent: list[Piece] = []

    @abstractmethod
    def on_read(self) -> None:
        """There is something to read, or the end of it."""

    def touch(self) -> None:  # noqa: B027  not everybody wants to know
        """The other side has taken some of what waits to be written."""

    def on_flushed(self) -> None:  # noqa: B027  likewise
        """Everything is written."""

    def on_broken(self) -> None:
        """What is written reaches nobody any more."""
        self.close()

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

    def write_rest(self, pieces: Iterable[Piece], sent: int) -> None:
        """Send what is left of some pieces after so many bytes of them."""
        for piece in pieces:
            if sent < len(piece):
                self._unsent.append(memoryview(piece)[sent:] if sent else piece)
            sent = max(sent - len(piece), 0)
        self._renew()

    def say_end(self) -> None:
        """Let the other side know that nothing more will be written, while it can still be read from."""
        with suppress(OSError):
            connection = socket.socket(fileno=self.descriptor)
            try:
                connection.shutdown(socket.SHUT_WR)
            finally:
                connection.detach()

    def give_up(self) -> None:
        """Something went wrong while it was served."""
        self.close()

    def close(self) -> None:
        """End the connection; to do it again does no harm."""
        descriptor = self.descriptor
        if descriptor >= 0:
            self.descriptor = -1
            if self._events:
                self._poll.forget(descriptor)
            if self._unsent:
                self._unsent.clear()
            os.close(descriptor)

    def ready(self, _events: int) -> None:
        """Something was found that was looked for, or an error."""
        if self._events == READ:
            self.on_read()
        elif self._events:
            reads = self._events & READ
            self.touch()
            self._flush()
            if not self._unsent and self.descriptor >= 0:
                self.on_flushed()
            if reads and self.descriptor >= 0:
                self.on_read()

    def _flush(self) -> None:
        try:
            while self._unsent:
                piece = self._unsent[0]
                sent = os.write(self.descriptor, piece)
                if sent < len(piece):
                    self._unsent[0] = memoryview(piece)[sent:]
                else:
                    del self._unsent[0]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()
            self.on_broken()
            return
        self._renew()

    def _renew(self) -> None:
        reads = READ if self._reads else 0
        if self._unsent:
            self._want(WRITE | reads if self.reads_while_behind else WRITE)
        else:
            self._want(reads)

    def _want(self, events: int) -> None:
        """Have the poll look for these events alone."""
        if events == self._events or self.descriptor < 0:
            return
        before, self._events = self._events, events
        if not events:
            self._poll.remove(self.descriptor)
        elif before:
            self._poll.change(self.descriptor, events)
        else:
            self._poll.add(self.descriptor, events, self.ready)
