"""Finds the list of posts in a page by its repetition: siblings of one shape, each with its link, heading or date.

Pure. What it finds is said in the CSS selectors that the reader of listings understands; nothing here knows any site.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC

from selectolax.lexbor import LexborHTMLParser, LexborNode

from feeds.model import Document, Listing
from feeds.sources.dates import parse_date
from feeds.sources.discover import tree_of
from feeds.text import absolute, one_line

_ITEMS = "article, li, div, section, tr, dt, p"
_CHROME = {"nav", "header", "footer", "aside", "form"}
_HEADING = "h1, h2, h3, h4"
_LEAST_ITEMS = 3
_LEAST_SHARE = 0.7
_TITLE_LENGTH = 8
_CLASS = re.compile(r"[A-Za-z_][\w-]*")
_SUMMARY = ("[class*=summary]", "[class*=excerpt]", "[class*=description]", "blockquote", "p")
_OLDER = re.compile(r"(?i)\W*(older|next|more)( (posts?|page|entries|articles))?\W*")


@dataclass(frozen=True, slots=True)
class _Shape:
    """Elements alike under parents alike: ``item`` selects them, ``score`` says how much they look like a list of posts."""

    item: str
    elements: tuple[LexborNode, ...]
    score: float


def find_listing(document: Document) -> Listing | None:
    """Selectors for the page's list of posts, or None where nothing repeats as a list of posts would."""
    tree = tree_of(document)
    shapes = sorted(_shapes(tree, document.url), key=lambda shape: -shape.score)
    if not shapes:
        return None
    best = shapes[0]
    link, title = _link_and_title(best.elements)
    return Listing(
        item=best.item,
        link=link,
        title=title,
        date=_common(best.elements, _date_selector),
        summary=_common(best.elements, _summary_selector),
        next=_next(tree),
    )


def _shapes(tree: LexborHTMLParser, base: str) -> Iterator[_Shape]:
    groups: dict[tuple[str, str], list[LexborNode]] = {}
    for node in tree.css(_ITEMS):
        if node.parent is not None and not _is_chrome(node):
            parent = _path(node.parent)
            groups.setdefault((parent, node.tag or ""), []).append(node)
            if _classes(node):
                groups.setdefault((parent, _simple(node)), []).append(node)
    for (parent, _), nodes in groups.items():
        posts = [node for node in nodes if _title_link(node) is not None]
        if len(posts) >= _LEAST_ITEMS and len(posts) >= _LEAST_SHARE * len(nodes):
            yield from _shape(tree, parent, posts, base)


def _shape(tree: LexborHTMLParser, parent: str, posts: Sequence[LexborNode], base: str) -> Iterator[_Shape]:
    """The group as a shape, where its links differ; a list of posts has a date or a heading for each."""
    shared = set.intersection(*(set(_classes(node)) for node in posts))
    own = (posts[0].tag or "") + "".join(f".{name}" for name in _classes(posts[0]) if name in shared)
    selector = own if shared else f"{parent} > {own}"
    matched = tree.css(selector)
    addresses = {absolute((link.attributes.get("href") or ""), base) for node in posts if (link := _title_link(node))}
    dated = sum(_date_selector(node) is not None for node in posts) / len(posts)
    headed = sum(len(node.css(_HEADING)) == 1 for node in posts) / len(posts)
    crowded = sum(len(node.css("time")) > 1 for node in posts) / len(posts)
    if len(addresses) < _LEAST_SHARE * len(posts) or len(matched) > 1.5 * len(posts) or dated + headed < _LEAST_SHARE:
        return
    yield _Shape(selector, tuple(posts), len(addresses) ** 0.5 * (2 * dated + headed - crowded))


def _is_chrome(node: LexborNode) -> bool:
    """Whether an element is in the page's furniture; an ``aside`` or ``header`` within an article is not the page's."""
    above = node
    while above is not None and above.tag not in (None, "body", "main", "article"):
        if above.tag in _CHROME:
            return True
        above = above.parent  # type: ignore[assignment]
    return False


