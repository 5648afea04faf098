"""Writes a document of which most was written before: only new or changed entries go through the format, the rest is spliced.

What it remembers changes no byte: a document is the same whether all, some or none of its entries were remembered.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from feeds.formats import Format
from feeds.model import Feed, Post

_ROOM = 64 * 1024 * 1024
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where the entries are in a format: what one looks like, what separates them, and what comes after the last."""

    entry: re.Pattern[bytes]
    separator: bytes
    end: bytes


_SHAPES = {
    "atom": _Shape(re.compile(rb"<entry[ >].*?</entry>", re.DOTALL), b"", b"</feed>"),
    "rss": _Shape(re.compile(rb"<item[ >].*?</item>", re.DOTALL), b"", b"</channel></rss>"),
    "json": _Shape(re.compile(rb"^\{.*\}(?=,?$)", re.MULTILINE), b",\n", b"\n]}\n"),
}


@dataclass(slots=True)
class _Written:
    """The entries of one feed in one format as they were written, by id, while the feed's own values are what they were."""

    context: Feed
    entries: dict[str, tuple[Post, bytes]] = field(default_factory=dict)
    size: int = 0

    def holds(self, post: Post) -> bool:
        """Whether this version of a post was written."""
        kept = self.entries.get(post.id)
        return kept is not None and (kept[0] is post or kept[0] == post)

    def keep(self, post: Post, entry: bytes) -> int:
        """Remember how a post was written, instead of an earlier version of it; by how many bytes that is more than before."""
        grown = len(entry) - len(self.entries.get(post.id, (post, b""))[1])
        self.entries[post.id] = (post, entry)
        self.size += grown
        return grown


class Splicer:
    """Remembers the entries that were written, within a bound of bytes. Threads may share it."""

    def __init__(self, room: int = _ROOM) -> None:
        self._room = room
        self._size = 0
        self._written: OrderedDict[tuple[str, str, str], _Written] = OrderedDict()
        self._lock = threading.Lock()

    def render(self, form: Format, feed: Feed) -> bytes:
        """What ``form.render(feed)`` gives. Raises what that raises."""
        shape = _SHAPES.get(form.suffix)
        if shape is None:
            return form.render(feed)
        with self._lock:
            return self._render(form, feed, shape)

    def _render(self, form: Format, feed: Feed, shape: _Shape) -> bytes:
        written = self._of(form.suffix, feed)
        news = [post for post in feed.posts if not written.holds(post)]
        partial = form.render(feed if len(news) == len(feed.posts) else replace(feed, posts=tuple(news)))
        cut = _cut(partial, shape, news)
        if cut is None:  # not what this knows to cut
            return partial if len(news) == len(feed.posts) else form.render(feed)
        head, entries = cut
        kept = written.entries
        for post, entry in zip(news, entries, strict=True):
            self._size += written.keep(post, entry)
        self._forget()
        return partial if len(news) == len(feed.posts) else _joined(head, [kept[post.id][1] for post in feed.posts], shape)

    def _of(self, suffix: str, feed: Feed) -> _Written:
        """What was written of a feed; nothing once anything but its entries, their dates and its neighbours changed."""
        context = replace(feed, urls={}, updated=_NEVER, posts=(), deleted=(), previous={}, following={}, current={})
        key = (suffix, feed.id, feed.content)
        if key not in self._written or self._written[key].context != context:
            self._size -= self._written[key].size if key in self._written else 0
            self._written[key] = _Written(context)
        self._written.move_to_end(key)
        return self._written[key]

    def _forget(self) -> None:
        """Let go of the feeds that were written longest ago."""
        while self._size > self._room:
            self._size -= self._written.popitem(last=False)[1].size


def _cut(document: bytes, shape: _Shape, posts: Sequence[Post]) -> tuple[bytes, list[bytes]] | None:
    """The head of a document and its entries; None where these are not all there is to it."""
    entries = shape.entry.findall(document)
    body = shape.separator.join(entries) + shape.end
    head = document[: -len(body)]
    return (head, entries) if len(entries) == len(posts) and document == head + body else None


def _joined(head: bytes, entries: Sequence[bytes], shape: _Shape) -> bytes:
    """A document from its head and entries, copied once: it is large, and that is most of what is left to do."""
    if not shape.separator:
        return b"".join((head, *entries, shape.end))
    return b"".join((head, shape.separator.join(entries), shape.end))
