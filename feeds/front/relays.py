"""What is no hit, passed on to the application: one request with its answer, or all that comes over a connection."""

from __future__ import annotations

import os
from typing import Protocol

from feeds.front.heads import END, Request, read_framing, with_field
from feeds.front.upstream import Inner, Upstream
from feeds.serving.recording import CLIENT_FIELD

_LONGEST_HEAD = 64 * 1024
_LAST_WORDS = 2.0
"""Seconds after which an answer is taken to be complete whose end is not known, where the client asks nothing more."""

_TRIES = 3
"""How often a request is passed on, where connections end before it is answered (RFC 9110 §9.2.2)."""

_WHOLE = 256 * 1024
"""Bytes of a body that is passed back as a whole."""


class Asker(Protocol):
    """The client, as a relay sees it."""

    peer: str

    @property
    def is_behind(self) -> bool:
        """Whether it has not taken yet what was written to it."""

    def watch(self, *, reading: bool) -> None:
        """Listen to it, or no more."""

    def write(self, *pieces: bytes) -> None:
        """Send it something."""

    def answered(self, *, closes: bool) -> None:
        """Its answer is complete."""

    def touch(self) -> None:
        """Something happened on its connection."""

    def put_aside(self, data: bytes) -> None:
        """Keep what it sent for when its answer is complete, and listen to nothing more until then."""

    def tunnel(self, inner: Inner) -> None:
        """Let all that comes go through this connection from now on."""

    def finish(self) -> None:
        """Nothing more will be answered on its connection."""

    def refuse(self, method: str = "") -> None:
        """Nobody answers its request."""

    def give_up(self) -> None:
        """Its answer cannot be had."""

    def close(self) -> None:
        """Its connection cannot go on."""


class Relay(Protocol):
    """Who answers in the place of this process. ``patience``: seconds that nothing may happen for; ``waits``: for an answer."""

    patience: float
    waits: bool

    def take(self, data: bytes) -> None:
        """What the client sent meanwhile."""

    def go_on(self) -> None:
        """The client has taken what was written to it."""

    def end(self) -> None:
        """The client has said all that it will say, and may still listen."""

    def close(self) -> None:
        """The client is gone."""


