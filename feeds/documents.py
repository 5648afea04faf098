"""The documents of a topic's feed as values: the subscription document, and the archive documents behind it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, time

from feeds.addresses import archive_urls, feed_urls, page_url
from feeds.model import ALL, Deleted, Feed, Post, Site, Topic
from feeds.store import TopicState


def all_posts(site: Site) -> Topic:
    """The built-in topic."""
    return Topic(slug=ALL, title="All posts", name="all posts", description=f"Every post of {site.title}.")


def feed_of(site: Site, topic: Topic, state: TopicState, posts: Iterable[Post], deleted: tuple[Deleted, ...] = ()) -> Feed:
    """A topic's feed as a value. Its ``updated`` is the newest change among its entries, never the time of the build."""
    shown = tuple(sorted(posts, key=lambda post: (-post.published.timestamp(), post.id)))
    born = datetime.combine(state.since.date(), time.min, UTC)
    changes = [*(post.updated for post in shown), *(entry.when for entry in deleted)]
    return Feed(
        id=state.feed_id,
        slug=topic.slug,
        title=site.title if topic.slug == ALL else f"{topic.title} — {site.title}",
        description=topic.description or f"Posts on {topic.title} from {site.title}.",
        home=page_url(site, topic.slug),
        urls=feed_urls(site, topic.slug),
        site=site,
        updated=max(changes, default=born),
        posts=shown,
        deleted=deleted,
    )


def archived(feed: Feed, number: int, *, followed: bool) -> Feed:
    """The archive document of that number with a feed's posts; ``followed``: there is one more after it."""
    return replace(
        feed,
        urls=archive_urls(feed.site, feed.slug, number),
        current=feed.urls,
        previous=archive_urls(feed.site, feed.slug, number - 1),
        following=archive_urls(feed.site, feed.slug, number + 1) if followed else {},
    )
