"""Writes RSS 2.0 (rssboard.org, with the Best Practices Profile) with feedgen."""

from __future__ import annotations

import threading
from typing import Any

from feeds.formats.chain import rss_elements
from feeds.formats.extensions import DC, Element, new_generator, spell_titles
from feeds.model import Feed, Post

MEDIA_TYPE = "application/rss+xml"

_LOCK = threading.Lock()
"""feedgen writes RFC 822 dates by switching the process's locale, which no two threads may do at once."""


def render(feed: Feed) -> bytes:
    """The feed as an RSS document in UTF-8."""
    generator = new_generator()
    generator.title(feed.title)
    generator.description(feed.description or feed.title)
    generator.lastBuildDate(feed.updated)
    generator.language(feed.site.language)
    generator.generator("topicfeeds")
    if feed.site.image:
        generator.image(url=feed.site.image, title=feed.title, link=feed.home)
    generator.link(href=feed.urls["rss"], rel="self", type=MEDIA_TYPE)
    generator.link(href=feed.home, rel="alternate")  # the last link becomes the channel's
    generator.extra.elements += rss_elements(feed, MEDIA_TYPE)
    for post in feed.posts:
        _add_item(generator.add_entry(order="append"), post)
    with _LOCK:
        return spell_titles(generator.rss_str(pretty=False))


def _add_item(item: Any, post: Post) -> None:
    item.guid(post.id, permalink=False)
    item.title(post.title)
    item.link(href=post.url)
    item.pubDate(post.published)
    if post.content:
        item.description(post.summary, isSummary=True)
        item.content(post.content)
    else:
        item.description(post.summary)
    for tag in post.tags:
        item.category(term=tag)
    for file in post.enclosures[:1]:  # the profile allows one
        item.enclosure(url=file.url, length=str(file.length), type=file.media_type)
    item.extra.elements += [Element(f"{{{DC}}}creator", person.name) for person in post.authors]
    item.extra.elements.append(Element(f"{{{DC}}}title", post.title))  # Liferea strips <…> from title, and reads this
