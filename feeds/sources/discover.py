"""What a blog's home page and robots.txt give away about its sources: feeds, sitemaps, an API, pages that list posts. Pure.

It only reads what it is given and names leads, URLs at which a source may be; whether one is there is found out by asking.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser

from feeds.model import Document, Listing
from feeds.sources.bounds import refuse_bombs
from feeds.text import absolute, one_line

FEED_PATHS = ("index.xml", "feed/", "feed/index.xml", "feed.xml", "rss.xml", "atom.xml", "feed.json", "feed.atom", "rss/")
"""Where generators put their feed, relative to the blog's home: Hugo, WordPress and Ghost, Jekyll, Astro, Eleventy, …"""

_FEED_TYPES = {"application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml"}
_MAYBE_FEED_TYPES = {"application/json", "application/xml", "text/xml"}
_WORDPRESS_REL = "https://api.w.org/"
_SECTION = re.compile(r"(?i)/(blog|posts?|articles?|archives?|writing|journal|notes|essays|news)(/|\.html?|/index\.html?)?")
_SECONDARY = re.compile(r"(?i)(/|\b)(comments?|tags?|categor(y|ies)|authors?|topics?|replies)(/|\b)")
_SITEMAP = re.compile(r"(?im)^\s*sitemap\s*:\s*(\S+)")


@dataclass(frozen=True, slots=True)
class Lead:
    """A URL at which a source of a kind may be, and what says so. ``listing`` are selectors where it is a listing page."""

    kind: str
    url: str
    why: str
    listing: Listing | None = None


@dataclass(frozen=True, slots=True)
class Home:
    """What a home page says of its site. ``wordpress`` is the URL of its posts in the REST API; ``sections`` may list posts."""

    url: str
    title: str = ""
    description: str = ""
    language: str = ""
    author: str = ""
    generator: str = ""
    feeds: tuple[Lead, ...] = ()
    wordpress: str = ""
    ghost: bool = False
    sections: tuple[str, ...] = ()


def is_html(document: Document) -> bool:
    """Whether a document is a page: by its media type, else by how it begins."""
    if document.media_type:
        return document.media_type in ("text/html", "application/xhtml+xml")
    return bool(re.search(rb"(?i)<!doctype html|<html\b|<head\b", document.body[:2048]))


def tree_of(document: Document) -> LexborHTMLParser:
    """The document as a tree; HTTP's charset wins (HTML § 13.2.3.2), and UTF-8 is assumed without one.

    Raises ParseError for one made to exhaust who reads it.
    """
    refuse_bombs(document)
    try:
        return LexborHTMLParser(document.body.decode(document.charset or "utf-8", "replace"))
    except LookupError:
        return LexborHTMLParser(document.body.decode("utf-8", "replace"))


def read_home(document: Document) -> Home:
    """Everything a home page says of its site and of where its posts are to be had."""
    tree = tree_of(document)
    base = absolute(_attribute(tree, "base[href]", "href"), document.url) or document.url
    generator = _meta(tree, "generator")
    return Home(
        url=document.url,
        title=_meta(tree, "og:site_name") or _text(tree, "head > title, title"),
        description=_meta(tree, "description") or _meta(tree, "og:description"),
        language=_language(tree),
        author=_meta(tree, "author"),
        generator=generator,
        feeds=tuple(_feeds(tree, base)),
        wordpress=_wordpress(tree, base, generator),
        ghost=generator.lower().startswith("ghost"),
        sections=tuple(_sections(tree, base)),
    )


def sitemaps_in(robots: str, base: str) -> tuple[str, ...]:
    """The sitemaps that a robots.txt names (sitemaps.org, "Specifying the Sitemap location in your robots.txt file")."""
    found = (absolute(match[1], base) for match in _SITEMAP.finditer(robots))
    return tuple(dict.fromkeys(url for url in found if url))


def well_known_feeds(home: str) -> tuple[Lead, ...]:
    """Where a feed commonly is, below the home page and, where that is not the root, below the root as well."""
    roots = dict.fromkeys((urljoin(home, "./"), urljoin(home, "/")))
    urls = [urljoin(root, path) for root in roots for path in FEED_PATHS]
    return tuple(Lead("feed", url, "a usual place for a feed") for url in urls)


