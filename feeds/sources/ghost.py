"""Reads posts from Ghost's Content API (docs.ghost.org/content-api/posts), with their tags and authors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import tzinfo
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from feeds.errors import ParseError
from feeds.model import Document, Draft, Parsed, Person, SetAside, Source
from feeds.sources.dates import parse_date
from feeds.sources.documents import json_of, looks_like_json
from feeds.text import absolute, one_line, xml_safe

LIMIT = 50
"""How many posts are asked for at a time; Ghost 6 gives 100 at the most."""

_API = "/ghost/api/"
_POSTS = re.compile(r"/ghost/api/(?:v\d+/|canary/)?content/(?:posts|pages)$")


def endpoint(url: str, key: str) -> str:
    """The URL of the posts of a site, given the site's URL or one of its Content API, and a Content API key.

    A query of the owner's own (``?filter=tag:go``) is kept; ``v3`` and the like in an API URL too.
    """
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if not _POSTS.search(path):
        before, _, after = (path + "/").partition(_API)
        version = re.match(r"v\d+/|canary/", after)
        path = before.rstrip("/") + _API + (version[0] if version else "") + "content/posts"
    asked = {"include": "tags,authors", "limit": str(LIMIT)} | dict(parse_qsl(parts.query)) | {"key": key}
    return urlunsplit((parts.scheme, parts.netloc, path + "/", urlencode(asked, safe=",:"), ""))


def recognises(document: Document) -> bool:
    """Whether the document is JSON."""
    return looks_like_json(document)


def parse(document: Document, *, source: Source, zone: tzinfo) -> Parsed:  # noqa: ARG001  the readers' interface
    """Read a page of posts. ``older`` is the page that ``meta.pagination.next`` numbers (Content API, "Pagination").

    Raises ParseError where it is no list of posts, with Ghost's own words where those say why.
    """
    answer = json_of(document)
    posts = answer.get("posts", answer.get("pages")) if isinstance(answer, dict) else None
    if not isinstance(posts, list):
        raise ParseError(document.url, f"gives no posts: {_complaint(answer)}")
    drafts, set_aside = [], []
    for post in posts:
        if isinstance(post, dict) and _string(post, "url"):
            drafts.append(_draft(post, document.url, zone))
        else:
            title = _string(post, "title") if isinstance(post, dict) else ""
            set_aside.append(SetAside(title or "?", title, "has no url"))
    return Parsed(tuple(drafts), tuple(set_aside), older=_older(answer, document.url))


def _complaint(answer: Any) -> str:
    errors = answer.get("errors") if isinstance(answer, dict) else None
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    return " ".join(filter(None, (_string(first, "message"), _string(first, "context")))) or "it has no list of posts"


def _older(answer: dict[str, Any], url: str) -> tuple[str, ...]:
    meta = answer.get("meta")
    pagination = meta.get("pagination") if isinstance(meta, dict) else None
    page = pagination.get("next") if isinstance(pagination, dict) else None
    if isinstance(page, bool) or not isinstance(page, int) or page < 2:
        return ()
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True)) | {"page": str(page)}
    return (urlunsplit(parts._replace(query=urlencode(query, safe=",:"))),)


def _draft(post: dict[str, Any], base: str, zone: tzinfo) -> Draft:
    url, image, published_raw = _string(post, "url"), _string(post, "feature_image"), _string(post, "published_at")
    excerpt = _string(post, "custom_excerpt") or _string(post, "excerpt")
    html = post.get("html")
    return Draft(
        guid=_string(post, "id"),
        url=absolute(url, base),
        title=_string(post, "title"),
        summary=f"<p>{escape(excerpt, quote=False)}</p>" if excerpt else "",
        content=xml_safe(html).strip() if isinstance(html, str) else "",
        authors=tuple(_authors(post)),
        tags=tuple(dict.fromkeys(_tags(post))),
        published=parse_date(published_raw, zone),
        updated=parse_date(_string(post, "updated_at"), zone),
        published_raw=published_raw,
        image=absolute(image, base) if image else "",
    )


def _authors(post: dict[str, Any]) -> Iterator[Person]:
    primary = post.get("primary_author")
    for author in _objects(post, "authors") or ([primary] if isinstance(primary, dict) else []):
        if name := _string(author, "name"):
            url = _string(author, "url")
            yield Person(name, url=absolute(url, "") if url else "")


def _tags(post: dict[str, Any]) -> Iterator[str]:
    """The names of public tags; Ghost's internal ones, whose names begin with '#', order the site and say nothing to readers."""
    for tag in _objects(post, "tags"):
        name = _string(tag, "name")
        if name and not name.startswith("#") and tag.get("visibility") in (None, "public"):
            yield name


def _objects(post: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = post.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _string(table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    return one_line(value) if isinstance(value, str) else ""
