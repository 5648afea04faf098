"""Makes text fit to be published: XML-safe, sanitised, with absolute URLs, as plain text or as an excerpt.

Pure: the same input gives the same output, and whatever goes in, what comes out may be written into XML, HTML and HTTP headers.
"""

from __future__ import annotations

import re
import unicodedata
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
_MATHML |= {"munder", "mover", "munderover", "mmultiscripts", "mprescripts", "none", "mtable", "mtr", "mtd", "mspace", "mstyle"}
_MATHML |= {"mpadded", "mphantom", "menclose", "mfenced", "merror", "semantics", "annotation"}
_MATHML_ATTRIBUTES = {"accent", "accentunder", "close", "columnalign", "columnspacing", "columnspan", "depth", "fence"}
_MATHML_ATTRIBUTES |= {"form", "height", "largeop", "linethickness", "lspace", "mathvariant", "maxsize", "minsize", "movablelimits"}
_MATHML_ATTRIBUTES |= {"notation", "open", "rowalign", "rowspacing", "rowspan", "rspace", "scriptlevel", "separator", "separators"}
_MATHML_ATTRIBUTES |= {"displaystyle", "stretchy", "symmetric", "width"}
_TAGS = nh3.ALLOWED_TAGS | _MATHML | {"section", "picture", "source", "video", "audio", "track", "figure", "figcaption"}
_TAGS |= {"address", "main", "tfoot"}
_ATTRIBUTES = {tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items()} | {tag: set(_MATHML_ATTRIBUTES) for tag in _MATHML}
_ATTRIBUTES["*"] = {"id", "lang", "dir", "title"}
_ATTRIBUTES["img"] = {"src", "srcset", "sizes", "alt", "width", "height", "loading", "style"}  # style only says what is to go
_ATTRIBUTES["track"] = {"src", "kind", "srclang", "label", "default"}
_ATTRIBUTES["time"] = {"datetime"}
_ATTRIBUTES["ol"] = {"start", "reversed", "type"}
_ATTRIBUTES["li"] = {"value"}
_ATTRIBUTES["data"] = {"value"}
_ATTRIBUTES["details"] = {"open"}
_ATTRIBUTES["source"] = {"src", "srcset", "sizes", "type", "media"}
_ATTRIBUTES["video"] = {"src", "poster", "controls", "width", "height"}
_ATTRIBUTES["audio"] = {"src", "controls"}
_ATTRIBUTES["code"] = _ATTRIBUTES["pre"] = {"class"}
_ATTRIBUTES["math"] = {"display", "displaystyle", "alttext", "xmlns"}
_ATTRIBUTES["annotation"] = {"encoding"}
_SCHEMES = {"http", "https", "mailto", "tel", "ftp"}
_URL_ATTRIBUTES = {"href", "src", "poster", "cite"}
_ACTIVE_ATTRIBUTES = _URL_ATTRIBUTES | {
    "action",
    "background",
    "content",
    "data",
    "formaction",
    "ping",
    "srcdoc",
    "srcset",
    "style",
}
_ACTIVE_ATTRIBUTES |= {"xlink:href"}
_UNREADABLE = "script, style, iframe, object, embed, applet, noscript, template, svg"
_INVISIBLE = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden|(?:max-)?(?:width|height)\s*:\s*[01](?:px)?\s*(?:;|!|$))"
)
_TRACKER = re.compile(r"<img(?=[^>]* style=)[^>]*>|<img(?=[^>]* width=\"0*[01](?:px)?\")(?=[^>]* height=\"0*[01](?:px)?\")[^>]*>")
"""As the sanitiser writes them: an attribute's value has no ``<`` or ``>``."""

_CANDIDATE = re.compile(r"[\s,]*(\S+)([^,]*)")
_SENTENCE = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[”』」）]*")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
"""Scripts that put no space between words: Han, kana, Thai, Lao, Burmese, Khmer."""


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
    return _TRACKER.sub("", xml_safe(clean)).strip()  # once more: character references were decoded


def harmless(title: str) -> str:
    """A title without markup that would run or load something where a reader takes it for HTML; other titles are as written."""
    while "<" in title and _is_active(title):
        title = plain(title)
    return title


def _is_active(html: str) -> bool:
    """Whether HTML has a handler, an address or a style, or an element whose content is no text for people."""
    tree = LexborHTMLParser(html)
    attributes = (item for node in tree.css("*") for item in node.attributes.items())
    if any(value and (name.startswith("on") or name in _ACTIVE_ATTRIBUTES) for name, value in attributes):
        return True
    return any(f"</{node.tag}" in html.lower() for node in tree.css(_UNREADABLE))


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


def excerpt(text: str, limit: int, *, language: str = "") -> str:
    """At most ``limit`` characters of plain text, with the language's ellipsis where something is missing.

    It ends after a sentence where one ends in its last third, else after a word, else between two characters.
    """
    if len(text) <= limit:
        return text
    ellipsis = "……" if language.lower().startswith("zh") and limit > 2 else "…"
    room = limit - len(ellipsis)
    sentences = [found.end() for found in _SENTENCE.finditer(text, 0, room) if found.end() >= limit * 2 // 3]
    if sentences:
        end = text[: sentences[-1]]
        space = "" if _UNSPACED.search(end[-3:]) or len(end) == room else " "
        return end + space + ellipsis
    head = text[:room]
    cut = head.rfind(" ")
    if cut > limit // 2 and not _UNSPACED.match(head[-1]):
        head = head[:cut]
    else:
        while len(head) > 1 and _is_joined(text[len(head) - 1], text[len(head)]):
            head = head[:-1]
    return head.rstrip(" ,;:.–—-、，；：") + ellipsis


def _is_joined(left: str, right: str) -> bool:
    """Whether two code points make one character: marks, variation selectors, and what a zero-width joiner joins."""
    joiner, modifiers = "\u200d", "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
    return unicodedata.category(right).startswith("M") or joiner in (left, right) or right in modifiers


def _absolutiser(base: str) -> Callable[[str, str, str], str | None]:
    def attribute(_tag: str, name: str, value: str) -> str | None:
        if name in _URL_ATTRIBUTES:
            return _resolve(value, base)
        if name == "srcset":
            return _srcset(value, base)
        if name == "style":
            return "none" if _INVISIBLE.search(value.lower()) else None
        return value

    return attribute


def _resolve(url: str, base: str) -> str | None:
    if re.match(r"(?i)\s*(mailto|tel|ftp):", url):
        return url.strip()
    return absolute(url, base) or None


def _srcset(value: str, base: str) -> str | None:
    """A srcset (HTML § 4.8.4.2.1) with absolute URLs: a comma ends a candidate after its descriptor, or at the end of its URL."""
    candidates = []
    position = 0
    while found := _CANDIDATE.match(value, position):
        url, descriptor = found.groups()
        position = found.end()
        if url.endswith(","):
            url, descriptor, position = url.rstrip(","), "", found.end(1)
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
