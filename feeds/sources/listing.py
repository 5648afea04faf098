"""Reads a page that lists posts, by the CSS selectors that the owner gave, and tells what each selector found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, tzinfo

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from feeds.errors import ParseError
from feeds.model import Document, Draft, Listing, Parsed, SetAside, Source
from feeds.sources.dates import parse_date
from feeds.sources.documents import html_of
from feeds.text import absolute, one_line, plain

_MARKUP = re.compile(rb"<[a-zA-Z!?]")
_HEAD = 64 * 1024
_CLOCK = re.compile(r"%[HIcXsf]")


@dataclass(frozen=True, slots=True)
class Finding:
    """What the selectors found in one item: words as they stand in the page, and what was made of them.

    ``url`` is ``link`` made absolute, ``published`` is ``date`` understood (UTC), ``summary`` is HTML. ``reason`` says why the item
    is set aside, and is empty where it is taken in.
    """

    link: str
    url: str
    title: str
    date: str
    published: datetime | None
    summary: str
    reason: str


def recognises(document: Document) -> bool:
    """Whether there is markup near the beginning."""
    return _MARKUP.search(document.body[:_HEAD].replace(b"\0", b"")) is not None


def parse(document: Document, *, source: Source, zone: tzinfo) -> Parsed:
    """Read the posts of a listing page; the next page is ``older``.

    Raises ParseError, which names the selector, where ``item`` matches nothing or a selector cannot be read as CSS.
    """
    rules, tree = _rules(document, source), LexborHTMLParser(html_of(document))
    base = _base(tree, document.url)
    found = _findings(tree, base, document, rules, zone)
    drafts = tuple(_draft(finding, base) for finding in found if not finding.reason)
    set_aside = tuple(SetAside(f.link or f.title[:200] or "?", f.title, f.reason) for f in found if f.reason)
    return Parsed(drafts, set_aside, older=_older(tree, base, document, rules))


def findings(document: Document, source: Source, zone: tzinfo) -> tuple[Finding, ...]:
    """What each selector finds, item by item, in the order of the page. Raises ParseError as ``parse`` does."""
    tree = LexborHTMLParser(html_of(document))
    return _findings(tree, _base(tree, document.url), document, _rules(document, source), zone)


def _rules(document: Document, source: Source) -> Listing:
    if source.listing is None:
        raise ParseError(document.url, f"cannot be read: source '{source.id}' has no [sources.listing]")
    return source.listing


def _findings(tree: LexborHTMLParser, base: str, document: Document, rules: Listing, zone: tzinfo) -> tuple[Finding, ...]:
    items = _select(tree, rules.item, "item", document)
    if not items:
        raise ParseError(document.url, f"has no items: nothing in it matches listing.item = '{rules.item}'")
    return tuple(_finding(item, base, document, rules, zone) for item in items)


def _finding(item: LexborNode, base: str, document: Document, rules: Listing, zone: tzinfo) -> Finding:
    links = _select(item, rules.link, "link", document)
    if not links and item.attributes.get("href"):
        links = [item]
    link, url = _first_link(links, base)
    title = _first(item, rules.title, "title", document) if rules.title else link
    summary = _first(item, rules.summary, "summary", document)
    date, published = _date(_first(item, rules.date or "time[datetime]", "date", document), rules.date_format, zone)
    written = one_line((link.attributes.get("href") or "") if link else "")
    return Finding(
        link=written,
        url=url,
        title=_label(title) or ("" if link else plain(item.html or "")[:200]),
        date=date,
        published=published,
        summary=(summary.inner_html or "").strip() if summary else "",
        reason="" if url else _why_not(rules.link, written),
    )


def _first_link(links: list[LexborNode], base: str) -> tuple[LexborNode | None, str]:
    """The first link that leads to another document, else the first, without a URL."""
    for link in links:
        href = one_line(link.attributes.get("href") or "")
        if href and not href.startswith("#") and (url := absolute(href, base)):
            return link, url
    return (links[0] if links else None), ""


def _why_not(selector: str, written: str) -> str:
    if written:
        return f"what listing.link = '{selector}' finds is no web address: '{written[:200]}'"
    return f"has no link: nothing in it matches listing.link = '{selector}'"


def _draft(finding: Finding, base: str) -> Draft:
    return Draft(
        url=finding.url,
        title=finding.title,
        summary=finding.summary,
        base=base if finding.summary else "",
        published=finding.published,
        published_raw=finding.date,
        partial=not finding.title,
    )


def _date(node: LexborNode | None, form: str | None, zone: tzinfo) -> tuple[str, datetime | None]:
    """The date as written and as understood: of a ``<time>`` its datetime attribute (HTML § 4.5.14), else the text."""
    if node is None:
        return "", None
    time = node if node.attributes.get("datetime") else node.css_first("time[datetime]") or node
    written = [one_line(time.attributes.get("datetime") or ""), plain(node.html or "")]
    for raw in filter(None, written):
        if moment := _strptime(raw, form, zone) or parse_date(raw, zone):
            return raw, moment
    return next(filter(None, written), "")[:200], None


def _strptime(raw: str, form: str | None, zone: tzinfo) -> datetime | None:
    """A date in the owner's own format; without a time of day it is its local noon, as everywhere."""
    try:
        moment = datetime.strptime(raw, form) if form else None  # noqa: DTZ007  parse_date knows where naive dates live
    except (ValueError, re.error):
        return None
    if moment is None:
        return None
    return parse_date(moment.isoformat() if _CLOCK.search(form or "") else moment.date().isoformat(), zone)


def _label(node: LexborNode | None) -> str:
    """The text of an element; of one that has only a picture or nothing what it is labelled with."""
    if node is None:
        return ""
    picture = node.css_first("img[alt]")
    labels = (node.attributes.get("title"), node.attributes.get("aria-label"), picture.attributes.get("alt") if picture else "")
    return plain(node.html or "") or next((one_line(label) for label in labels if label), "")


def _older(tree: LexborHTMLParser, base: str, document: Document, rules: Listing) -> tuple[str, ...]:
    links = _select(tree, rules.next, "next", document) if rules.next else []
    _, url = _first_link(links, base)
    return (url,) if url and url != document.url else ()


def _base(tree: LexborHTMLParser, url: str) -> str:
    """What relative links rest on (HTML § 4.2.3)."""
    node = tree.css_first("base[href]")
    return (absolute(node.attributes.get("href") or "", url) if node else "") or url


def _first(node: LexborNode, selector: str | None, name: str, document: Document) -> LexborNode | None:
    return next(iter(_select(node, selector, name, document)), None) if selector else None


def _select(node: LexborNode | LexborHTMLParser, selector: str, name: str, document: Document) -> list[LexborNode]:
    try:
        return node.css(selector)
    except SelectolaxError:
        raise ParseError(document.url, f"cannot be read: listing.{name} = '{selector}' is no CSS selector") from None
