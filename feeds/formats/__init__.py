"""The registry of formats: suffix -> how a Feed value becomes bytes. Pure.

A new format is one module with ``render(feed) -> bytes`` and one line here. Renderers are imported when first used: a process
that only serves needs the media types alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from feeds.model import Feed


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write a feed: its suffix in URLs, its media type, the module that renders it, and its name for people."""

    suffix: str
    media_type: str
    module: str
    title: str

    def render(self, feed: Feed) -> bytes:
        """The feed as bytes; the same value gives the same bytes, always."""
        module = importlib.import_module(f"{__name__}.{self.module}")
        return cast("Callable[[Feed], bytes]", module.render)(feed)

    @property
    def content_type(self) -> str:
        """The media type, for XML with its charset (JSON has no such parameter, RFC 8259 §11)."""
        return f"{self.media_type}; charset=utf-8" if self.media_type.endswith("xml") else self.media_type


FORMATS: Mapping[str, Format] = {
    "atom": Format("atom", "application/atom+xml", "atom", "Atom"),
    "rss": Format("rss", "application/rss+xml", "rss", "RSS"),
    "json": Format("json", "application/feed+json", "jsonfeed", "JSON Feed"),
}
