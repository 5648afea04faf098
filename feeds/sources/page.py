"""Reads a post's own page: JSON-LD, then OpenGraph and other meta elements, then microdata, times and bylines.

It knows which of them to believe, in that order; it guesses a day (htmldate) only where the page declares none at all. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from html import escape
from typing import Any
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser

from feeds.errors import ParseError
from feeds.model import Document, Draft, Page, Person
from feeds.sources import linked_data, markup
from feeds.sources.bounds import refuse_bombs
from feeds.sources.dates import is_impossible, parse_date
from feeds.sources.page_date import guess_day
from feeds.sources.page_title import read_title
from feeds.text import absolute, one_line

_PUBLISHED: tuple[str, ...] = (
    "article:published_time",
    "og:published_time",
    "og:article:published_time",
    "article:published",
    "datepublished",
)
_PUBLISHED += ("dc:date:issued", "dc:date.issued", "dcterms:issued", "dc:date:created", "dc:date.created", "dcterms:created")
_PUBLISHED += ("citation_publication_date", "citation_online_date", "citation_date", "parsely-pub-date", "sailthru.date")
_PUBLISHED += (
    "article:publicationdate",
    "pubdate",
    "publishdate",
    "publish-date",
    "publish_date",
    "publication_date",
    "date_published",
)
_PUBLISHED += ("originalpublicationdate", "cxenseparse:recs:publishtime", "article.published", "dc:date", "dcterms:date", "date")
_MODIFIED: tuple[str, ...] = (
    "article:modified_time",
    "og:updated_time",
    "og:article:modified_time",
    "datemodified",
    "dc:date.modified",
)
_MODIFIED += ("dcterms:modified", "article:modified", "last-modified")
_AUTHORS = (
    "dc:creator",
    "dcterms:creator",
    "citation_author",
    "parsely-author",
    "sailthru.author",
    "article:author",
    "author",
    "byl",
)
_DESCRIPTIONS = ("og:description", "description", "dc:description", "twitter:description")
_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Sources:
    """The page as its parts: its tree, its meta elements and the JSON-LD node of its post."""

    tree: LexborHTMLParser
    meta: markup.Meta
    post: dict[str, Any]
    base: str


def read_page(document: Document, *, rules: Page, zone: tzinfo) -> Draft:
    """What a page says of its post; a field that it does not mention is empty.

    ``content`` is filled only where ``rules`` say which element holds it. Raises ParseError when a selector of theirs is none, and
    for a page made to exhaust who reads it.
    """
    refuse_bombs(document)
    text = _decode(document)
    tree = LexborHTMLParser(text)
    base = absolute(_attribute(tree, "base[href]", "href"), document.url) or document.url
    page = _Sources(tree, markup.read_meta(tree), linked_data.read_post(tree), base)
    published, published_raw = _published(page, document.url, text, zone)
    modified = linked_data.string(page.post.get("dateModified")) or markup.first(page.meta, *_MODIFIED) or markup.modified(tree)
    authors = _authors(page)
    return Draft(
        url=_canonical(page, document.url),
        title=_title(page, authors),
        summary=_summary(page),
        content=_content(page, rules, document.url),
        base=base if rules.content else "",
        authors=tuple(Person(name) for name in authors),
        tags=tuple(dict.fromkeys(tag for tag in _tags(page, rules, document.url) if tag)),
        published=published,
        updated=parse_date(modified, zone),
        published_raw=published_raw,
        language=_language(page),
        image=_image(page),
    )


def _decode(document: Document) -> str:
    """HTTP's charset wins (HTML § 13.2.3.2), then a byte order mark, then what the page declares; else UTF-8 or Windows' Latin."""
    body = document.body
    declared = _CHARSET.search(body[:4096])
    marked = "utf-8-sig" if body.startswith(b"\xef\xbb\xbf") else "utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
    for charset in (document.charset, marked, declared[1].decode("ascii", "replace") if declared else ""):
        try:
            if charset:
                return body.decode(charset, "replace")
        except (LookupError, UnicodeError):
            continue
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("windows-1252", "replace")


def _published(page: _Sources, url: str, text: str, zone: tzinfo) -> tuple[datetime | None, str]:
    """The first date that can be read, with the page's words for it; where none can, the first words."""
    refused = ""
    for raw in _dates(page):
        if moment := parse_date(raw, zone):
            return moment, raw
        refused = refused or raw
    day = "" if is_impossible(refused) else guess_day(text, url)
    return parse_date(day, zone), refused or day


