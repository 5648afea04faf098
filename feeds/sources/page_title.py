"""Decides what the title of a page's post is, without the name of the site. A helper of the page reader."""

from __future__ import annotations

import re
from collections.abc import Iterable

from selectolax.lexbor import LexborHTMLParser

from feeds.sources.markup import Meta, first, is_elsewhere
from feeds.text import one_line

_DECLARED = ("dc:title", "dcterms:title", "og:title", "citation_title", "parsely-title", "sailthru.title", "twitter:title")
_SURE = re.compile(r"\s+(?:\||»|«|::|·|•|✩|★|‹|›)\s+")
_DASH = re.compile(r"\s+(?:[-–—/]|:)\s+|(?<=\S):\s+")


def read_title(tree: LexborHTMLParser, meta: Meta, headline: str, names: Iterable[str]) -> str:
    """The title that JSON-LD or the meta elements declare; else the title element less the site's name; else the first heading.

    A declared title is kept word for word, it is the author's; ``names`` are those of site and authors.
    """
    if declared := headline or first(meta, *_DECLARED):
        return declared
    marked = next((_text(node) for node in tree.css("[itemprop~=headline]") if not is_elsewhere(node)), "")
    headings = [text for node in tree.css("h1") if (text := _text(node))]
    written = next((_text(node) for node in tree.css("head > title") or tree.css("title")[:1]), "")
    if marked and (not written or marked in written):
        return marked
    return _without_site(written, headings, [name for name in names if name]) or next(iter(headings), "")


def _without_site(title: str, headings: list[str], names: list[str]) -> str:
    """A title element less the site's name, where the site, the author or a heading on the page confirms what it is.

    A bar only ever separates; a dash or a colon may be part of a title, and goes only with a name that is known.
    """
    whole = title
    for name in names:
        for pattern in (_SURE, _DASH):
            title = _drop(title, pattern, name)
    parts = _SURE.split(title)
    if len(parts) > 1 and (confirmed := next((part for part in parts if part in headings and part not in names), "")):
        return confirmed
    bar = title == whole and re.search(r"^(.+?)\s+[|»«]\s+[^|»«]+$", title)
    return bar[1] if bar and len(bar[1].split()) > 4 and len(parts) == 2 else title


def _drop(title: str, pattern: re.Pattern[str], name: str) -> str:
    """The title without ``name`` at its end or at its beginning, where a separator sets it apart."""
    key = _key(name)
    for found in pattern.finditer(title):
        if _key(title[found.end() :]) == key:
            return title[: found.start()]
        if _key(title[: found.start()]) == key:
            return title[found.end() :]
    return title


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def _text(node: object) -> str:
    return one_line(node.text() or "").rstrip("¶ ")  # type: ignore[attr-defined]