class Exchange:
    """One request and its answer. A request is passed on again as long as the client has got nothing of an answer.

    An answer that is not large is passed back when it is complete, so that this holds for nearly all.
    """

    patience = 60.0
    waits = True

    def __init__(self, client: Asker, upstream: Upstream, head: bytes, request: Request) -> None:
        self._client = client
        self._upstream = upstream
        self._message = _with_address(head, client.peer)
        self._method = request.method
        self._is_last = request.closes
        self._tries = 0
        self._head = bytearray()
        self._left = 0
        self._closes = False
        self._inner: Inner | None = None

    def start(self) -> None:
        """Pass the request on."""
        try:
            self._inner = self._upstream.take() if not self._tries else self._upstream.connect()
        except OSError:
            self.refuse()
            return
        self._tries += 1
        self._inner.owner = self
        self._inner.watch(reading=True)
        self._inner.write(self._message)

    def heard(self, data: bytes) -> None:
        """Pass on what was answered, as far as the answer goes."""
        self._client.touch()
        if not data:
            self._end_early()
        elif self._left:
            self._pass_on(data, len(data))
        else:
            self._read_head(data)

    def _read_head(self, data: bytes) -> None:
        self._head += data
        end = self._head.find(END) + len(END)
        if end < len(END):
            if len(self._head) > _LONGEST_HEAD:
                self.refuse()
            return
        length, self._closes = read_framing(bytes(self._head[:end]), self._method)
        if length is None:
            self._client.write(bytes(self._head))
            self._become_tunnel()
        elif length > _WHOLE or len(self._head) - end >= length:
            self._left = length
            self._pass_on(bytes(self._head), len(self._head) - end)

    def _pass_on(self, data: bytes, of_body: int) -> None:
        self._left -= of_body
        self._client.write(data)
        if self._left < 0:
            self._client.close()
        elif not self._left:
            self._complete()
        elif self._inner is not None:
            self._inner.watch(reading=not self._client.is_behind)

    def _complete(self) -> None:
        inner, self._inner = self._inner, None
        if inner is None:  # the client went away while its answer was written
            return
        if self._closes:
            inner.close()
        else:
            self._upstream.give_back(inner)
        self._client.answered(closes=self._closes or self._is_last)

    def _become_tunnel(self) -> None:
        inner, self._inner = self._inner, None
        if inner is not None:
            self._client.tunnel(inner)

    def _end_early(self) -> None:
        if self._inner is not None:
            self._inner.close()
        if self._left:
            self._client.close()
        elif self._tries < _TRIES:
            self._head.clear()
            self.start()
        else:
            self.refuse()

    @property
    def has_begun(self) -> bool:
        """Whether the client has got a part of the answer."""
        return bool(self._left)

    def give_up(self) -> None:
        """Something went wrong on the connection to the application."""
        self._client.give_up()

    def refuse(self) -> None:
        """Give up before anything was answered."""
        self.close()
        self._client.refuse(self._method)

    def take(self, data: bytes) -> None:
        """One request at a time."""
        self._client.put_aside(data)

    def sent(self) -> None:
        """Nothing waits for that."""

    def end(self) -> None:
        """The answer is given all the same."""

    def go_on(self) -> None:
        """Read on, now that the client has taken what there was."""
        if self._inner is not None:
            self._inner.watch(reading=True)

    def close(self) -> None:
        """Nobody wants the answer any more."""
        if self._inner is not None:
            self._inner.close()
            self._inner = None


def _with_address(head: bytes, peer: str) -> bytes:
    field = os.environ.get(CLIENT_FIELD, "")
    return with_field(head, field, peer) if field and peer else head


class Tunnel:
    """All that comes, both ways, until one side ends."""

    def __init__(self, client: Asker, inner: Inner, *, patience: float) -> None:
        self.patience = patience
        self.waits = False
        self._has_ended = False
        self._client = client
        self._inner = inner
        inner.owner = self
        inner.watch(reading=True)
        client.watch(reading=True)

    def take(self, data: bytes) -> None:
        """Pass on what the client sent."""
        self.waits = True
        self._client.touch()
        self._inner.write(data)
        if self._inner.is_behind:
            self._client.watch(reading=False)

    def sent(self) -> None:
        """Listen to the client again."""
        self._client.watch(reading=True)

    def heard(self, data: bytes) -> None:
        """Pass on what was answered."""
        self.waits = False
        self._client.touch()
        if not data:
            self._inner.close()
            self._client.finish()
            return
        if self._has_ended:
            self.patience = _LAST_WORDS
        self._client.write(data)
        if self._client.is_behind:
            self._inner.watch(reading=False)

    def give_up(self) -> None:
        """Something went wrong on the connection to the application."""
        self._client.close()

    def end(self) -> None:
        """Wait for what is being answered. The other side is not told: it would take it for a client that is gone."""
        self._has_ended = True
        if not self.waits:
            self.patience = _LAST_WORDS

    def go_on(self) -> None:
        """Read on, now that the client has taken what there was."""
        self._inner.watch(reading=True)

    def close(self) -> None:
        """The client is gone."""
        self._inner.close()


class Farewell:
    """Takes what a client still sends after its last answer, so that this reaches it (RFC 9112 §9.6)."""

    patience = 5.0
    waits = False

    def __init__(self, client: Asker) -> None:
        self._client = client

    def take(self, data: bytes) -> None:
        """Throw it away."""

    def go_on(self) -> None:
        """Nothing is written any more."""

    def end(self) -> None:
        """Nothing more is sent either."""
        self._client.close()

    def close(self) -> None:
        """Nothing is kept."""
