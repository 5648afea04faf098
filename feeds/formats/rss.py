"""Writes RSS 2.0 (rssboard.org, with the Best Practices Profile) with feedgen."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from feeds.formats import elements
from feeds.formats.chain import rss_elements
from feeds.formats.extensions import (
    ATOM,
    CONTENT,
    DC,
    NAMESPACES,
    SYNDICATION,
    Element,
    new_entry,
    new_generator,
    serialise,
    spell_titles,
)
from feeds.model import Feed, Post

MEDIA_TYPE = "application/rss+xml"

SEPARATOR, END = b"", b"</channel></rss>"
"""What stands between items, and after the last."""

_NAMESPACES = {**NAMESPACES, "atom": ATOM, "content": CONTENT}
"""What the root declares; the last two are feedgen's."""

_LOCK = threading.Lock()
"""feedgen writes RFC 822 dates by switching the process's locale, which no two threads may do at once."""

_PERIODS = {"hourly": timedelta(hours=1), "daily": timedelta(days=1), "weekly": timedelta(weeks=1)}


def head(feed: Feed) -> bytes:
    """The beginning of an RSS document in UTF-8, up to its items."""
    generator = new_generator()
    _describe(generator, feed)
    generator.link(href=feed.urls["rss"], rel="self", type=MEDIA_TYPE)
    generator.link(href=feed.home, rel="alternate")  # the last link becomes the channel's
    generator.extra.stylesheet = elements.stylesheet_url(feed)
    generator.extra.elements += [Element(f"{{{ATOM}}}link", attributes={"rel": "hub", "href": hub}) for hub in feed.hubs]
    generator.extra.elements += [*rss_elements(feed, MEDIA_TYPE), *_rhythm(feed.interval), elements.signpost(feed)]
    with _LOCK:
        return spell_titles(generator.rss_str(pretty=False)).removesuffix(END)


def moment(updated: datetime) -> bytes:
    """When the feed was last changed, as the head has it."""
    return f"<lastBuildDate>{format_datetime(updated)}</lastBuildDate>".encode()


def entry(post: Post, feed: Feed) -> bytes:
    """An item as it stands in the document."""
    item = new_entry()
    _fill(item, post, feed)
    return serialise(item.rss_entry(), _NAMESPACES)


def _describe(generator: Any, feed: Feed) -> None:
    site = feed.site
    generator.title(feed.title)
    generator.description(feed.description or feed.title)
    generator.lastBuildDate(feed.updated)
    generator.language(site.language)
    generator.generator("topicfeeds")
    generator.category(term=feed.slug, scheme=feed.home, label=feed.label or feed.title)
    generator.ttl(max(1, round(feed.interval / timedelta(minutes=1))))
    if site.rights:
        generator.copyright(site.rights)
    if site.image:
        generator.image(url=site.image, title=feed.title, link=feed.home)


def _rhythm(interval: timedelta) -> list[Element]:
    """How often the channel is brought up to date (RDF Site Summary, Syndication module): so many times in the shortest period."""
    period = next((name for name, length in _PERIODS.items() if interval <= length), "weekly")
    frequency = max(1, round(_PERIODS[period] / interval))
    return [Element(f"{{{SYNDICATION}}}updatePeriod", period), Element(f"{{{SYNDICATION}}}updateFrequency", str(frequency))]


def _fill(item: Any, post: Post, feed: Feed) -> None:
    item.guid(post.id, permalink=False)
    item.title(post.title)
    item.link(href=post.url)
    summary = elements.spell_html(post.summary)
    if post.content and feed.content == "full":
        item.description(summary, isSummary=True)
        item.content(elements.spell_html(post.content))
    else:
        item.description(summary)
    for tag in post.tags:
        item.category(term=tag)
    for file in post.enclosures[:1]:  # the profile allows one; the others are media
        item.enclosure(url=file.url, length=str(file.length), type=elements.media_type_of(file))
    if origin := elements.origin_of(post, feed):
        item.source(url=origin.url, title=origin.title)
    item.extra.elements.append(Element("pubDate", format_datetime(post.published)))  # feedgen would switch the locale for it
    item.extra.elements += [Element(f"{{{DC}}}creator", person.name) for person in post.authors]
    item.extra.elements.append(Element(f"{{{DC}}}title", post.title))  # Liferea strips <…> from title, and reads this
    if language := elements.language_of(post, feed):
        item.extra.elements.append(Element(f"{{{DC}}}language", language))
    item.extra.elements += [*map(elements.media, post.enclosures[1:]), *elements.picture(post)]
