"""What feedgen does not write by itself: elements of other namespaces, attributes of the root, the stylesheet, readable titles.

The only module that knows feedgen's extension interface; the formats hand it plain elements.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from feedgen.entry import FeedEntry
from feedgen.ext.base import BaseEntryExtension, BaseExtension
from feedgen.feed import FeedGenerator
from lxml import etree

ATOM = "http://www.w3.org/2005/Atom"
CONTENT = "http://purl.org/rss/1.0/modules/content/"
DC = "http://purl.org/dc/elements/1.1/"
HISTORY = "http://purl.org/syndication/history/1.0"
MEDIA = "http://search.yahoo.com/mrss/"
SYNDICATION = "http://purl.org/rss/1.0/modules/syndication/"
TOMBSTONES = "http://purl.org/atompub/tombstones/1.0"
XHTML = "http://www.w3.org/1999/xhtml"
XML = "http://www.w3.org/XML/1998/namespace"
NAMESPACES = {"dc": DC, "fh": HISTORY, "media": MEDIA, "sy": SYNDICATION}
_LOCAL = {XHTML: None, TOMBSTONES: "at"}
"""Namespaces with their prefixes that are declared where they are used: few feeds need them, and validators warn of them."""

_TITLE = re.compile(rb"<((?:dc:)?title)((?: [^>]*)?)>([^<]*)</")
_SPELT = {b"&lt;": b"&#x3C;", b"&gt;": b"&#x3E;", b"&amp;": b"&#x26;"}


@dataclass(frozen=True)
class Element:
    """An element to add: its name (in feedgen's trees, Atom and RSS names have no namespace), text, attributes and children."""

    name: str
    text: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    children: Sequence[Element] = ()


class FeedElements(BaseExtension):  # type: ignore[misc]  # feedgen is untyped
    """Elements of the feed itself, written before its entries; attributes of the root; a stylesheet for people who open it."""

    def __init__(self) -> None:
        self.elements: list[Element] = []
        self.attributes: dict[str, str] = {}
        self.stylesheet = ""

    def extend_ns(self) -> dict[str, str]:
        """Called by feedgen: the prefixes that the root declares."""
        return NAMESPACES

    def extend_rss(self, feed: Any) -> Any:
        """Called by feedgen with the root."""
        self._extend_root(feed)
        _append(feed[0], self.elements)
        return feed

    def extend_atom(self, feed: Any) -> Any:
        """Called by feedgen with the root."""
        self._extend_root(feed)
        return _append(feed, self.elements)

    def _extend_root(self, root: Any) -> None:
        root.attrib.update(self.attributes)
        if self.stylesheet:
            root.addprevious(etree.PI("xml-stylesheet", f'href="{self.stylesheet}" type="text/css"'))


class EntryElements(BaseEntryExtension):  # type: ignore[misc]
    """Elements and attributes of one entry; the elements are written at its end."""

    def __init__(self) -> None:
        self.elements: list[Element] = []
        self.attributes: dict[str, str] = {}

    def extend_rss(self, feed: Any) -> Any:
        """Called by feedgen with the item."""
        return self._extend(feed)

    def extend_atom(self, feed: Any) -> Any:
        """Called by feedgen with the entry."""
        return self._extend(feed)

    def _extend(self, entry: Any) -> Any:
        entry.attrib.update(self.attributes)
        return _append(entry, self.elements)


def new_generator() -> FeedGenerator:
    """A feedgen generator that has ``extra.elements`` and ``extra.attributes``, as its entries have."""
    generator = FeedGenerator()
    generator.register_extension("extra", FeedElements, EntryElements)
    return generator


def new_entry() -> FeedEntry:
    """A feedgen entry, in no feed, that has ``extra.elements`` and ``extra.attributes``."""
    entry = FeedEntry()
    entry.register_extension("extra", EntryElements)
    return entry


def serialise(entry: Any, namespaces: Mapping[str, str]) -> bytes:
    """An entry's element as it stands in a document whose root declares these prefixes."""
    root = etree.Element("root", nsmap=dict(namespaces))
    root.append(entry)
    written = etree.tostring(root, encoding="UTF-8")
    return spell_titles(written[written.index(b">") + 1 : -len(b"</root>")])


def spell_titles(xml: bytes) -> bytes:
    """Write ``<``, ``>`` and ``&`` in titles as character references.

    The W3C validator asks for it in RSS, and readers that decode titles twice then still show ``chan<- T & <select>``.
    """
    return _TITLE.sub(_spell, xml)


def _spell(match: re.Match[bytes]) -> bytes:
    name, attributes, text = match.groups()
    spelt = re.sub(rb"&(?:lt|gt|amp);", lambda reference: _SPELT[reference[0]], text)
    return b"<%b%b>%b</" % (name, attributes, spelt)


def _append(parent: Any, elements: Sequence[Element]) -> Any:
    for element in elements:
        namespace = element.name[1:].partition("}")[0]
        namespaces: Any = {_LOCAL[namespace]: namespace} if namespace in _LOCAL else None
        child = etree.SubElement(parent, element.name, dict(element.attributes), nsmap=namespaces)
        if element.text:
            child.text = element.text
        _append(child, element.children)
    return parent
