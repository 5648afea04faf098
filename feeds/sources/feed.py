"""Reads RSS 0.9x, 1.0 and 2.0 and Atom, through feedparser over bytes only (given text, feedparser opens files and URLs).

It keeps every entry that can be told apart, of malformed XML too, and sets aside those of which nothing can be said.
"""

from __future__ import annotations

import codecs
import io
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

import feedparser

from feeds.errors import ParseError
from feeds.model import Document, Draft, Parsed, Person, SetAside, Source
from feeds.sources import media, pacing
from feeds.sources.bounds import refuse_bombs
from feeds.sources.dates import is_impossible, parse_date
from feeds.sources.titles import plain_title
from feeds.text import absolute, one_line, plain, xml_safe

_ROOT = re.compile(rb"<(?:\w+:)?(rss|feed|RDF|channel)\b", re.IGNORECASE)
_EMAIL_AND_NAME = re.compile(r"\s*(\S+@\S+)\s+\((.+)\)\s*")
_HEAD = 64 * 1024
_OPENING = re.compile(rb"<(?:\w+:)?(?:item|entry)[\s>]")
_CLOSING = re.compile(rb"</(?:\w+:)?(?:item|entry)\s*>")
_ENDED = re.compile(rb"</(?:\w+:)?(?:rss|feed|RDF|channel)\s*>")


def recognises(document: Document) -> bool:
    """Whether a feed's root element is near the beginning, in any of XML's encodings."""
    head = document.body[:_HEAD].replace(b"\0", b"")
    root = _ROOT.search(head)
    return root is not None and not re.search(rb"<html\b", head[: root.start()], re.IGNORECASE)


def parse(document: Document, *, source: Source, zone: tzinfo) -> Parsed:  # noqa: ARG001  the readers' interface
    """Read the posts of a feed. Raises ParseError when feedparser finds no feed in it, or would never be done with it."""
    refuse_bombs(document)
    answer = feedparser.parse(
        io.BytesIO(document.body.lstrip()),
        response_headers=_headers(document),
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    if not answer.version and not answer.entries:
        reason = one_line(str(answer.get("bozo_exception", "no feed in it")))
        raise ParseError(document.url, f"cannot be read as RSS or Atom: {reason}")
    if answer.bozo and not answer.entries:
        raise ParseError(document.url, f"is malformed and has no entries: {one_line(str(answer.bozo_exception))}")
    drafts, set_aside = _read_entries(answer, document, zone)
    older = tuple(_older(answer.feed.get("links", ()), document.url))
    return Parsed(tuple(drafts), tuple(set_aside), older=older, floor=pacing.floor(answer.feed, document.body))


@dataclass(frozen=True, slots=True)
class _Setting:
    """What the feed as a whole says for entries that say nothing, and where and when its words are to be understood."""

    base: str
    zone: tzinfo
    language: str
    authors: tuple[Person, ...]


def _read_entries(answer: Any, document: Document, zone: tzinfo) -> tuple[list[Draft], list[SetAside]]:
    language = one_line(answer.feed.get("language") or "")
    editors = tuple(person for person in _people(answer.feed, document.url) if person.name != person.email)
    setting = _Setting(document.url, zone, language, editors)
    drafts, set_aside = [], []
    entries = list(answer.entries)
    if _is_cut_off(document.body) and entries:
        cut = entries.pop()
        set_aside.append(
            SetAside(one_line(cut.get("id", "") or cut.get("link", "")) or "?", plain(cut.get("title", "")), "is cut off")
        )
    drafts += [_draft(entry, setting) for entry in entries]
    return drafts, set_aside


def _older(links: Iterable[Any], url: str) -> Iterable[str]:
    """Where earlier posts are: the previous archive (RFC 5005 §4), else the next page (§3)."""
    for relation in ("prev-archive", "next"):
        found = {absolute(link.get("href") or "", url): None for link in links if link.get("rel") == relation and link.get("href")}
        if further := [address for address in found if address and address != url]:
            return further
    return []


def _is_cut_off(body: bytes) -> bool:
    """Whether the document ends within its last item: a connection that closed early is a silent half of an entry."""
    body = body.replace(b"\0", b"")  # UTF-16
    opened = max((match.start() for match in _OPENING.finditer(body)), default=-1)
    closed = max((match.start() for match in _CLOSING.finditer(body)), default=-1)
    return opened > closed and not _ENDED.search(body[-4096:])


def _headers(document: Document) -> dict[str, str]:
    """Feedparser decides the encoding by the header and the XML declaration; a byte order mark outranks both (RFC 7303 §3)."""
    media_type = document.media_type if "xml" in document.media_type else "application/xml"
    marked = document.body.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE))
    charset = f"; charset={document.charset}" if document.charset and not marked else ""
    return {"content-type": media_type + charset, "content-location": document.url}


