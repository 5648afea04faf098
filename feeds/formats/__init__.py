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
    """A way to write a feed: its suffix in URLs, its media type (IANA), and the module that renders it."""

    suffix: str
    media_type: str
    module: str

    def render(self, feed: Feed) -> bytes:
        """The feed as bytes; the same value gives the same bytes, always."""
        module = importlib.import_module(f"{__name__}.{self.module}")
        return cast("Callable[[Feed], bytes]", module.render)(feed)

    @property
    def content_type(self) -> str:
        """The media type with its charset."""
        return f"{self.media_type}; charset=utf-8"


FORMATS: Mapping[str, Format] = {
    "atom": Format("atom", "application/atom+xml", "atom"),
    "rss": Format("rss", "application/rss+xml", "rss"),
}
