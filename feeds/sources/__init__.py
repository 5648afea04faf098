"""The registry of source kinds: which readers may understand what a kind of source answers.

A reader is a module here with ``recognises(document) -> bool`` and ``parse(document, source=…, zone=…) -> Parsed``; it is pure. A
new kind is one module, one line in ``KINDS`` and one folder of cases in ``tests/data``. Readers are imported when first used, so
that a process which only serves never loads them.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from datetime import tzinfo
from typing import Protocol, cast

from feeds.errors import ParseError
from feeds.model import Document, Parsed, Source

KINDS: Mapping[str, tuple[str, ...]] = {
    "feed": ("jsonfeed", "feed"),
    "folder": ("folder",),
    "ghost": ("ghost",),
    "json": ("json_api",),
    "listing": ("listing",),
    "sitemap": ("sitemap",),
    "wordpress": ("wordpress",),
}
"""Kind of source -> its readers, in the order in which they are asked."""


class Reader(Protocol):
    """What a module in this package offers."""

    def recognises(self, document: Document) -> bool:
        """Whether the document claims to be of this reader's format."""

    def parse(self, document: Document, *, source: Source, zone: tzinfo) -> Parsed:
        """Read the posts. ``zone`` is where naive dates live. Raises ParseError when it is no such document."""


def readers(kind: str) -> tuple[Reader, ...]:
    """The readers of a kind."""
    return tuple(cast("Reader", importlib.import_module(f"{__name__}.{name}")) for name in KINDS[kind])


def parse(source: Source, document: Document, *, zone: tzinfo) -> Parsed:
    """Read a document by the first reader of the source's kind that recognises it.

    Raises ParseError when none does, or when the one that does finds it unusable.
    """
    for reader in readers(source.kind):
        if reader.recognises(document):
            return reader.parse(document, source=source, zone=zone)
    if not document.body.strip():
        raise ParseError(document.url, f"is no {source.kind}: it is empty")
    beginning = document.body[:60].decode("utf-8", "replace").strip()
    raise ParseError(document.url, f"is no {source.kind}: it begins with {beginning!r}")
