"""The registry of formats: suffix -> how a Feed value becomes bytes. Pure.

A new format is one module with ``head``, ``moment``, ``entry``, ``SEPARATOR`` and ``END``, and one line here. Modules are
imported when first used: a process that only serves needs the media types alone.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import cast

from feeds.model import Feed, Post


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write a feed: its suffix in URLs, its media type, the module that renders it, and its name for people."""

    suffix: str
    media_type: str
    module: str
    title: str

    def render(self, feed: Feed) -> bytes:
        """The feed as bytes; the same value gives the same bytes, always."""
        return self.join(self.head(feed), [self.entry(post, feed) for post in feed.posts])

    def head(self, feed: Feed) -> bytes:
        """What stands before the entries; it depends on none of them."""
        return cast("bytes", self._module.head(feed))

    def moment(self, updated: datetime) -> bytes:
        """How the head writes when the feed was last changed; nothing where the format does not say."""
        return cast("bytes", self._module.moment(updated))

    def entry(self, post: Post, feed: Feed) -> bytes:
        """An entry of the feed; it depends on no other entry, nor on what the feed says of itself as a document."""
        return cast("bytes", self._module.entry(post, feed))

    def join(self, head: bytes, entries: Sequence[bytes]) -> bytes:
        """The document of a head and entries, copied once: it is large."""
        separator, end = self._module.SEPARATOR, self._module.END
        return b"".join((head, *entries, end)) if not separator else b"".join((head, separator.join(entries), end))

    @property
    def _module(self) -> ModuleType:
        name = f"{__name__}.{self.module}"
        return sys.modules.get(name) or importlib.import_module(name)

    @property
    def content_type(self) -> str:
        """The media type, for XML with its charset (JSON has no such parameter, RFC 8259 §11)."""
        return f"{self.media_type}; charset=utf-8" if self.media_type.endswith("xml") else self.media_type


FORMATS: Mapping[str, Format] = {
    "atom": Format("atom", "application/atom+xml", "atom", "Atom"),
    "rss": Format("rss", "application/rss+xml", "rss", "RSS"),
    "json": Format("json", "application/feed+json", "jsonfeed", "JSON Feed"),
}