def _dates(page: _Sources) -> Iterator[str]:
    for key in ("datePublished", "dateCreated", "uploadDate"):
        if written := linked_data.string(page.post.get(key)):
            yield written
    for name in _PUBLISHED:
        yield from page.meta.get(name, ())
    yield from markup.times(page.tree)


def _title(page: _Sources, authors: list[str]) -> str:
    post = page.post
    headline = (
        "" if linked_data.is_page_only(post) else linked_data.string(post.get("headline")) or linked_data.string(post.get("name"))
    )
    sites = [markup.first(page.meta, "og:site_name"), markup.first(page.meta, "application-name")]
    for key in ("publisher", "isPartOf"):
        sites += linked_data.names(post.get(key))
    return read_title(page.tree, page.meta, headline, [*sites, urlsplit(page.base).hostname or "", *authors])


def _authors(page: _Sources) -> list[str]:
    """Names only: an address of a profile, which OpenGraph asks for, and a handle are none."""
    declared = [page.meta.get(name, []) for name in _AUTHORS]
    for found in (linked_data.names(page.post.get("author")), *declared):
        if names := [name for name in found if "://" not in name[:9] and not name.startswith("@")]:
            return list(dict.fromkeys(names))
    return markup.byline(page.tree)


def _tags(page: _Sources, rules: Page, url: str) -> Iterator[str]:
    for key in ("keywords", "articleSection"):
        yield from linked_data.keywords(page.post.get(key))
    yield from page.meta.get("article:tag", ())
    for name in ("parsely-tags", "sailthru.tags", "citation_keywords"):
        yield from (word.strip() for value in page.meta.get(name, ()) for word in re.split(r"[,;]", value))
    links = [node for node in page.tree.css("a[rel~=tag]") if not markup.is_elsewhere(node)]
    for node in [*links, *_select(page.tree, rules.tags, url)]:
        yield one_line(node.text() or "").strip("#, ")


def _summary(page: _Sources) -> str:
    described = linked_data.string(page.post.get("description")) or markup.first(page.meta, *_DESCRIPTIONS)
    return f"<p>{escape(described, quote=False)}</p>" if described else ""


def _content(page: _Sources, rules: Page, url: str) -> str:
    return "".join(node.inner_html or "" for node in _select(page.tree, rules.content, url))


def _select(tree: LexborHTMLParser, selector: str | None, url: str) -> list[Any]:
    """What an owner's selector finds."""
    try:
        return list(tree.css(selector)) if selector else []
    except Exception as error:  # noqa: BLE001  selectolax has no error class of its own for this
        raise ParseError(url, f"cannot be read with the selector {selector!r}: {error}") from None


def _canonical(page: _Sources, url: str) -> str:
    """The address that the page calls its own; the one it was found at where that is none, or the front page of the site."""
    declared = _attribute(page.tree, "link[rel~=canonical]", "href") or markup.first(page.meta, "og:url")
    canonical = absolute(declared, page.base) if declared else ""
    is_front = urlsplit(canonical).path in ("", "/") and not urlsplit(canonical).query
    return canonical if canonical and (not is_front or urlsplit(url).path in ("", "/")) else url


def _language(page: _Sources) -> str:
    declared = markup.first(page.meta, "dc:language", "content-language", "og:locale")
    written = linked_data.string(page.post.get("inLanguage")) or one_line(_attribute(page.tree, "html[lang], main[lang]", "lang"))
    language = (written or declared).replace("_", "-")
    return language if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", language) else ""


def _image(page: _Sources) -> str:
    image = page.post.get("image")
    image = image[0] if isinstance(image, list) and image else image
    named = image if isinstance(image, dict) else {"url": image}
    written = linked_data.string(named.get("url")) or linked_data.string(named.get("contentUrl"))
    found = written or markup.first(page.meta, "og:image", "og:image:url", "twitter:image", "twitter:image:src")
    return absolute(found, page.base) if found else ""


def _attribute(tree: LexborHTMLParser, selector: str, name: str) -> str:
    node = tree.css_first(selector)
    return (node.attributes.get(name) or "") if node else ""
