"""What feedgen does not write by itself: Dublin Core, complete entry links, and titles that every reader shows as written.

The only module that knows feedgen's extension interface; the formats hand it plain elements.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from feedgen.ext.base import BaseEntryExtension, BaseExtension
from feedgen.feed import FeedGenerator
from lxml import etree

DC = "http://purl.org/dc/elements/1.1/"
HISTORY = "http://purl.org/syndication/history/1.0"
TOMBSTONES = "http://purl.org/atompub/tombstones/1.0"
ATOM = "http://www.w3.org/2005/Atom"
NAMESPACES = {"at": TOMBSTONES, "dc": DC, "fh": HISTORY}

_TITLE = re.compile(rb"<((?:dc:)?title)((?: [^>]*)?)>([^<]*)</")
_SPELT = {b"&lt;": b"&#x3C;", b"&gt;": b"&#x3E;", b"&amp;": b"&#x26;"}


@dataclass(frozen=True)
class Element:
    """An element to add: its name (in feedgen's trees, Atom and RSS names have no namespace), text and attributes."""

    name: str
    text: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


class FeedElements(BaseExtension):  # type: ignore[misc]  # feedgen is untyped
    """Elements of the feed itself, written before its entries."""

    def __init__(self) -> None:
        self.elements: list[Element] = []

    def extend_ns(self) -> dict[str, str]:
        """Called by feedgen: the prefixes that the root declares."""
        return NAMESPACES

    def extend_rss(self, feed: Any) -> Any:
        """Called by feedgen with the root."""
        _append(feed[0], self.elements)
        return feed

    def extend_atom(self, feed: Any) -> Any:
        """Called by feedgen with the root."""
        return _append(feed, self.elements)


class EntryElements(BaseEntryExtension):  # type: ignore[misc]
    """Elements of one entry, written at its end."""

    def __init__(self) -> None:
        self.elements: list[Element] = []

    def extend_rss(self, feed: Any) -> Any:
        """Called by feedgen with the item."""
        return _append(feed, self.elements)

    def extend_atom(self, feed: Any) -> Any:
        """Called by feedgen with the entry."""
        return _append(feed, self.elements)


def new_generator() -> FeedGenerator:
    """A feedgen generator that has ``extra.elements``, as its entries have."""
    generator = FeedGenerator()
    generator.register_extension("extra", FeedElements, EntryElements)
    return generator


def spell_titles(xml: bytes) -> bytes:
    """Write ``<``, ``>`` and ``&`` in titles as character references.

    The W3C validator asks for it in RSS, and readers that decode titles twice then still show ``chan<- T & <select>``.
    """
    return _TITLE.sub(_spell, xml)


def _spell(match: re.Match[bytes]) -> bytes:
    name, attributes, text = match.groups()
    spelt = re.sub(rb"&(?:lt|gt|amp);", lambda reference: _SPELT[reference[0]], text)
    return b"<%b%b>%b</" % (name, attributes, spelt)


def _append(parent: Any, elements: list[Element]) -> Any:
    for element in elements:
        child = etree.SubElement(parent, element.name, dict(element.attributes))
        if element.text:
            child.text = element.text
    return parent