def _classes(node: LexborNode) -> list[str]:
    return [name for name in (node.attributes.get("class") or "").split() if _CLASS.fullmatch(name)]


def _simple(node: LexborNode) -> str:
    identity = node.attributes.get("id") or ""
    return (node.tag or "") + (f"#{identity}" if _CLASS.fullmatch(identity) else "".join(f".{name}" for name in _classes(node)))


def _path(node: LexborNode) -> str:
    """A selector for an element, with its parent where it has neither id nor class of its own."""
    simple = _simple(node)
    if "#" in simple or "." in simple or node.parent is None or node.tag in ("body", "main", "html"):
        return simple
    return f"{_simple(node.parent)} > {simple}"


def _title_link(node: LexborNode) -> LexborNode | None:
    """The link of the heading, else the first link with a title's worth of text."""
    for link in node.css(", ".join(f"{heading.strip()} a[href]" for heading in _HEADING.split(","))):
        return link
    links = (link for link in node.css("a[href]") if not (link.attributes.get("href") or "").startswith(("#", "mailto:")))
    return next((link for link in links if len(one_line(link.text() or "")) >= _TITLE_LENGTH), None)


def _link_and_title(nodes: Sequence[LexborNode]) -> tuple[str, str | None]:
    """Where the link and the title are: a heading with a link, a link around a heading, or a link alone."""
    headings = Counter(heading.tag or "" for node in nodes for heading in node.css(_HEADING)[:1])
    tag, count = headings.most_common(1)[0] if headings else ("", 0)
    if count >= _LEAST_SHARE * len(nodes):
        within = sum(node.css_first(f"{tag} a[href]") is not None for node in nodes)
        return (f"{tag} a[href]" if within >= _LEAST_SHARE * len(nodes) else "a[href]"), tag
    classed = _common(nodes, _title_class)
    return classed or "a[href]", classed


def _title_class(node: LexborNode) -> str | None:
    link = _title_link(node)
    return f"a.{_classes(link)[0]}" if link is not None and _classes(link) else None


def _date_selector(node: LexborNode) -> str | None:
    """The element that holds the date: ``time``, else one whose class says so or whose whole text is a date."""
    if node.css_first("time") is not None:
        return "time"
    for child in node.css("[class*=date], span, small, em, td, div, p, i"):
        text = one_line(child.text() or "")
        if 6 <= len(text) <= 40 and parse_date(text, UTC) is not None:
            return (child.tag or "") + "".join(f".{name}" for name in _classes(child)[:1])
    return None


def _summary_selector(node: LexborNode) -> str | None:
    for selector in _SUMMARY:
        found = node.css_first(selector)
        if found is not None and found.mem_id != node.mem_id and len(one_line(found.text() or "")) >= 40:
            own = "".join(f".{name}" for name in _classes(found)[:1])
            return (found.tag or "") + own
    return None


def _common(nodes: Sequence[LexborNode], of: Callable[[LexborNode], str | None]) -> str | None:
    """What most elements answer."""
    answers = Counter(answer for node in nodes if (answer := of(node)) is not None)
    selector, count = answers.most_common(1)[0] if answers else (None, 0)
    return selector if count >= len(nodes) / 2 else None


def _next(tree: LexborHTMLParser) -> str | None:
    """The link to older posts: by its relation (HTML § 4.6.6.12), else by its text and class."""
    for selector in ("a[rel~=next]", "link[rel~=next]"):
        if tree.css_first(f"{selector}[href]") is not None:
            return selector
    for link in tree.css("a[href]"):
        if _OLDER.fullmatch(label := one_line(link.attributes.get("aria-label") or "")):
            return f'a[aria-label="{label}"]'
        if _OLDER.fullmatch(one_line(link.text() or "")) and _classes(link):
            return f"a.{_classes(link)[0]}"
    return None
