"""Reads the JSON-LD of a page (schema.org), tolerantly, down to the node that is the post. A helper of the page reader."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from html import unescape
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from feeds.text import one_line

_POSTS = {"article", "blogposting", "newsarticle", "techarticle", "report", "scholarlyarticle", "socialmediaposting"}
_POSTS |= {"analysisnewsarticle", "opinionnewsarticle", "reportagenewsarticle", "advertisercontentarticle", "liveblogposting"}
_WORKS = {"webpage", "videoobject", "podcastepisode", "softwaresourcecode", "creativework", "itempage"}
_WRAPPING = re.compile(r"^\s*(?:(?://|/\*)?\s*<!\[CDATA\[\s*(?:\*/)?|<!--)|(?:(?://|/\*)?\s*\]\]>\s*(?:\*/)?|(?://\s*)?-->);?\s*$")
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_DEEP = 6


def read_post(tree: LexborHTMLParser) -> dict[str, Any]:
    """The node that describes the page's post, references within the document resolved; empty where there is none.

    An article of any kind goes before a mere page or video; of several the first that names itself.
    """
    nodes = [node for script in tree.css("script") if _is_linked_data(script) for node in _nodes(_parse(script.text() or ""))]
    named = {str(node["@id"]): node for node in reversed(nodes) if "@id" in node and len(node) > 1}
    posts = [node for node in nodes if _kinds(node) & _POSTS]
    works = [node for node in nodes if _kinds(node) & _WORKS]
    best = next((node for node in posts if node.get("headline") or node.get("name")), None) or next(iter(posts or works), {})
    return {key: _resolved(value, named) for key, value in best.items()}


def is_page_only(node: dict[str, Any]) -> bool:
    """Whether the node describes a page rather than a post: its name then carries the site's."""
    return not _kinds(node) & _POSTS


def string(value: Any) -> str:
    """A value as one clean line, HTML's entities read (generators escape headlines as if for HTML)."""
    value = value[0] if isinstance(value, list) and value else value
    return one_line(unescape(value)) if isinstance(value, str) else ""


def names(value: Any) -> list[str]:
    """The names of people, organisations or terms: strings, things with a name, or lists of either."""
    values = value if isinstance(value, list) else [value]
    found = (string(item.get("name")) if isinstance(item, dict) else string(item) for item in values)
    return [name for name in found if name]


def keywords(value: Any) -> Iterable[str]:
    """Keywords as a list of words or terms, or as one string with commas."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else names(value)


def _is_linked_data(script: Any) -> bool:
    return (script.attributes.get("type") or "").split(";")[0].strip().lower() == "application/ld+json"


def _parse(written: str) -> Any:
    """The JSON of a script, whatever wraps it; raw line ends in strings and trailing commas are forgiven."""
    text = written
    for _ in range(2):
        text = _WRAPPING.sub("", text).strip()
    for candidate in (text, _TRAILING_COMMA.sub(r"\1", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))):
        try:
            return json.JSONDecoder(strict=False).raw_decode(candidate)[0]
        except (ValueError, RecursionError):
            continue
    return None


def _nodes(found: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Every node that may be the post: in lists, in ``@graph``, and what a page is about."""
    if depth > _DEEP:
        return
    for node in found if isinstance(found, list) else [found]:
        if isinstance(node, dict):
            yield node
            for key in ("@graph", "mainEntity", "mainEntityOfPage", "author", "image"):
                if isinstance(node.get(key), dict | list):
                    yield from _nodes(node[key], depth + 1)


def _kinds(node: dict[str, Any]) -> set[str]:
    kinds = node.get("@type")
    return {str(kind).rsplit("/", 1)[-1].lower() for kind in (kinds if isinstance(kinds, list) else [kinds])}


def _resolved(value: Any, named: dict[str, dict[str, Any]]) -> Any:
    """A reference (``{"@id": …}``) as the node that it names."""
    if isinstance(value, list):
        return [_resolved(item, named) for item in value]
    if isinstance(value, dict) and "@id" in value and len(set(value) - {"@type"}) == 1:
        return named.get(str(value["@id"]), value)
    return value
