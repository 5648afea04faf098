"""Makes text fit to be published: XML-safe, sanitised, with absolute URLs, as plain text or as an excerpt.

Pure: the same input gives the same output, and whatever goes in, what comes out may be written into XML, HTML and HTTP headers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import nh3
from selectolax.lexbor import LexborHTMLParser

_ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010fffd]")
_SPACE = re.compile(r"\s+")
_BLOCK = re.compile(r"<(/?(?:p|div|br|li|h[1-6]|pre|tr|t[dh]|[uod]l|d[td]|blockquote|section|article|figure|hr)\b)", re.IGNORECASE)
_MARKED_UP = re.compile(r"[<>&]")
_LIKELY_HTML = re.compile(r"<[a-zA-Z!/]|&(?:#\d+|#x[0-9a-fA-F]+|\w+);")

_MATHML = {"math", "mi", "mn", "mo", "ms", "mtext", "mrow", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup"}
_MATHML |= {"munder", "mover", "munderover", "mtable", "mtr", "mtd", "mspace", "mstyle", "semantics", "annotation"}
_TAGS = nh3.ALLOWED_TAGS | _MATHML | {"section", "picture", "source", "video", "audio", "track", "figure", "figcaption"}
_ATTRIBUTES = {tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items()}
_ATTRIBUTES["*"] = {"id", "lang", "dir", "title"}
_ATTRIBUTES["img"] = {"src", "srcset", "sizes", "alt", "width", "height", "loading"}
_ATTRIBUTES["source"] = {"src", "srcset", "sizes", "type", "media"}
_ATTRIBUTES["video"] = {"src", "poster", "controls", "width", "height"}
_ATTRIBUTES["audio"] = {"src", "controls"}
_ATTRIBUTES["code"] = _ATTRIBUTES["pre"] = {"class"}
_ATTRIBUTES["math"] = {"display", "xmlns"}
_ATTRIBUTES["annotation"] = {"encoding"}
_SCHEMES = {"http", "https", "mailto", "tel", "ftp"}
_URL_ATTRIBUTES = {"href", "src", "poster", "cite"}


def xml_safe(text: str) -> str:
    """Drop what XML 1.0 §2.2 forbids: control characters, lone surrogates, noncharacters; C1 controls as well."""
    return _ILLEGAL.sub("", text)


def one_line(text: str) -> str:
    """XML-safe text with each run of white space, line ends included, as one space."""
    return _SPACE.sub(" ", xml_safe(text)).strip()


def plain(html: str) -> str:
    """The text that a person reads in a piece of HTML, as one line."""
    if not _LIKELY_HTML.search(html):
        return one_line(html)
    tree = LexborHTMLParser(_BLOCK.sub(r" <\1", xml_safe(html)))
    tree.strip_tags(["script", "style", "template", "noscript"])
    return one_line(tree.body.text() if tree.body else "")


@dataclass(frozen=True, slots=True)
class Outline:
    """What a piece of HTML says, by kind: its headings, its prose without them, its blocks of code; each as plain text."""

    headings: str = ""
    prose: str = ""
    code: str = ""


def outline(html: str) -> Outline:
    """Headings, prose and blocks of code (``pre``) of a piece of HTML apart. Code within a sentence belongs to the prose."""
    if not _LIKELY_HTML.search(html):
        return Outline(prose=one_line(html))
    tree = LexborHTMLParser(_BLOCK.sub(r" <\1", xml_safe(html)))
    tree.strip_tags(["script", "style", "template", "noscript"])
    code, headings = _taken(tree, "pre"), _taken(tree, "h1, h2, h3, h4, h5, h6")
    return Outline(headings, one_line(tree.body.text() if tree.body else ""), code)


def _taken(tree: LexborHTMLParser, selector: str) -> str:
    """The text of what a selector finds, taken out of the tree."""
    nodes = [node for node in tree.css(selector) if node.parent is not None]
    text = one_line(" ".join(node.text() for node in nodes))
    for node in nodes:
        node.decompose()
    return text


def sanitise(html: str, base: str) -> str:
    """HTML that is safe to show and rests on no base: scripts, forms and handlers gone, every URL absolute against ``base``."""
    if html.isascii() and not _MARKED_UP.search(html):
        return xml_safe(html).strip()  # the same, at once
    clean = nh3.clean(
        xml_safe(html),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_absolutiser(base),
        url_schemes=_SCHEMES,
        link_rel=None,
    )
    return xml_safe(clean).strip()  # once more: character references were decoded


def absolute(url: str, base: str) -> str:
    """``url`` resolved against ``base`` (RFC 3986), or nothing where that gives no http(s) URL that can be requested."""
    reference = one_line(url)
    if not reference:
        return ""
    try:
        joined = urljoin(base, reference)
        parts = urlsplit(joined)
        parts.port  # noqa: B018  raises ValueError where the port is no number
    except ValueError:
        return ""
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        return ""
    return _percent_encode(joined)


def excerpt(text: str, limit: int) -> str:
    """At most ``limit`` characters of plain text, cut after a word, with an ellipsis where something is missing."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    cut = head.rfind(" ")
    return (head[:cut] if cut > limit // 2 else head).rstrip(" ,;:.–—-") + "…"


def _absolutiser(base: str) -> Callable[[str, str, str], str | None]:
    def attribute(_tag: str, name: str, value: str) -> str | None:
        if name in _URL_ATTRIBUTES:
            return _resolve(value, base)
        if name == "srcset":
            return _srcset(value, base)
        return value

    return attribute


def _resolve(url: str, base: str) -> str | None:
    if re.match(r"(?i)\s*(mailto|tel|ftp):", url):
        return url.strip()
    return absolute(url, base) or None


def _srcset(value: str, base: str) -> str | None:
    """A srcset (HTML § 4.8.4.2.1) with absolute URLs: candidates are separated by a comma that white space follows."""
    candidates = []
    for candidate in re.split(r",\s+", value.strip()):
        url, _, descriptor = candidate.strip(" ,").partition(" ")
        if resolved := absolute(url, base):
            candidates.append(f"{resolved} {descriptor.strip()}".strip())
    return ", ".join(candidates) or None


def _percent_encode(url: str) -> str:
    """A URL in the characters of RFC 3986: others as percent-encoded UTF-8, the host by IDNA."""
    if url.isascii() and not re.search(r"[\s\"<>\\^`{|}]", url):
        return url
    scheme, rest = url.split("://", 1)
    authority, slash, tail = rest.partition("/") if "/" in rest else (rest, "", "")
    if not authority.isascii():
        host, colon, port = authority.rpartition(":") if re.search(r":\d+$", authority) else (authority, "", "")
        try:
            authority = host.encode("idna").decode("ascii") + colon + port
        except UnicodeError:
            return ""
    encoded = "".join(c if c.isascii() and c not in ' "<>\\^`{|}' else _percent(c) for c in tail)
    return f"{scheme}://{authority}{slash}{encoded}"


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8"))
