"""The documents of a topic's feed as values: the subscription document, and the archive documents behind it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from feeds.addresses import archive_urls, feed_urls, page_url, revised_name
from feeds.configuration import Content
from feeds.model import ALL, Deleted, Feed, Origin, Post, Site, Topic
from feeds.redaction import public_address
from feeds.refreshing.keys import canonical_host
from feeds.settings import Settings
from feeds.store import Revision, TopicState

_REVISION = re.compile(r"[#&]revision=[0-9a-f]{16}$")


def all_posts(site: Site) -> Topic:
    """The built-in topic."""
    return Topic(slug=ALL, title="All posts", name="all posts", description=f"Every post of {site.title}.")


def feed_of(settings: Settings, topic: Topic, state: TopicState, posts: Iterable[Post], deleted: tuple[Deleted, ...] = ()) -> Feed:
    """A topic's feed as a value. Its ``updated`` is the newest change among its entries, never the time of the build."""
    site = settings.site
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
        label=topic.title,
        interval=interval_of(settings),
        origins=origins_of(settings),
        content=topic.content or site.content,
    )


def interval_of(settings: Settings) -> timedelta:
    """How often it is worth asking for a feed: as often as the most eager source is asked, if caches do not keep it longer."""
    return max(settings.site.max_age, min((source.every for source in settings.sources), default=timedelta(hours=1)))


def origins_of(settings: Settings) -> dict[str, Origin]:
    """The sources whose host is not that of the site, as feeds name them."""
    home = canonical_host(settings.site.home)
    elsewhere = (source for source in settings.sources if canonical_host(source.url) != home)
    return {source.id: Origin(source.title or canonical_host(source.url), public_address(source.url)) for source in elsewhere}


def selections(feed: Feed) -> list[Feed]:
    """The same feed with more or less of its posts, as far as the owner allows, each at an address of its own."""
    if feed.content == "summary" and not feed.site.full_on_request:
        return []
    content: Content = "summary" if feed.content == "full" else "full"
    return [replace(feed, content=content, urls={suffix: f"{url}?content={content}" for suffix, url in feed.urls.items()})]


def revised(feed: Feed, revisions: Sequence[Revision]) -> Feed:
    """The feed that carries, besides its posts, what became of them as entries of their own, with ids that never change.

    Revisions of posts that were withdrawn are told of as deleted, like these.
    """
    posts, withdrawn = {post.id: post for post in feed.posts}, {entry.ref: entry.when for entry in feed.deleted}
    entries = [*feed.posts, *(_as_post(revision, posts[revision.post]) for revision in revisions if revision.post in posts)]
    gone = [Deleted(_id_of(revision), withdrawn[revision.post]) for revision in revisions if revision.post in withdrawn]
    return replace(
        feed,
        id=f"{feed.id}/revised",
        title=f"{feed.title}, with revisions",
        urls=feed_urls(feed.site, revised_name(feed.slug)),
        posts=tuple(sorted(entries, key=lambda post: (-post.published.timestamp(), post.id))),
        deleted=(*feed.deleted, *gone),
    )


def post_of(entry_id: str) -> str:
    """The id of the post that an entry of a feed with revisions is of."""
    return _REVISION.sub("", entry_id)


def _id_of(revision: Revision) -> str:
    mark = "&" if "#" in revision.post else "#"
    return f"{revision.post}{mark}revision={revision.digest[:16]}"


def _as_post(revision: Revision, post: Post) -> Post:
    return replace(
        post,
        id=_id_of(revision),
        title=revision.title,
        summary=revision.summary,
        content=revision.content,
        published=revision.updated,
        updated=revision.updated,
        digest=revision.digest,
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
