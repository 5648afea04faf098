"""Writes the list of all topic feeds as OPML 2.0 (opml.org), for readers to import; feedgen knows nothing of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from email.utils import format_datetime

from lxml import etree

from feeds.formats.directory import Entry
from feeds.formats.elements import STYLESHEET
from feeds.model import ALL, Site

MEDIA_TYPE = "text/x-opml; charset=utf-8"


def render(site: Site, topics: Sequence[Entry]) -> bytes:
    """The subscription list in two groups, so that nobody need take everything twice: all posts, and the topics."""
    root = etree.Element("opml", version="2.0")
    head = etree.SubElement(root, "head")
    newest = max((topic.newest for topic in topics if topic.newest), default=None)
    written = {
        "title": f"Topics of {site.title}",
        "dateModified": format_datetime(newest.astimezone(UTC), usegmt=True) if newest else "",
        "ownerName": site.author or site.title,
        "ownerId": site.home,
    }
    for name, text in written.items():
        if text:
            etree.SubElement(head, name).text = text
    body = etree.SubElement(root, "body")
    _add_group(body, site.title, (topic for topic in topics if topic.slug == ALL), site)
    _add_group(body, f"Topics of {site.title}", (topic for topic in topics if topic.slug != ALL), site)
    root.addprevious(etree.PI("xml-stylesheet", f'href="{site.public_url}{STYLESHEET}" type="text/css"'))
    return bytes(etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True, pretty_print=True))


def _add_group(body: etree._Element, title: str, topics: Iterable[Entry], site: Site) -> None:
    outlines = [outline for topic in topics for outline in _outlines(topic, site)]
    if outlines:
        etree.SubElement(body, "outline", text=title).extend(outlines)


def _outlines(topic: Entry, site: Site) -> Iterator[etree._Element]:
    """A topic's feed, and the one with revisions where there is one."""
    yield _outline(topic, site, title=topic.title, url=topic.feeds["atom"])
    if topic.revised:
        yield _outline(topic, site, title=f"{topic.title}, with revisions", url=topic.revised["atom"])


def _outline(topic: Entry, site: Site, *, title: str, url: str) -> etree._Element:
    """One subscription. ``type`` is ``rss`` for every kind of feed, by the specification."""
    attributes = {
        "type": "rss",
        "text": title,
        "title": title,
        "description": topic.description or f"Posts on {topic.title} from {site.title}.",
        "xmlUrl": url,
        "htmlUrl": topic.page,
        "category": topic.slug,
        "language": site.language,
    }
    return etree.Element("outline", {name: value for name, value in attributes.items() if value})
