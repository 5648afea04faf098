"""Reads a post's own page: JSON-LD, then OpenGraph, then meta elements, then microdata and ``rel=tag``. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import tzinfo
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from feeds.model import Document, Draft, Person
from feeds.sources.dates import parse_date
from feeds.text import absolute, one_line

_CHARSET = re.compile(rb"""<meta[^>]+charset=["']?\s*([A-Za-z0-9_:.-]+)""", re.IGNORECASE)
_ARTICLE = {"article", "blogposting", "newsarticle", "techarticle", "report", "scholarlyarticle", "socialmediaposting"}


def read_page(document: Document, *, zone: tzinfo) -> Draft:
    """What a page says of its post; a field that it does not mention is empty."""
    tree = LexborHTMLParser(_decode(document))
    article = next(_articles(tree), {})
    meta = _meta(tree)
    published_raw = (
        _string(article.get("datePublished")) or _first(meta, "article:published_time", "date", "dc.date") or _time(tree)
    )
    updated_raw = _string(article.get("dateModified")) or _first(meta, "article:modified_time", "og:updated_time")
    canonical = _attribute(tree, "link[rel~=canonical]", "href")
    return Draft(
        url=absolute(canonical, document.url) if canonical else document.url,
        title=_string(article.get("headline")) or _first(meta, "og:title") or _text(tree, "h1") or _text(tree, "title"),
        authors=tuple(_authors(article, meta)),
        tags=tuple(dict.fromkeys(_tags(article, meta, tree))),
        published=parse_date(published_raw, zone) if published_raw else None,
        updated=parse_date(updated_raw, zone) if updated_raw else None,
        published_raw=published_raw,
        language=_string(article.get("inLanguage")) or one_line(_attribute(tree, "html", "lang")),
        image=_image(article, meta, document.url),
    )


def _decode(document: Document) -> str:
    """HTTP's charset wins (HTML § 13.2.3.2); without one the parser reads UTF-8 or what the page declares."""
    declared = _CHARSET.search(document.body[:1024])
    for charset in (document.charset, declared[1].decode("ascii") if declared else ""):
        if charset:
            with suppress(LookupError):
                return document.body.decode(charset, "replace")
    return document.body.decode("utf-8", "replace")


def _articles(tree: LexborHTMLParser) -> Iterator[dict[str, Any]]:
    for script in tree.css('script[type="application/ld+json"]'):
        try:
            found = json.loads(script.text() or "")
        except (ValueError, RecursionError):
            continue
        for node in _nodes(found):
            kinds = node.get("@type")
            if {str(kind).lower() for kind in (kinds if isinstance(kinds, list) else [kinds])} & _ARTICLE:
                yield node


def _nodes(found: Any) -> Iterator[dict[str, Any]]:
    for node in found if isinstance(found, list) else [found]:
        if isinstance(node, dict):
            yield node
            graph = node.get("@graph")
            yield from (child for child in graph if isinstance(child, dict)) if isinstance(graph, list) else ()


def _meta(tree: LexborHTMLParser) -> dict[str, list[str]]:
    """The page's meta elements by lower-case name or property."""
    found: dict[str, list[str]] = {}
    for node in tree.css("meta[content]"):
        name = (node.attributes.get("property") or node.attributes.get("name") or node.attributes.get("itemprop") or "").lower()
        if value := one_line(node.attributes.get("content") or ""):
            found.setdefault(name, []).append(value)
    return found


def _first(meta: dict[str, list[str]], *names: str) -> str:
    return next((meta[name][0] for name in names if name in meta), "")


def _string(value: Any) -> str:
    return one_line(value) if isinstance(value, str) else ""


def _authors(article: dict[str, Any], meta: dict[str, list[str]]) -> Iterator[Person]:
    written = article.get("author")
    people = written if isinstance(written, list) else [written]
    names = [_string(p.get("name")) if isinstance(p, dict) else _string(p) for p in people]
    names = (
        [name for name in names if name] or [n for n in meta.get("article:author", []) if "://" not in n] or meta.get("author", [])
    )
    return (Person(name) for name in dict.fromkeys(names))


def _tags(article: dict[str, Any], meta: dict[str, list[str]], tree: LexborHTMLParser) -> Iterator[str]:
    for key in ("keywords", "articleSection"):
        yield from _listed(article.get(key))
    yield from meta.get("article:tag", [])
    for node in tree.css("a[rel~=tag]"):
        if label := one_line(node.text() or "").removeprefix("#"):
            yield label


def _listed(value: Any) -> Iterable[str]:
    """Keywords as a list, or as one string with commas."""
    values = value if isinstance(value, list) else value.split(",") if isinstance(value, str) else []
    return [name for name in (_string(item) for item in values) if name]


def _image(article: dict[str, Any], meta: dict[str, list[str]], base: str) -> str:
    image = article.get("image")
    image = image[0] if isinstance(image, list) and image else image
    url = _string(image.get("url")) if isinstance(image, dict) else _string(image)
    found = url or _first(meta, "og:image", "twitter:image")
    return absolute(found, base) if found else ""


def _time(tree: LexborHTMLParser) -> str:
    return one_line(_attribute(tree, "[itemprop=datePublished]", "datetime") or _attribute(tree, "time[datetime]", "datetime"))


def _attribute(tree: LexborHTMLParser, selector: str, name: str) -> str:
    node = tree.css_first(selector)
    return (node.attributes.get(name) or "") if node else ""


def _text(tree: LexborHTMLParser, selector: str) -> str:
    node = tree.css_first(selector)
    return one_line(node.text() or "") if node else ""
