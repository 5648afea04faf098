"""Answers for what is on the shelf, as bytes for the wire.

Nearly all polls are alike to the byte. What was answered to a head is remembered until the shelf has news; only the Date is new.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import NamedTuple

from feeds.front.heads import Request, names_one_host
from feeds.serving.recording import Told, told
from feeds.serving.representation import answer
from feeds.serving.shelf import Shelf

_REMEMBERED = 8192
_LONGEST = 1024
"""Bytes of a head that is remembered; a longer one is nobody's who asks again and again."""

_CLOSE = b"Connection: close\r\n"


class Reply(NamedTuple):
    """What is sent: a head, which the Date ends, and a body; ``size`` bytes together. ``closes``: the connection ends with it."""

    head: bytes
    body: bytes | memoryview
    size: int
    closes: bool
    told: Told


class Hits:
    """``remembered`` are replies by the bytes of the head that they answer: a dictionary that stays the same one.

    ``date`` is what comes between the head and the body of a reply: the Date of this second, and the end of the fields.
    ``closing``: every reply is the last on its connection.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.remembered: dict[bytes, Reply] = {}
        self.date = b""
        self._shelf = shelf
        self._second = 0
        self.closing = False
        self.look_up()

    def look_up(self) -> None:
        """Look at the clock."""
        if (second := int(time.time())) != self._second:
            self._second = second
            self.date = f"Date: {formatdate(second, usegmt=True)}\r\n\r\n".encode()

    def forget(self) -> None:
        """The shelf has news."""
        self.remembered.clear()

    def close_all(self) -> None:
        """From now on every reply is the last on its connection."""
        self.closing = True
        self.remembered.clear()

    def reply(self, head: bytes, request: Request) -> Reply | None:
        """The reply to a request that was read from a head; None for what is not on the shelf."""
        path, _, query = request.target.partition("?")
        representation = self._shelf.find(path, query)
        if representation is None or "HTTP_A_IM" in request.fields or not names_one_host(request):
            return None
        found = answer(representation, request.method, request.fields)
        closes = request.closes or self.closing
        start = found.head + _CLOSE if closes else found.head
        size = len(start) + len(self.date) + len(found.body)
        reply = Reply(start, found.body, size, closes, told(path, found.status, len(found.body), request.fields))
        if len(head) <= _LONGEST:
            self._remember(head, reply)
        return reply

    def _remember(self, head: bytes, reply: Reply) -> None:
        if len(self.remembered) >= _REMEMBERED:
            self.remembered.clear()
        self.remembered[head] = reply
