"""What the store knows across topics: the newest posts of a selection, by what one sees that these changed, posts in no topic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from feeds.model import ALL, Post
from feeds.store import tables as t
from feeds.store.reading import Store
from feeds.store.rows import post_of
from feeds.store.topics import IN_SERVICE
from feeds.topics.lifecycle import SERVING
from feeds.topics.selection import Selection


class Standing(NamedTuple):
    """A topic as far as combinations rest on it. While nothing of it changes, they do not change either.

    ``modified`` is when what is published of the topic last changed; None before its first publication.
    """

    slug: str
    feed_id: str
    since: datetime
    rules: str
    changed: int
    modified: datetime | None
    title: str = ""


def standings(store: Store, slugs: Sequence[str]) -> tuple[Standing, ...]:
    """How topics stand, by slug; one that the store does not know is missing."""
    published = sa.select(sa.func.max(t.publications.c.last_modified)).where(t.publications.c.topic == t.topics.c.slug)
    columns = (t.topics.c.slug, t.topics.c.feed_id, t.topics.c.since, t.topics.c.rules, t.topics.c.changed)
    query = sa.select(*columns, published.scalar_subquery(), t.topics.c.title).where(t.topics.c.slug.in_(slugs))
    with store.reading() as connection:
        return tuple(Standing(*row) for row in connection.execute(query.order_by(t.topics.c.slug)))


def newest_of(store: Store, selection: Selection, *, limit: int) -> tuple[Post, ...]:
    """The newest posts of a selection in normal form that are in service, newest first."""
    order = (t.posts.c.published.desc(), t.posts.c.id)
    newest = sa.select(t.posts.c.id).where(IN_SERVICE, _wanted(selection), *_not_unwanted(selection)).order_by(*order).limit(limit)
    query = sa.select(t.posts).where(t.posts.c.id.in_(newest)).order_by(*order)  # sorts ids, not whole posts
    with store.reading() as connection:
        return tuple(post_of(row) for row in connection.execute(query))


def newest_with_topics(store: Store, *, limit: int) -> list[tuple[Post, frozenset[str]]]:
    """The newest posts in service, newest first, each with the topics in service that it is in."""
    posts = sa.select(t.posts).where(IN_SERVICE).order_by(t.posts.c.published.desc(), t.posts.c.id).limit(limit)
    live = sa.select(t.topics.c.slug).where(t.topics.c.phase.in_(SERVING))
    members = sa.select(t.memberships.c.post, t.memberships.c.topic).where(t.memberships.c.topic.in_(live))
    found: dict[str, set[str]] = {}
    with store.reading() as connection:
        for post, topic in connection.execute(members):
            found.setdefault(post, set()).add(topic)
        return [(post_of(row), frozenset(found.get(row.id, ()))) for row in connection.execute(posts)]


def count_unclaimed(store: Store) -> int:
    """How many posts in service are in no topic that is."""
    live = sa.select(t.topics.c.slug).where(t.topics.c.phase.in_(SERVING))
    claimed = sa.exists().where((t.memberships.c.post == t.posts.c.id) & t.memberships.c.topic.in_(live))
    with store.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(t.posts).where(IN_SERVICE, ~claimed)) or 0


def _wanted(selection: Selection) -> sa.ColumnElement[bool]:
    """In one of the single topics, or in every topic of one of the groups."""
    if (ALL,) in selection.any_of:
        return ~_is_aside(sa.literal(ALL), t.posts.c.id)
    singles = [group[0] for group in selection.any_of if len(group) == 1]
    groups = [sa.and_(*(_within([slug]) for slug in group)) for group in selection.any_of if len(group) > 1]
    return sa.or_(*groups, _within(singles)) if singles else sa.or_(*groups)


def _within(slugs: Sequence[str]) -> sa.ColumnElement[bool]:
    rows = t.memberships.c.topic.in_(slugs) & ~_is_aside(t.memberships.c.topic, t.memberships.c.post)
    return t.posts.c.id.in_(sa.select(t.memberships.c.post).where(rows))


def _is_aside(topic: sa.ColumnElement[str], post: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether a post entered a topic late and the topic's own feed does not show it, or not yet: then nothing else does either."""
    late = t.late_additions.c
    return sa.exists().where((late.topic == topic) & (late.post == post) & late.surfaced.is_not(True))


def _not_unwanted(selection: Selection) -> Iterator[sa.ColumnElement[bool]]:
    for slug in selection.without:
        member = (t.memberships.c.topic == slug) & (t.memberships.c.post == t.posts.c.id)
        yield ~sa.exists().where(member).correlate(t.posts)