def _draft(entry: Any, setting: _Setting) -> Draft:
    content, content_base = _content(entry, setting.base)
    summary = entry.get("summary", "") if entry.get("summary_detail") else ""
    published_raw = one_line(entry.get("published", "") or entry.get("created", ""))
    updated_raw = one_line(entry["updated"]) if "updated" in entry else ""  # get() would give published
    published = _moment(published_raw, entry.get("published_parsed") or entry.get("created_parsed"), setting.zone)
    updated = _moment(updated_raw, entry.get("updated_parsed") if updated_raw else None, setting.zone)
    return Draft(
        guid=one_line(entry.get("id", "")),
        url=_link(entry, setting.base),
        title=_title(entry),
        summary="" if summary == content else _as_html(summary, entry.get("summary_detail")),
        content=content,
        base=content_base,
        authors=tuple(_people(entry, setting.base)) or tuple(_people(entry.get("source") or {}, setting.base)) or setting.authors,
        tags=_tags(entry),
        published=published or updated,
        updated=updated,
        published_raw=published_raw or updated_raw,
        language=_language(entry) or setting.language,
        image=media.image(entry, setting.base),
        enclosures=media.enclosures(entry, setting.base),
    )


def _title(entry: Any) -> str:
    detail = entry.get("title_detail") or {}
    value = entry.get("title", "")
    return one_line(value) if detail.get("type") == "text/plain" else plain_title(value)


def _language(entry: Any) -> str:
    """What ``dc:language`` says, else ``xml:lang`` of the content, the title or the summary, each with what it inherits."""
    details = [*entry.get("content", ()), entry.get("title_detail"), entry.get("summary_detail")]
    named = (one_line((detail or {}).get("language") or "") for detail in details)
    return one_line(entry.get("language") or "") or next((name for name in named if name), "")


def _content(entry: Any, base: str) -> tuple[str, str]:
    """The fullest content that the entry has, as HTML, and the base of its links."""
    best, best_base = "", _xml_base(entry.get("summary_detail"), base)
    for part in entry.get("content", ()):
        html = _as_html(part.get("value", ""), part)
        if len(html) > len(best) and not _is_caption(part, entry):
            best, best_base = html, _xml_base(part, base)
    return best, best_base


def _is_caption(part: Any, entry: Any) -> bool:
    """Whether feedparser took a ``media:description``, plain and shorter than the summary, for the content."""
    return bool(
        entry.get("media_content")
        and part.get("type") == "text/plain"
        and len(part.get("value", "")) < len(entry.get("summary", ""))
    )


def _xml_base(detail: Any, document_url: str) -> str:
    """What xml:base says; nothing where it says nothing (feedparser then gives the document's own URL)."""
    base = absolute((detail or {}).get("base") or "", document_url)
    return "" if base == document_url else base


def _as_html(value: str, detail: Any) -> str:
    if (detail or {}).get("type") == "text/plain":
        paragraphs = re.split(r"\n\s*\n", xml_safe(value).strip())
        escaped = (p.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for p in paragraphs if p)
        return "".join(f"<p>{paragraph}</p>" for paragraph in escaped)
    return value


def _link(entry: Any, base: str) -> str:
    """The alternate link; where there is none, the guid if it is a URL."""
    links = entry.get("links", ())
    alternate = next((link.get("href", "") for link in links if link.get("rel") == "alternate"), "")
    permalink = entry.get("id", "") if re.match(r"https?://", entry.get("id", "")) else ""
    return absolute(entry.get("link", "") or alternate, base) if entry.get("link") or alternate else absolute(permalink, base)


def _people(entry: Any, base: str) -> Iterable[Person]:
    """The authors of an entry, of its ``source`` or of a feed, by name or, where they give none, by address."""
    if written := _EMAIL_AND_NAME.fullmatch(entry.get("author") or ""):  # RSS's form, which feedparser cuts at the wrong place
        yield Person(one_line(written[2]), email=one_line(written[1]))
        return
    people = entry.get("authors") or ([entry["author_detail"]] if entry.get("author_detail") else [])
    seen = set()
    for person in people:
        name = one_line(person.get("name") or person.get("email") or "")
        if name and name not in seen:
            seen.add(name)
            yield Person(name, email=one_line(person.get("email") or ""), url=_homepage(person.get("href") or "", base))


def _homepage(href: str, base: str) -> str:
    return absolute(href, base) if href.strip() else ""


def _tags(entry: Any) -> tuple[str, ...]:
    names = (plain(tag.get("label") or tag.get("term") or "") for tag in entry.get("tags", ()))
    return tuple(dict.fromkeys(name for name in names if name))


def _moment(raw: str, parsed: Any, zone: tzinfo) -> datetime | None:
    """Our reading of the date, which knows the zone; feedparser's where it understands a form that ours does not."""
    if not raw:
        return None
    if moment := parse_date(raw, zone):
        return moment
    if parsed is None or is_impossible(raw):
        return None
    try:
        return parse_date(time.strftime("%Y-%m-%dT%H:%M:%SZ", parsed), zone)
    except (ValueError, OverflowError):
        return None
