"""Reads sitemaps and sitemap indexes (sitemaps.org), as XML, as plain text, and either of them gzipped.

What it gives are URLs whose pages are still to be read. It keeps what stands before a fault, and says that there was one.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from datetime import tzinfo

from lxml import etree

from feeds.errors import ParseError
from feeds.model import Document, Draft, Parsed, SetAside, Source
from feeds.sources.dates import parse_date
from feeds.text import absolute, one_line

MAX_BYTES = 64 * 1024 * 1024
"""Bound of an unpacked sitemap; sitemaps.org allows 50 MB."""

MAX_URLS = 50_000
"""How many URLs one sitemap may have (sitemaps.org, "Sitemap file requirements"); more are not read."""

_GZIP = b"\x1f\x8b"
_HEAD = 64 * 1024
_ROOT = re.compile(rb"<(?:[\w.-]+:)?(urlset|sitemapindex)\b")
_URL_LINE = re.compile(rb"\s*https?://\S+[^\S\r\n]*(?:[\r\n]|$)", re.IGNORECASE)
_NEWS = "{http://www.google.com/schemas/sitemap-news/0.9}"


def recognises(document: Document) -> bool:
    """Whether a sitemap's root element is near the beginning, or the first line is nothing but a URL."""
    head = _unpack(document.body, _HEAD)[0].replace(b"\0", b"").removeprefix(b"\xef\xbb\xbf")
    root = _ROOT.search(head)
    if root is None:
        return _URL_LINE.match(head) is not None
    return not re.search(rb"<html\b", head[: root.start()], re.IGNORECASE)


def parse(document: Document, *, source: Source, zone: tzinfo) -> Parsed:  # noqa: ARG001  the readers' interface
    """Read the URLs of a sitemap, or the sitemaps of an index as ``parts``.

    A fault ends the reading and is reported as set aside. Raises ParseError where nothing comes before it, or where the document is
    larger than ``MAX_BYTES`` unpacked. Never ``complete``: a sitemap need not list everything.
    """
    body, is_whole = _unpack(document.body, MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise ParseError(document.url, f"is larger than {MAX_BYTES // 1024**2} MiB once unpacked")
    is_xml = _ROOT.search(body[:_HEAD].replace(b"\0", b"")) is not None
    reading = _Reading(document.url, zone)
    fault = reading.read_xml(body) if is_xml else reading.read_lines(body)
    fault = fault or ("" if is_whole else "its gzip stream is cut off or damaged")
    if fault and not reading.drafts and not reading.parts:
        raise ParseError(document.url, f"cannot be read as a sitemap: {fault}")
    if fault:
        reading.set_aside.append(SetAside(document.url, "", f"what follows could not be read: {fault}"))
    return Parsed(tuple(reading.drafts.values()), tuple(reading.set_aside), parts=tuple(reading.parts))


class _Reading:
    """What has been read of one sitemap so far: drafts by URL, URLs of further sitemaps, entries that were set aside."""

    def __init__(self, url: str, zone: tzinfo) -> None:
        self.drafts: dict[str, Draft] = {}
        self.parts: dict[str, None] = {}
        self.set_aside: list[SetAside] = []
        self._url = url
        self._zone = zone

    def read_xml(self, body: bytes) -> str:
        """Read XML up to its end, its first fault or ``MAX_URLS``; the fault, or nothing."""
        try:
            for number, element in enumerate(_entries(body)):
                if number >= MAX_URLS:
                    return f"it has more than {MAX_URLS} entries"
                self._take(element)
        except etree.XMLSyntaxError as error:
            return one_line(error.msg or str(error))
        return ""

    def read_lines(self, body: bytes) -> str:
        """Read plain text, one URL a line, in UTF-8 (sitemaps.org, "Text file")."""
        for number, line in enumerate(body.decode("utf-8-sig", "replace").split()):
            if number >= MAX_URLS:
                return f"it has more than {MAX_URLS} lines"
            if not re.match(r"https?://", line, re.IGNORECASE) or not (url := absolute(line, self._url)):
                return f"'{one_line(line)[:100]}' is no URL"
            self.drafts.setdefault(url, Draft(url=url, partial=True))
        return ""

    def _take(self, element: etree._Element) -> None:
        space = etree.QName(element).namespace
        loc = element.find(f"{{{space}}}loc" if space else "loc")
        written = _text(loc)
        url = absolute(written, self._url) if written else ""
        if not url or loc is None or len(loc):
            reason = "its loc holds more than text" if loc is not None and len(loc) else "has no loc"
            if written and not url:
                reason = f"its loc is no web address: '{written[:200]}'"
            self.set_aside.append(SetAside(written[:200] or "?", "", reason))
        elif etree.QName(element).localname == "sitemap":
            self.parts.setdefault(url)
        else:
            self.drafts.setdefault(url, self._draft(element, url, f"{{{space}}}" if space else ""))

    def _draft(self, element: etree._Element, url: str, prefix: str) -> Draft:
        """A URL with when it changed, and what the news extension (Google, sitemap-news/0.9) says of it; others are passed over."""
        published_raw = _text(element.find(f"{_NEWS}news/{_NEWS}publication_date"))
        return Draft(
            url=url,
            title=_text(element.find(f"{_NEWS}news/{_NEWS}title")),
            published=parse_date(published_raw, self._zone),
            updated=parse_date(_text(element.find(f"{prefix}lastmod")), self._zone),
            published_raw=published_raw,
            partial=True,
        )


def _entries(body: bytes) -> Iterator[etree._Element]:
    """Each ``url`` and ``sitemap`` right below the root, in any of the namespaces in use; each is forgotten after its turn."""
    found = etree.iterparse(
        io.BytesIO(body.lstrip()),
        events=("end",),
        tag=("{*}url", "{*}sitemap"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
    )
    for _, element in found:
        root = element.getparent()
        if root is not None and root.getparent() is None:
            yield element
            element.clear()
            while element.getprevious() is not None:
                del root[0]


def _text(element: etree._Element | None) -> str:
    return one_line(element.text or "") if element is not None else ""


def _unpack(body: bytes, limit: int) -> tuple[bytes, bool]:
    """At most ``limit`` bytes of a body that may be gzipped (by its magic bytes, RFC 1952), and whether it was whole."""
    pieces: list[bytes] = []
    left = limit
    while body.startswith(_GZIP) and left > 0:
        stream = zlib.decompressobj(31)
        try:
            piece = stream.decompress(body, left)
        except zlib.error:
            return b"".join(pieces), False
        pieces.append(piece)
        left -= len(piece)
        if not stream.eof:
            return b"".join(pieces), left <= 0
        body = stream.unused_data
        if not body.startswith(_GZIP):
            return b"".join(pieces), True
    return (b"".join(pieces), True) if pieces else (body[:limit], True)
