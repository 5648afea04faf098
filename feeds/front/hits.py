"""Answers for what is on the shelf, as bytes for the wire.

Nearly all polls are alike to the byte. What was answered to a head is remembered for as long as the Date in it is right: one second
at the most, and less where the shelf has news.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import NamedTuple

from feeds.front.heads import Request, names_one_host
from feeds.serving.recording import Told, told
from feeds.serving.representation import answer
from feeds.serving.shelf import Shelf

_REMEMBERED = 4096
_LONGEST = 1024
"""Bytes of a head that is remembered; a longer one is nobody's who asks again and again."""


class Reply(NamedTuple):
    """What is sent: a head and a body, ``size`` bytes together. ``closes``: the connection ends with it."""

    head: bytes
    body: bytes | memoryview
    size: int
    closes: bool
    told: Told


class Hits:
    """``remembered`` are replies by the bytes of the head that they answer; a dictionary that stays the same one.

    ``closing``: every answer is the last on its connection.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.remembered: dict[bytes, Reply] = {}
        self._shelf = shelf
        self._second = 0
        self._date = b""
        self.closing = False

    def look_up(self) -> None:
        """Let what was remembered go with the second in which it was right."""
        if (second := int(time.time())) != self._second:
            self._second = second
            self._date = b"Date: %b\r\n" % formatdate(second, usegmt=True).encode()
            self.remembered.clear()

    def forget(self) -> None:
        """The shelf has news."""
        self.remembered.clear()

    def close_all(self) -> None:
        """From now on every answer is the last on its connection."""
        self.closing = True
        self.remembered.clear()

    def reply(self, head: bytes, request: Request) -> Reply | None:
        """The reply to a request that was read from a head; None for what is not on the shelf."""
        path, _, query = request.target.partition("?")
        representation = self._shelf.find(path, query)
        if representation is None or "HTTP_A_IM" in request.fields or not names_one_host(request):
            return None
        status, _, body, wire = answer(representation, request.method, request.fields)
        closes = request.closes or self.closing
        wire = b"%b%b%b\r\n" % (wire, self._date, b"Connection: close\r\n" if closes else b"")
        reply = Reply(wire, body, len(wire) + len(body), closes, told(path, status, len(body), request.fields))
        self._remember(head, reply)
        return reply

    def _remember(self, head: bytes, reply: Reply) -> None:
        if len(head) <= _LONGEST:
            if len(self.remembered) >= _REMEMBERED:
                self.remembered.clear()
            self.remembered[head] = reply