def is_secondary(url: str, title: str = "") -> bool:
    """Whether a feed is of comments, a tag, a category or an author rather than of the site."""
    return bool(_SECONDARY.search(urlsplit(url).path) or re.search(r"(?i)\bcomments?\b|\btag\b|\bcategory\b", title))


def is_same_site(url: str, other: str) -> bool:
    """Whether two URLs are at the same host and port, ``www.`` or not."""
    return _authority(url) == _authority(other)


def _authority(url: str) -> str:
    return urlsplit(url).netloc.lower().removeprefix("www.")


def _feeds(tree: LexborHTMLParser, base: str) -> Iterator[Lead]:
    """Autodiscovery (RSS Board's RSS Autodiscovery 1.0; JSON Feed 1.1), then plain links that look like a feed's."""
    seen: dict[str, Lead] = {}
    for node in tree.css("link[rel][href]"):
        rels = (node.attributes.get("rel") or "").lower().split()
        media_type = (node.attributes.get("type") or "").partition(";")[0].strip().lower()
        url = absolute(node.attributes.get("href") or "", base)
        maybe = media_type in _MAYBE_FEED_TYPES and re.search(r"(?i)feed|rss|atom|index\.xml", url) and "/oembed" not in url
        if url and ("alternate" in rels or "feed" in rels) and (media_type in _FEED_TYPES or maybe):
            title = one_line(node.attributes.get("title") or "")
            why = "the home page announces it" + (f" as “{title}”" if title else "")
            seen.setdefault(url, Lead("feed", url, why))
    for node in tree.css("a[href]"):
        url = absolute(node.attributes.get("href") or "", base)
        path = urlsplit(url).path.lower()
        if is_same_site(url, base) and re.search(r"/(rss|atom|feed|index)(\.(xml|json|rss|atom))$|/(feed|rss)/?$", path):
            seen.setdefault(url, Lead("feed", url, "the home page links to it"))
    yield from sorted(seen.values(), key=lambda lead: is_secondary(lead.url, lead.why))


def _wordpress(tree: LexborHTMLParser, base: str, generator: str) -> str:
    """The posts in WordPress's REST API (REST API Handbook, "Discovery"); without its link, by the generator and the assets."""
    for node in tree.css("link[rel][href]"):
        if (node.attributes.get("rel") or "").rstrip("/") == _WORDPRESS_REL.rstrip("/"):
            root = absolute(node.attributes.get("href") or "", base)
            return f"{root.rstrip('/')}/wp/v2/posts" if root else ""
    themed = tree.css_first('link[href*="/wp-content/"], script[src*="/wp-includes/"]') is not None
    return urljoin(base, "/wp-json/wp/v2/posts") if generator.lower().startswith("wordpress") or themed else ""


def _sections(tree: LexborHTMLParser, base: str) -> Iterator[str]:
    """Pages of the same site whose address says that they list posts, shallow ones first."""
    found: dict[str, int] = {}
    for node in tree.css("a[href]"):
        url = absolute(node.attributes.get("href") or "", base).partition("#")[0]
        path = urlsplit(url).path
        matched = re.fullmatch(rf"(/[^/]+){{0,2}}{_SECTION.pattern.replace('(?i)', '')}", path, re.IGNORECASE)
        if is_same_site(url, base) and matched and url != base:
            found.setdefault(url, path.strip("/").count("/"))
    yield from sorted(found, key=lambda url: found[url])


def _language(tree: LexborHTMLParser) -> str:
    said = _attribute(tree, "html[lang]", "lang") or _attribute(tree, "body[lang], main[lang]", "lang")
    said = said or _meta(tree, "og:locale")
    said = said.strip().replace("_", "-")
    return said if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", said) else ""


def _meta(tree: LexborHTMLParser, name: str) -> str:
    node = tree.css_first(f'meta[name="{name}" i][content], meta[property="{name}" i][content]')
    return one_line(node.attributes.get("content") or "") if node else ""


def _attribute(tree: LexborHTMLParser, selector: str, name: str) -> str:
    node = tree.css_first(selector)
    return (node.attributes.get(name) or "") if node else ""


def _text(tree: LexborHTMLParser, selector: str) -> str:
    node = tree.css_first(selector)
    return one_line(node.text() or "") if node else ""
