"""Connections of readers: a hit is answered where it was read, and all else given to a relay."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable

from feeds.front.heads import END, Request, as_last, may_become_one, read_request
from feeds.front.hits import Hits, Reply
from feeds.front.polling import Poll
from feeds.front.relays import Exchange, Farewell, Relay, Tunnel
from feeds.front.streams import Stream
from feeds.front.upstream import Inner, Upstream
from feeds.serving.recording import Recorded

_PIECE = 16 * 1024
_IN_A_ROW = 16
"""Requests that came together and are answered before other connections get their turn."""

_SMALL = 64 * 1024
"""Bytes of an answer that a client has for certain when they are sent, also if its connection is closed at once."""

_SAID = b"The service is starting or overloaded. Try again soon.\n"
_REFUSAL = b"".join(
    (
        b"HTTP/1.1 503 Service Unavailable\r\n",
        b"Content-Type: text/plain; charset=utf-8\r\n",
        b"Content-Length: %d\r\n" % len(_SAID),
        b"Cache-Control: no-store\r\n",
        b"Retry-After: 5\r\n",
        b"Connection: close\r\n\r\n",
    )
)


class Surroundings:
    """What the clients of a process share. ``patience`` is how many seconds a head may take, and a connection be idle.

    ``waiting`` are those that sent more requests at once than are answered in a row.
    """

    def __init__(self, hits: Hits, upstream: Upstream, record: Callable[[Recorded], None], *, patience: float) -> None:
        self.hits = hits
        self.upstream = upstream
        self.record = record
        self.patience = patience
        self.now = 0.0
        self.clients: set[Client] = set()
        self.waiting: deque[Client] = deque()


class Client(Stream):
    """A reader's connection."""

    __slots__ = ("_around", "_began", "_closes", "_has_ended", "_received", "_relay", "_remembered", "_seen", "_waits", "peer")

    def __init__(self, descriptor: int, peer: str, around: Surroundings, poll: Poll) -> None:
        super().__init__(descriptor, poll)
        self.peer = peer
        self._around = around
        self._remembered = around.hits.remembered
        self._seen = self._began = around.now
        self._received = bytearray()
        self._relay: Relay | None = None
        self._closes = self._has_ended = self._waits = False
        around.clients.add(self)

    def start(self) -> None:
        """Read what may be there already, and watch for more."""
        self.on_read()
        if not self._waits:
            self.watch(reading=True)

    def watch(self, *, reading: bool) -> None:
        """Look for something to read, or no more; never after the end of it was read."""
        super().watch(reading=reading and not self._has_ended)

    def on_read(self) -> None:
        """Answer what was answered before without a further look."""
        try:
            data = os.read(self.descriptor, _PIECE)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if not data:
            self._end_reading()
            return
        if self._relay is not None:
            self._relay.take(data)
            return
        self._seen = self._around.now
        reply = self._remembered.get(data)
        if reply is not None and not self._received:
            self._send(reply)
        else:
            self._take(data)

    def _end_reading(self) -> None:
        """The client says no more, and may still be waiting for what it asked."""
        self._has_ended = True
        self.watch(reading=False)
        if self._relay is not None:
            self._relay.end()
        elif not self.is_behind and not self._waits:
            self.close()

    def _take(self, data: bytes) -> None:
        if not self._received:
            self._began = self._seen
        self._received += data
        self.go_on()

    def go_on(self) -> None:
        """Answer what was received, request by request; a relay, or what waits to be written, has to come to an end first."""
        for _ in range(_IN_A_ROW):
            if not self._may_go_on() or not self._answer_next():
                break
        else:
            if self._may_go_on():
                self._wait()
                return
        if self._relay is None and not self._closes:
            if self._has_ended and not self.is_behind:
                self.close()
            else:
                self.watch(reading=True)

    def _wait(self) -> None:
        self._waits = True
        self._around.waiting.append(self)
        self.watch(reading=False)

    def take_turn(self) -> None:
        """Go on after others had theirs."""
        self._waits = False
        self.go_on()

    def _may_go_on(self) -> bool:
        free = self._relay is None and not self.is_behind and not self._closes
        return free and bool(self._received) and self.descriptor >= 0

    def _answer_next(self) -> bool:
        """Answer the first of the requests that were received; false where it is not all there."""
        end = self._received.find(END) + len(END)
        if end < len(END):
            if not may_become_one(self._received):
                self._tunnel_anew()
            return False
        head = bytes(self._received[:end])
        request = read_request(head)
        if request is None:
            self._tunnel_anew()
            return False
        del self._received[:end]
        self._began = self._seen
        self._answer(head, request)
        return True

    def _answer(self, head: bytes, request: Request) -> None:
        reply = self._around.hits.reply(head, request)
        if reply is not None:
            self._send(reply)
        else:
            if self._around.hits.closing:
                head, request = as_last(head, request)
            exchange = Exchange(self, self._around.upstream, head, request)
            self._relay = exchange
            exchange.start()

    def _send(self, reply: Reply) -> None:
        around = self._around
        around.record((*reply.told, self.peer))
        pieces = (reply.head, around.hits.date, reply.body)
        try:
            sent = os.writev(self.descriptor, pieces)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        if sent < reply.size:
            self._closes = reply.closes
            self.write_rest(pieces, sent)
        elif reply.closes:
            self.finish(at_once=reply.size <= _SMALL)

    def on_flushed(self) -> None:
        """Go on where the connection stopped."""
        self.touch()
        if self._closes:
            self.finish()
        elif self._relay is not None:
            self._relay.go_on()
        else:
            self.go_on()

    def answered(self, *, closes: bool) -> None:
        """The relay has passed on a whole answer."""
        self._relay = None
        self.touch()
        if closes:
            self.finish()
        elif self.descriptor >= 0:
            self.go_on()

    def _tunnel_anew(self) -> None:
        try:
            inner = self._around.upstream.connect()
        except OSError:
            self.refuse()
        else:
            self.tunnel(inner)

    def tunnel(self, inner: Inner) -> None:
        """Let all that comes go through a connection to the application from now on, and what has come already."""
        self._relay = Tunnel(self, inner, patience=2 * self._around.patience)
        if self._received:
            data, self._received = bytes(self._received), bytearray()
            self._relay.take(data)
        if self._has_ended:
            self._relay.end()

    def refuse(self, method: str = "") -> None:
        """Answer that nobody answers."""
        self._relay = None
        self._closes = True
        self.write(_REFUSAL, b"" if method == "HEAD" else _SAID)
        if not self.is_behind:
            self.finish()

    def finish(self, *, at_once: bool = False) -> None:
        """End the connection when the client has what was written, also where it is still sending.

        ``at_once``: it has, unless it is still sending; when the process ends it may be, as it could not know.
        """
        self._closes = True
        if self.is_behind or self.descriptor < 0:
            return
        if self._has_ended or (at_once and not self._received and not self._around.hits.closing):
            self.close()
            return
        self._relay = Farewell(self)
        self._received.clear()
        self.touch()
        self.say_end()
        self.watch(reading=True)

    def close(self) -> None:
        """End the connection now."""
        super().close()
        self._around.clients.discard(self)
        relay, self._relay = self._relay, None
        if relay is not None:
            relay.close()

    def put_aside(self, data: bytes) -> None:
        """Keep what came before it can be answered, and listen to nothing more until then."""
        self._received += data
        self.watch(reading=False)

    def give_up(self) -> None:
        """Nobody answered in time, or something went wrong: say so where that is still possible."""
        if isinstance(self._relay, Exchange) and not self._relay.has_begun:
            self._relay.refuse()
        else:
            self.close()

    def touch(self) -> None:
        """Something happened on the connection other than that a part of a head came."""
        self._seen = self._began = self._around.now

    @property
    def is_overdue(self) -> bool:
        """Whether it has been waited for long enough."""
        if self._relay is not None:
            return self._around.now - self._seen > self._relay.patience
        return self._around.now - (self._began if self._received else self._seen) > self._around.patience

    def is_idle_since(self, moment: float) -> bool:
        """Whether nothing was asked since, and nothing is being answered."""
        waits = self._relay.waits if self._relay is not None else bool(self._received)
        return not waits and not self.is_behind and self._seen <= moment
