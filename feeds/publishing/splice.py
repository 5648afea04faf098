"""Writes a document of which most was written before: only new and changed entries go through the format, the rest is spliced.

What it remembers changes no byte: a document is the same whether all, some or none of its parts were remembered.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from operator import attrgetter

from feeds.formats import Format
from feeds.model import Feed, Post

_ROOM = 64 * 1024 * 1024
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

_DOCUMENT = ("urls", "deleted", "previous", "following", "current")
"""What a feed says of a document, which no entry depends on."""

_of_document = attrgetter(*_DOCUMENT)
_of_entries = attrgetter(*(one.name for one in fields(Feed) if one.name not in {*_DOCUMENT, "updated", "posts"}))


@dataclass(slots=True)
class _Written:
    """One feed in one format as it was written, while its own values are what they were: its head and its entries, by id."""

    context: tuple[object, ...]
    document: tuple[object, ...] = ()
    head: tuple[bytes, ...] = ()
    entries: dict[str, tuple[Post, bytes]] = field(default_factory=dict)
    size: int = 0

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
        with self._lock:
            written = self._of(form.suffix, feed)
            known, entries = written.entries, list[bytes]()
            for post in feed.posts:
                kept = known.get(post.id)
                is_known = kept is not None and (kept[0] is post or kept[0] == post)
                entries.append(kept[1] if kept and is_known else self._entry(form, feed, post, written))
            self._forget()
            return form.join(_head(form, feed, written), entries)

    def _entry(self, form: Format, feed: Feed, post: Post, written: _Written) -> bytes:
        entry = form.entry(post, feed)
        self._size += written.keep(post, entry)
        return entry

    def _of(self, suffix: str, feed: Feed) -> _Written:
        """What was written of a feed; nothing once anything but its entries, its time and its documents changed."""
        context, key = _of_entries(feed), (suffix, feed.id, feed.content)
        if key not in self._written or self._written[key].context != context:
            self._size -= self._written[key].size if key in self._written else 0
            self._written[key] = _Written(context)
        self._written.move_to_end(key)
        return self._written[key]

    def _forget(self) -> None:
        """Let go of the feeds that were written longest ago."""
        while self._size > self._room:
            self._size -= self._written.popitem(last=False)[1].size


def _head(form: Format, feed: Feed, written: _Written) -> bytes:
    """The head of a document: as it was written before but for the feed's time, if its neighbours are the same."""
    document = _of_document(feed)
    if not written.head or written.document != document:
        head, time = form.head(replace(feed, updated=_NEVER)), form.moment(_NEVER)
        written.head, written.document = (tuple(head.split(time, 1)) if time else (head,)), document
    return form.moment(feed.updated).join(written.head)
