"""Valid values to begin from: say only what a test is about, the rest is ordinary."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from feeds.model import Draft, Feed, Person, Post, Site, Source, Topic
from feeds.refreshing.identity import content_digest
from feeds.store import SourceState, TopicState

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
"""The present of the tests."""


def at(text: str) -> datetime:
    """A moment in UTC: ``2026-03-04`` or ``2026-03-04 05:06:07``."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ago(**duration: float) -> datetime:
    return NOW - timedelta(**duration)


def a_site(**overrides: Any) -> Site:
    return Site(**{"title": "Blog", "home": "https://blog.example/", "public_url": "https://feeds.example/"} | overrides)


def a_source(**overrides: Any) -> Source:
    return Source(**{"id": "blog", "url": "https://blog.example/index.xml"} | overrides)


def a_topic(**overrides: Any) -> Topic:
    return Topic(**{"slug": "kernel", "title": "Kernel"} | overrides)


def a_draft(**overrides: Any) -> Draft:
    ordinary = Draft(
        guid="post-1",
        url="https://blog.example/blog/seqlocks/",
        title="Seqlocks",
        summary="<p>Readers never wait.</p>",
        content="<p>An even number means quiet.</p>",
        tags=("kernel",),
        published=at("2026-03-04 05:06:07"),
        published_raw="Wed, 04 Mar 2026 05:06:07 GMT",
    )
    return replace(ordinary, **overrides)


def a_post(**overrides: Any) -> Post:
    """A post whose digest is right, and whose ``updated`` follows ``published`` unless it is given."""
    ordinary: dict[str, Any] = {
        "id": "tag:blog.example,2026-03-10:blog/seqlocks",
        "source": "blog",
        "url": "https://blog.example/blog/seqlocks/",
        "title": "Seqlocks",
        "summary": "<p>Readers never wait.</p>",
        "content": "<p>An even number means quiet.</p>",
        "authors": (Person("Ann"),),
        "tags": ("kernel",),
        "published": at("2026-03-04 05:06:07"),
        "first_seen": NOW,
        "published_raw": "Wed, 04 Mar 2026 05:06:07 GMT",
        "language": "",
        "image": "",
        "enclosures": (),
        "digest": "",
    }
    values = ordinary | overrides
    post = Post(**{"updated": values["published"]} | values)
    return post if post.digest else replace(post, digest=content_digest(post))


def a_feed(*posts: Post, **overrides: Any) -> Feed:
    ordinary: dict[str, Any] = {
        "id": "tag:blog.example,2026-03-01:topics/kernel",
        "slug": "kernel",
        "title": "Kernel — Blog",
        "description": "Inside the kernel.",
        "home": "https://feeds.example/topics/kernel/",
        "urls": {suffix: f"https://feeds.example/feeds/kernel.{suffix}" for suffix in ("atom", "rss", "json")},
        "site": a_site(),
        "updated": max((post.updated for post in posts), default=at("2026-03-01")),
        "posts": posts,
    }
    return Feed(**ordinary | overrides)


def a_source_state(**overrides: Any) -> SourceState:
    """What is known of a source that is well."""
    ordinary: dict[str, Any] = {
        "id": "blog",
        "url": "https://blog.example/index.xml",
        "rules": "",
        "since": ago(days=30),
        "next_check": NOW + timedelta(minutes=20),
        "etag": "",
        "last_modified": "",
        "last_attempt": ago(minutes=10),
        "last_success": ago(minutes=10),
        "last_change": ago(days=3),
        "failures": 0,
        "error": "",
        "cause": "",
        "fetches": 10,
        "fetches_failed": 0,
        "fetches_not_modified": 8,
        "quiet": 1,
        "floor": None,
        "moved_to": "",
        "moved_seen": 0,
        "stopped": False,
    }
    return SourceState(**ordinary | overrides)


def a_topic_state(**overrides: Any) -> TopicState:
    """What is known of a topic that is published."""
    ordinary: dict[str, Any] = {
        "slug": "kernel",
        "feed_id": "tag:blog.example,2026-03-01:topics/kernel",
        "since": ago(days=30),
        "rules": "",
        "changed": 3,
        "published": 3,
        "error": "",
    }
    return TopicState(**ordinary | overrides)
