"""Reads posts from WordPress's REST API, version 2 (developer.wordpress.org/rest-api/reference/posts), with what is embedded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from feeds.errors import ParseError
from feeds.model import Document, Draft, Parsed, Person, SetAside, Source
from feeds.sources.dates import parse_date
from feeds.sources.documents import json_of, looks_like_json
from feeds.sources.titles import plain_title
from feeds.text import absolute, one_line, plain, xml_safe

PER_PAGE = 50
"""How many posts are asked for at a time; WordPress allows 100, but embedding makes those slow and large."""

_UNSORTED = "uncategorized"
_ROOT = "/wp-json"
_POSTS = "/wp/v2/posts"


def endpoint(url: str) -> str:
    """The URL of the posts of a site, given the site's URL or one of its REST API, in either of its forms.

    ``/wp-json/wp/v2/posts``, or ``?rest_route=/wp/v2/posts`` where the site has plain permalinks. A query of the owner's own
    (``?categories=3``) and another post type are kept.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    path = parts.path.rstrip("/")
    if "rest_route" in query:
        query["rest_route"] = _collection(query["rest_route"].rstrip("/"))
        path = parts.path
    elif _ROOT in path:
        before, _, route = path.rpartition(_ROOT)
        path = before + _ROOT + _collection(route)
    elif "/wp/v2/" not in path + "/":
        path += _ROOT + _POSTS
    elif path.endswith("/wp/v2"):
        path += "/posts"
    asked = {"_embed": "1", "per_page": str(PER_PAGE)} | query
    return urlunsplit((parts.scheme, parts.netloc, path or "/", urlencode(asked, safe="/,:"), ""))


def _collection(route: str) -> str:
    return route if route.startswith("/wp/v2/") else _POSTS


def recognises(document: Document) -> bool:
    """Whether the document is JSON."""
    return looks_like_json(document)


def parse(document: Document, *, source: Source, zone: tzinfo) -> Parsed:  # noqa: ARG001  the readers' interface
    """Read a page of posts. ``older`` is what the Link header calls next (REST API handbook, "Pagination").

    Raises ParseError where it is no list of posts, with WordPress's own words where those say why.
    """
    posts = json_of(document)
    if isinstance(posts, dict):
        reason = one_line(str(posts.get("message") or "")) or "an object where a list of posts should be"
        raise ParseError(document.url, f"gives no posts: {reason}")
    if not isinstance(posts, list):
        raise ParseError(document.url, "gives no posts: it is no list")
    drafts, set_aside = [], []
    for post in posts:
        if reason := _why_not(post):
            title = _title(post) if isinstance(post, dict) else ""
            set_aside.append(SetAside(_key(post), title, reason))
        else:
            drafts.append(_draft(post, document.url, zone))
    older = tuple(dict.fromkeys(url for rel, url in document.links if "next" in rel.lower().split() and url != document.url))
    return Parsed(tuple(drafts), tuple(set_aside), older=older)


def _why_not(post: Any) -> str:
    if not isinstance(post, dict):
        return "is no post"
    if post.get("status") not in (None, "publish"):
        return f"is not published: its status is '{_string(post.get('status'))}'"
    if not _string(post.get("link")) and not _rendered(post, "guid"):
        return "has neither link nor guid"
    return ""


def _key(post: Any) -> str:
    if not isinstance(post, dict):
        return "?"
    return _string(post.get("link")) or one_line(_rendered(post, "guid")) or f"post {post.get('id', '?')}"[:200]


def _draft(post: dict[str, Any], base: str, zone: tzinfo) -> Draft:
    link = _string(post.get("link"))
    published, published_raw = _moment(post, "date", zone)
    updated, _ = _moment(post, "modified", zone)
    return Draft(
        guid=one_line(_rendered(post, "guid")),
        url=absolute(link, base) if link else "",
        title=_title(post),
        summary=_rendered(post, "excerpt").strip(),
        content=_rendered(post, "content").strip(),
        authors=tuple(_authors(post)),
        tags=tuple(dict.fromkeys(_tags(post))),
        published=published,
        updated=updated,
        published_raw=published_raw,
        image=_image(post, base),
    )


def _title(post: dict[str, Any]) -> str:
    return plain_title(_rendered(post, "title"))


def _moment(post: dict[str, Any], name: str, zone: tzinfo) -> tuple[datetime | None, str]:
    """``date_gmt``, which is UTC and says so nowhere, else ``date``, which is in the site's zone."""
    universal, local = _string(post.get(f"{name}_gmt")), _string(post.get(name))
    if moment := parse_date(universal, UTC):
        return moment, universal
    return parse_date(local, zone), local or universal


def _rendered(post: dict[str, Any], name: str) -> str:
    """What WordPress made of a field for being shown; some plugins give the bare string."""
    value = post.get(name)
    value = value.get("rendered") if isinstance(value, dict) else value
    return xml_safe(value) if isinstance(value, str) else ""


def _embedded(post: dict[str, Any], relation: str) -> Iterator[dict[str, Any]]:
    """The objects that came along under a link relation; what could not be embedded (an error object) has no name or URL."""
    embedded = post.get("_embedded")
    found = embedded.get(relation) if isinstance(embedded, dict) else None
    for entry in found if isinstance(found, list) else ():
        yield from (item for item in (entry if isinstance(entry, list) else [entry]) if isinstance(item, dict))


def _authors(post: dict[str, Any]) -> Iterator[Person]:
    for author in _embedded(post, "author"):
        if name := plain(_string(author.get("name"))):
            link = _string(author.get("link"))
            yield Person(name, url=absolute(link, "") if link else "")


def _tags(post: dict[str, Any]) -> Iterator[str]:
    """The names of categories and tags; 'Uncategorized' is WordPress's word for none."""
    for term in _embedded(post, "wp:term"):
        name = plain(_string(term.get("name")))
        is_unsorted = _UNSORTED in (name.lower(), _string(term.get("slug")))
        if name and term.get("taxonomy") in ("category", "post_tag") and not is_unsorted:
            yield name


def _image(post: dict[str, Any], base: str) -> str:
    for media in _embedded(post, "wp:featuredmedia"):
        if url := _string(media.get("source_url")):
            return absolute(url, base)
    return ""


def _string(value: Any) -> str:
    return one_line(value) if isinstance(value, str) else ""
