"""Keeps what posts became with each substantive edit, and reads it again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from feeds.model import Post
from feeds.store import tables as t
from feeds.store.dialect import insert
from feeds.store.rows import chunks


class Revision(NamedTuple):
    """A post as it was from an edit on."""

    post: str
    digest: str
    title: str
    summary: str
    content: str
    updated: datetime


def note(connection: sa.Connection, posts: Sequence[Post]) -> None:
    """Keep what is new of posts that are about to replace themselves: those in service whose text, and date with it, moved."""
    present = sa.select(t.posts.c.id, t.posts.c.digest, t.posts.c.updated).where(~t.posts.c.held)
    for chunk in chunks(posts):
        query = present.where(t.posts.c.id.in_([post.id for post in chunk]))
        before = {post: (digest, updated) for post, digest, updated in connection.execute(query)}
        edited = [post for post in chunk if post.id in before and _is_edit(post, *before[post.id])]
        for post in edited:
            row = Revision(post.id, post.digest, post.title, post.summary, post.content, post.updated)._asdict()
            key = [t.revisions.c.post, t.revisions.c.digest]
            statement = insert(connection, t.revisions).values(**row)
            connection.execute(statement.on_conflict_do_nothing(index_elements=key))


def newest(connection: sa.Connection, posts: Sequence[str], *, limit: int) -> list[Revision]:
    """The newest revisions of posts."""
    found: list[Revision] = []
    for chunk in chunks(posts):
        query = sa.select(t.revisions).where(t.revisions.c.post.in_(chunk)).order_by(t.revisions.c.updated.desc())
        found += [Revision(*row) for row in connection.execute(query.limit(limit))]
    return sorted(found, key=lambda revision: (revision.updated, revision.digest), reverse=True)[:limit]


def _is_edit(post: Post, digest: str, updated: datetime) -> bool:
    return post.digest != digest and post.updated > updated
