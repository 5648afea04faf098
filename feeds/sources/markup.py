"""Reads what a page says outside of JSON-LD: meta elements, microdata, times and bylines. A helper of the page reader.

What stands in comments, sidebars, footers and lists of other posts says nothing of the page's own post.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from feeds.text import one_line

Meta = dict[str, list[str]]

_ELSEWHERE = re.compile(
    r"(?:^|[\s_-])(?:comments?|commentlist|respond|sidebar|widgets?|related|recent|recommend\w*|footer|popular|tag-?cloud|archives?"
    r"|reply|replies|teasers?|more-posts|read-?more|newsletter)(?:$|[\s_-])",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"(?:^|[\s_-])(?:comments?|reply|teaser|related)(?:$|[\s_-])", re.IGNORECASE)
_BYLINE = (
    "[itemprop~=author], [rel~=author], [class*=byline], [class*=Byline], [class*=author], [class*=Author], [id*=byline], .auteur"
)
_LEAD = re.compile(
    r"^(?:(?:posted|written|published|article|words?|text|eingestellt|publié|escrito|geschreven) )?"
    r"(?:by|von|por|par|di|door|av)\b[:\s]*"
    r"|^(?:authors?|autor(?:in)?|auteur)\s*:\s*",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"(?:\s*[|•·—–]\s|\s+[-]\s|\s+(?:on|am|le|at|el)\s+(?:\d|[A-Za-z]{3,9}\.?\s+\d)|\s*,?\s*\d|\s*[,—–-]\s*$|\s+(?:updated|published|follow|profile)\b).*$",
    re.IGNORECASE,
)


def read_meta(tree: LexborHTMLParser) -> Meta:
    """The page's meta elements by lower-case name, property and itemprop (lists of them are split), Dublin Core's with a colon."""
    found: Meta = {}
    for node in tree.css("meta[content]"):
        attributes = node.attributes
        value = one_line(attributes.get("content") or "")
        declared = " ".join(attributes.get(key) or "" for key in ("property", "name", "itemprop", "http-equiv"))
        for name in dict.fromkeys(declared.lower().split()) if value else ():
            key = re.sub(r"^(dc|dcterms?)\.", r"\1:", name)
            found.setdefault(key, []).append(value)
    return found


def first(meta: Meta, *names: str) -> str:
    """The first value of the first of the names that the page has."""
    return next((meta[name][0] for name in names if name in meta), "")


def is_elsewhere(node: LexborNode, *, asides: bool = True) -> bool:
    """Whether a node belongs to comments, a sidebar or another post; without ``asides`` only where a class or an id says so."""
    parent: LexborNode | None = node
    in_footer = False
    while parent is not None and parent.tag not in ("body", "html", "main"):
        label = f"{parent.attributes.get('class') or ''} {parent.attributes.get('id') or ''}"
        if parent.tag == "article":
            return bool(_COMMENT.search(label))  # its own footer has its tags
        if (asides and parent.tag in ("aside", "nav")) or _ELSEWHERE.search(label):
            return True
        in_footer = in_footer or parent.tag == "footer"
        parent = parent.parent
    return in_footer


def times(tree: LexborHTMLParser) -> Iterator[str]:
    """What may be the time of publication, surest first: microdata, ``pubdate``, telling classes, times in the post, any time."""
    selectors: tuple[str, ...] = (
        "[itemprop~=datePublished]",
        "time[pubdate]",
        "time.published, time.dt-published, abbr.published, .dt-published",
    )
    selectors += ("time.entry-date, time.post-date", "article header time, article time, main header time", "main time, time")
    for selector in selectors:
        for node in tree.css(selector):
            classes = (node.attributes.get("class") or "").split()
            if ("updated" in classes and "published" not in classes) or "dateModified" in (node.attributes.get("itemprop") or ""):
                continue
            if (value := _moment(node)) and not is_elsewhere(node):
                yield value


def modified(tree: LexborHTMLParser) -> str:
    """When the page says in its markup that it was last changed."""
    nodes = tree.css("[itemprop~=dateModified], time.updated, time.dt-updated")
    return next((value for node in nodes if (value := _moment(node)) and not is_elsewhere(node)), "")


def _moment(node: LexborNode) -> str:
    attributes = node.attributes
    value = attributes.get("datetime") or attributes.get("content") or (attributes.get("title") if node.tag == "abbr" else "")
    return one_line(value or node.text() or "")[:60]


def byline(tree: LexborHTMLParser) -> list[str]:
    """The authors that microdata, ``rel=author`` or a visible byline name: those of the first place that names any."""
    surest = [node for node in tree.css("[itemprop~=author]") if not is_elsewhere(node, asides=False)]
    for node in (*(node for node in tree.css(_BYLINE) if not is_elsewhere(node)), *surest):
        if node.tag in ("meta", "link", "body", "html", "article", "main"):
            continue
        inner = node.css_first("[itemprop~=name], [rel~=author], .fn, .p-name, a[href*=author]")
        if name := _person(one_line((inner or node).text(separator=" ") or "")):
            return [name]
    return []


def _person(text: str) -> str:
    """A name out of a byline: without 'by', dates and what follows; nothing where it is no name."""
    name = _TAIL.sub("", _LEAD.sub("", text)).strip(" ,;:—–-|")
    is_name = 1 < len(name) <= 80 and len(name.split()) <= 9 and "://" not in name and not name.startswith("@")
    return name if is_name and not re.match(r"about |über |follow |a propos|\d", name, re.IGNORECASE) else ""
