"""Reads posts from any JSON document by the JMESPath expressions that the owner gave in ``[sources.fields]``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from html import escape
from typing import Any

from feeds.errors import ParseError
from feeds.model import Document, Draft, Fields, Parsed, Person, SetAside, Source
from feeds.sources.dates import parse_date
from feeds.sources.documents import json_of, looks_like_json
from feeds.sources.expressions import faults, find
from feeds.text import absolute, one_line, xml_safe

_HTML = re.compile(r"</[a-zA-Z][\w-]*\s*>|<(?:br|hr|img|p)\b[^<>]*>|&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]+);")
_EPOCH = re.compile(r"\d{10}(?:\.\d+)?|\d{13}")
_MILLISECONDS = 10**11


def check(fields: Fields) -> list[str]:
    """What is wrong with the expressions, as ``key: message``; empty where each of them can be used."""
    return [f"{key}: {message}" for key, message in faults(fields.model_dump(exclude_none=True))]


def recognises(document: Document) -> bool:
    """Whether the document is a JSON object or array."""
    return looks_like_json(document)


def parse(document: Document, *, source: Source, zone: tzinfo) -> Parsed:
    """Read the posts that ``fields.posts`` finds; ``older`` is what ``fields.next`` finds, else the Link header's next (RFC 8288).

    Raises ParseError where the document is no JSON, or no list of posts is found in it.
    """
    fields = source.fields
    if fields is None:
        raise ParseError(document.url, f"cannot be read: source '{source.id}' has no [sources.fields]")
    answer = json_of(document)
    posts = find(fields.posts, answer)
    if not isinstance(posts, list):
        raise ParseError(document.url, f"gives no posts: fields.posts = '{fields.posts}' finds {_kind(posts)}, not a list")
    drafts, set_aside = [], []
    for post in posts:
        draft = _draft(post, fields, document.url, zone)
        if draft.guid or draft.url:
            drafts.append(draft)
        else:
            set_aside.append(SetAside(draft.title[:200] or "?", draft.title, _why_not(fields)))
    return Parsed(tuple(drafts), tuple(set_aside), older=_older(answer, fields, document))


def _kind(value: Any) -> str:
    names = {dict: "an object", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "nothing")


def _why_not(fields: Fields) -> str:
    tried = f"fields.url = '{fields.url}'" + (f" nor fields.id = '{fields.id}'" if fields.id else "")
    return f"has no address: {'neither ' if fields.id else 'not even '}{tried} finds one"


def _older(answer: Any, fields: Fields, document: Document) -> tuple[str, ...]:
    if fields.next:
        written = find(fields.next, answer)
        found = [absolute(written, document.url)] if isinstance(written, str) and written.strip() else []
    else:
        found = [url for rel, url in document.links if "next" in rel.lower().split()]
    return tuple(dict.fromkeys(url for url in found if url and url != document.url))


def _draft(post: Any, fields: Fields, base: str, zone: tzinfo) -> Draft:
    url, image = find(fields.url, post), _text(find(fields.image, post))
    published = find(fields.published, post)
    title, summary, content = _text(find(fields.title, post)), _html(find(fields.summary, post)), _html(find(fields.content, post))
    return Draft(
        guid=_text(find(fields.id, post)),
        url=absolute(url, base) if isinstance(url, str) and url.strip() else "",
        title=title,
        summary=summary,
        content=content,
        authors=tuple(dict.fromkeys(_people(find(fields.authors, post)))),
        tags=tuple(dict.fromkeys(_tags(find(fields.tags, post)))),
        published=_moment(published, zone),
        updated=_moment(find(fields.updated, post), zone),
        published_raw=_text(published),
        image=absolute(image, base) if image else "",
        partial=not (title or summary or content),
    )


def _text(value: Any) -> str:
    """A string or a number as one clean line; whole numbers are written without a fraction."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value) if math.isfinite(value) else ""
    return one_line(str(value))


def _html(value: Any) -> str:
    """HTML as it is; text as its paragraphs."""
    if not isinstance(value, str) or not value.strip():
        return ""
    text = xml_safe(value).strip()
    if _HTML.search(text):
        return text
    return "".join(f"<p>{escape(paragraph, quote=False)}</p>" for paragraph in re.split(r"\n\s*\n", text))


def _moment(value: Any, zone: tzinfo) -> datetime | None:
    """A date as text, or as seconds since the epoch; a number too large for those is in milliseconds or finer."""
    text = _text(value)
    if isinstance(value, str) and not _EPOCH.fullmatch(text):
        return parse_date(text, zone)
    try:
        seconds = float(text)
        while math.isfinite(seconds) and seconds >= _MILLISECONDS:
            seconds /= 1000
        moment = parse_date(datetime.fromtimestamp(seconds, UTC).isoformat(), zone)
    except (ValueError, OverflowError, OSError):
        return None
    return moment or parse_date(text, zone)


def _people(value: Any) -> Iterator[Person]:
    for person in value if isinstance(value, list) else [value]:
        if isinstance(person, dict) and (name := _text(person.get("name"))):
            url = _text(person.get("url"))
            yield Person(name, email=_text(person.get("email")), url=absolute(url, "") if url else "")
        elif name := _text(person):
            yield Person(name)


def _tags(value: Any) -> Iterator[str]:
    """The names in a list of strings or of objects with a name, or in one string with commas."""
    names = value if isinstance(value, list) else value.split(",") if isinstance(value, str) else [value]
    for item in names:
        if name := _text(item.get("name") if isinstance(item, dict) else item):
            yield name
