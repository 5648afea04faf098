"""The last entry of a topic that is retired: it says that the feed ends, and where to go. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from html import escape

from feeds.model import Person, Post, Site, Topic
from feeds.refreshing.identity import content_digest


def farewell(topic: Topic, *, feed_id: str, at: datetime, site: Site, heir: tuple[str, str]) -> Post:
    """The entry, dated when the topic closes; the same topic retired on the same day gives the same. ``heir``: title and URL."""
    assert topic.retired is not None
    name, url = heir
    words = topic.retired.note or f"“{topic.title}” has been retired, and this feed gets no more entries."
    onward = f'Go on with <a href="{escape(url)}">{escape(name)}</a>.'
    summary = f"<p>{escape(words, quote=False)}</p>\n<p>{onward}</p>"
    title = f"This feed has ended: {topic.title}"
    post = Post(
        id=f"{feed_id}/retired/{topic.retired.on}",
        source="",
        url=url,
        title=title,
        summary=summary,
        content="",
        authors=(Person(site.author or site.title),),
        tags=(),
        published=at,
        updated=at,
        first_seen=at,
        published_raw="",
        language=site.language,
        image="",
        enclosures=(),
        digest="",
    )
    return replace(post, digest=content_digest(post))
