"""Finds what could run in HTML that was published: elements, handlers, addresses and styles that do more than show text."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

from lxml import etree
from selectolax.lexbor import LexborHTMLParser

from feeds.formats import FORMATS, pages
from feeds.formats.extensions import ATOM, DC
from feeds.model import Draft, Feed
from feeds.refreshing import intake
from tests.builders import NOW, a_feed, a_site, a_source

CONTENT = "http://purl.org/rss/1.0/modules/content/"

_ELEMENTS = (
    "script, style, iframe, frame, frameset, object, embed, applet, form, input, button, select, textarea, base, link, meta, svg,"
    " noscript, template, portal, xml, bgsound, layer, marquee, keygen, isindex"
)
_ADDRESSES = {
    "href",
    "src",
    "poster",
    "cite",
    "action",
    "formaction",
    "background",
    "data",
    "longdesc",
    "xlink:href",
    "ping",
    "srcset",
}
_HARMLESS = re.compile(r"(?:https?|mailto|tel|ftp):", re.IGNORECASE)


def executable(html: str) -> Iterator[str]:
    """What could run in a piece of HTML, as far as it goes; nothing in HTML that is fit to be shown."""
    tree = LexborHTMLParser(f"<!doctype html><body>{html}")
    body = tree.body
    assert body is not None
    yield from (f"<{node.tag}>" for node in body.css(_ELEMENTS))
    for node in body.css("*"):
        for name, value in node.attributes.items():
            if name.startswith("on") or name in ("style", "srcdoc"):
                yield f"{name}={value}"
            if name in _ADDRESSES and not _HARMLESS.match((value or "").strip()):
                yield f"{name}={value}"


def misread(title: str) -> Iterator[str]:
    """What could run where a title is taken for HTML. An element that is only named is the author's words: ``the <select> tag``."""
    closed = re.findall(r"</([a-z]+)", title.lower())
    yield from (found for found in executable(title) if "=" in found or found.strip("<>") in closed)


def publish(drafts: Sequence[Draft]) -> Feed:
    """The feed that the posts of a source make, nothing of them known before."""
    nothing = intake.Known({}, lambda _: {}, lambda _: {}, lambda _: False)
    rules = intake.Rules(a_source(), a_site(), ("blog",))
    return a_feed(*(change.post for change in intake.take_in(drafts, rules, nothing, now=NOW).changes))


def published(feed: Feed) -> Iterator[tuple[str, str]]:
    """Every piece of HTML that is published of a feed, by where it is."""
    return pieces({suffix: FORMATS[suffix].render(feed) for suffix in FORMATS}, pages.topic_page(feed))


def pieces(documents: Mapping[str, bytes], page: bytes) -> Iterator[tuple[str, str]]:
    """Every piece of HTML in a feed's documents by format and in its page, titles too, which some readers take for HTML."""
    atom, rss = etree.fromstring(documents["atom"]), etree.fromstring(documents["rss"])
    for element in atom.iter(f"{{{ATOM}}}title", f"{{{ATOM}}}summary", f"{{{ATOM}}}content"):
        yield f"atom {etree.QName(element).localname}", element.text or ""
    for element in rss.iter("title", f"{{{DC}}}title", "description", f"{{{CONTENT}}}encoded"):
        yield f"rss {etree.QName(element).localname}", element.text or ""
    for item in json.loads(documents["json"])["items"]:
        yield from ((f"json {name}", item.get(name, "")) for name in ("title", "content_html"))
    links = [*(element.get("href") for element in atom.iter(f"{{{ATOM}}}link")), *(element.text for element in rss.iter("link"))]
    yield from (("link", f'<a href="{escape(link or "")}">link</a>') for link in links)
    main = LexborHTMLParser(page).css_first("main")
    yield "page", (main.html if main else "") or ""


def running(found: Iterable[tuple[str, str]]) -> list[str]:
    """What could run in pieces of HTML, named by where it is."""
    return [
        f"{where}: {thing}" for where, html in found for thing in (misread(html) if where.endswith("title") else executable(html))
    ]


def found_in(drafts: Sequence[Draft]) -> list[str]:
    """What could run in anything that is published of a source's posts."""
    return running(published(publish(drafts)))
