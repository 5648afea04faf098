"""Writes to the store, within one transaction that is kept whole or not at all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feeds.model import ALL, Draft, Membership, Post, SetAside
from feeds.serving.representation import Headers
from feeds.store import revisions
from feeds.store import tables as t
from feeds.store.dialect import insert
from feeds.store.entries import Entries
from feeds.store.rows import Publication, TopicRow, chunks, draft_from_json, draft_to_json, post_of, row_of
from feeds.store.topics import Topics
from feeds.topics.lifecycle import Standing

_MINTED = sa.select(t.ledger.c.key).where(t.ledger.c.post == sa.bindparam("id")).limit(1)


class Transaction:
    """Writing, within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.entries = Entries(connection)
        self.topics = Topics(connection)

    # -- sources ------------------------------------------------------------------------------------------------

    def keep_sources(self, configured: Mapping[str, tuple[str, str]], now: datetime) -> None:
        """Make the rows match the configuration (id -> URL and fingerprint): new and changed sources are due at once."""
        present = dict(self._connection.execute(sa.select(t.sources.c.id, t.sources.c.rules)).tuples().all())
        for source, (url, rules) in configured.items():
            if source not in present:
                row = {"id": source, "url": url, "rules": rules, "since": now, "next_check": now}
                self._connection.execute(sa.insert(t.sources).values(**row))
            elif present[source] != rules:
                fresh = {"url": url, "rules": rules, "next_check": now, "etag": "", "last_modified": ""}
                fresh |= {"moved_to": "", "moved_seen": 0, "stopped": False}
                self._connection.execute(sa.update(t.sources).where(t.sources.c.id == source).values(**fresh))
        for vanished in present.keys() - configured.keys():
            self._connection.execute(sa.delete(t.sources).where(t.sources.c.id == vanished))
            self._connection.execute(sa.delete(t.set_aside).where(t.set_aside.c.source == vanished))

    def keep_pages(self, configured: Mapping[str, str], now: datetime) -> None:
        """Say what is read off the pages of each source's posts. Where that is something else than before, they are read again."""
        for source, page in configured.items():
            moved = (t.sources.c.id == source) & (t.sources.c.page != page)
            if self._connection.execute(sa.update(t.sources).where(moved).values(page=page, pages_since=now)).rowcount:
                self._connection.execute(sa.update(t.posts).where(t.posts.c.source == source).values(page_attempts=0))

    def record(self, source: str, **values: Any) -> None:
        """Write columns of a source's row. Counters are given as the amount to add: ``fetches=1``."""
        counters = {"fetches", "fetches_failed", "fetches_not_modified"}
        written = {name: t.sources.c[name] + value if name in counters else value for name, value in values.items()}
        self._connection.execute(sa.update(t.sources).where(t.sources.c.id == source).values(**written))

    def replace_set_aside(self, source: str, items: Iterable[SetAside], now: datetime) -> None:
        """Remember what the newest document had that was not taken in, and since when that is so."""
        known = dict(
            self._connection.execute(
                sa.select(t.set_aside.c.key, t.set_aside.c.since).where(t.set_aside.c.source == source)
            ).tuples().all()
        )  # fmt: skip
        self._connection.execute(sa.delete(t.set_aside).where(t.set_aside.c.source == source))
        rows = [
            {"source": source, "key": key, "title": item.title, "reason": item.reason, "since": known.get(key, now)}
            for key, item in {item.key: item for item in items}.items()
        ]
        if rows:
            self._connection.execute(sa.insert(t.set_aside), rows)

    # -- posts --------------------------------------------------------------------------------------------------

    def ledger(self, keys: Sequence[str]) -> dict[str, str]:
        """The ids that keys name, for those of them that are known."""
        query = sa.select(t.ledger.c.key, t.ledger.c.post)
        return {
            key: post for chunk in chunks(keys) for key, post in self._connection.execute(query.where(t.ledger.c.key.in_(chunk)))
        }

    def is_taken(self, entry_id: str) -> bool:
        """Whether an entry id was ever minted."""
        return self._connection.execute(_MINTED, {"id": entry_id}).first() is not None

    def posts(self, ids: Sequence[str]) -> dict[str, Post]:
        """Posts by id."""
        query = sa.select(t.posts)
        rows = (row for chunk in chunks(ids) for row in self._connection.execute(query.where(t.posts.c.id.in_(chunk))))
        return {row.id: post_of(row) for row in rows}

    def said(self, ids: Sequence[str]) -> dict[str, dict[str, Draft]]:
        """What each source said of posts, by id and source."""
        return said_of(self._connection, ids)

    def save_said(self, source: str, drafts: Mapping[str, Draft], now: datetime) -> None:
        """Remember what a source says of posts now, by their ids."""
        rows = [{"post": post, "source": source, "draft": draft_to_json(draft), "since": now} for post, draft in drafts.items()]
        self._upsert(t.said, rows, key=("post", "source"))

    def said_again(self, source: str, posts: Sequence[str], now: datetime) -> None:
        """Remember that a source says of posts, by their ids, now what it says of them."""
        for chunk in chunks(posts):
            here = (t.said.c.source == source) & t.said.c.post.in_(chunk)
            self._connection.execute(sa.update(t.said).where(here).values(since=now))

    def set_present(self, ids: Sequence[str]) -> list[str]:
        """Say that posts are in their source's document; the ids of those that come back from withdrawal."""
        back: list[str] = []
        for chunk in chunks(ids):
            named = t.posts.c.id.in_(chunk)
            back += self._connection.scalars(sa.select(t.posts.c.id).where(named & t.posts.c.withdrawn.is_not(None)))
            lost = named & (t.posts.c.missing.is_not(None) | t.posts.c.withdrawn.is_not(None))
            found = {"missing": None, "gone_checks": 0, "gone_checked": None, "withdrawn": None}
            self._connection.execute(sa.update(t.posts).where(lost).values(**found))
        return back

    def set_missing(self, ids: Sequence[str], now: datetime) -> None:
        """Say that posts are lacking from their source's document; since when is kept."""
        for chunk in chunks(ids):
            fresh = t.posts.c.id.in_(chunk) & t.posts.c.missing.is_(None)
            self._connection.execute(sa.update(t.posts).where(fresh).values(missing=now))

    def count_gone(self, post: str, now: datetime, *, gone: bool | None) -> int:
        """Remember whether a missing post's URL is gone (None: that cannot be told); how many times in a row it was."""
        number = t.posts.c.gone_checks + 1 if gone else t.posts.c.gone_checks if gone is None else 0
        counted = sa.update(t.posts).where(t.posts.c.id == post).values(gone_checks=number, gone_checked=now)
        return int(self._connection.execute(counted.returning(t.posts.c.gone_checks)).scalar_one())

    def withdraw(self, ids: Sequence[str], now: datetime) -> None:
        """Take posts out of their feeds for good; their ids stay reserved."""
        for chunk in chunks(ids):
            standing = t.posts.c.id.in_(chunk) & t.posts.c.withdrawn.is_(None)
            self._connection.execute(sa.update(t.posts).where(standing).values(withdrawn=now))

    def learn(self, keys: Mapping[str, str], now: datetime) -> None:
        """Add keys to the ledger; what it knows is never changed."""
        rows = [{"key": key, "post": post, "since": now} for key, post in keys.items()]
        for chunk in chunks(rows):
            self._connection.execute(insert(self._connection, t.ledger).on_conflict_do_nothing(), list(chunk))

    def save_post(self, post: Post, *, held: bool) -> None:
        """Insert or replace a post."""
        self.save_posts([(post, held)])

    def save_posts(self, posts: Iterable[tuple[Post, bool]]) -> None:
        """Insert or replace posts, each with whether it is held."""
        saved = list(posts)
        revisions.note(self._connection, [post for post, _ in saved])
        self._upsert(t.posts, [row_of(post) | {"held": held} for post, held in saved], key=("id",))

    def save_memberships(self, post: str, memberships: Iterable[Membership]) -> set[str]:
        """Replace the topics of a post; the slugs of the topics that it entered or left."""
        return self.sort({post: tuple(memberships)})[post]

    def sort(self, memberships: Mapping[str, Sequence[Membership]], *, but: Collection[str] = ()) -> dict[str, set[str]]:
        """Replace the topics of posts ``but`` some; per post the slugs of the topics that it entered or left."""
        lost = {*but, *self._connection.scalars(sa.select(t.topics.c.slug).where(t.topics.c.phase == "lost"))}  # stay as they were
        before = self.topics_of(list(memberships))
        rows = [
            {"topic": m.topic, "post": post, "score": m.score, "evidence": [asdict(e) for e in m.evidence]}
            for post, after in memberships.items()
            for m in after
        ]
        for chunk in chunks(list(memberships)):
            present = t.memberships.c.post.in_(chunk) & t.memberships.c.topic.not_in(lost)
            self._connection.execute(sa.delete(t.memberships).where(present))
        if rows:
            self._connection.execute(sa.insert(t.memberships), rows)
        return {post: (before.get(post, set()) - lost) ^ {m.topic for m in after} for post, after in memberships.items()}

    def page_failed(self, post: str) -> None:
        """Count an attempt to read a post's page that failed."""
        counted = t.posts.c.page_attempts + 1
        self._connection.execute(sa.update(t.posts).where(t.posts.c.id == post).values(page_attempts=counted))

    def topics_of(self, posts: Sequence[str]) -> dict[str, set[str]]:
        """The slugs of the topics that posts are in, by post; one in none is missing."""
        query, found = sa.select(t.memberships.c.post, t.memberships.c.topic), dict[str, set[str]]()
        for chunk in chunks(posts):
            for post, topic in self._connection.execute(query.where(t.memberships.c.post.in_(chunk))):
                found.setdefault(post, set()).add(topic)
        return found

    def touch_feeds_of(self, posts: Sequence[str]) -> None:
        """Mark every topic that any of these posts is in as changed."""
        if posts:
            self.touch({ALL}.union(*self.topics_of(posts).values()))

    def release(self, now: datetime) -> list[str]:
        """Let go of held posts whose time has come; their ids."""
        due = list(self._connection.scalars(sa.select(t.posts.c.id).where(t.posts.c.held & (t.posts.c.published <= now))))
        for chunk in chunks(due):
            self._connection.execute(sa.update(t.posts).where(t.posts.c.id.in_(chunk)).values(held=False))
        return due

    # -- topics and publications --------------------------------------------------------------------------------

    def keep_topics(self, rows: Mapping[str, TopicRow], now: datetime, *, former: Mapping[str, Standing] | None = None) -> None:
        """Make the topics match the configuration; what is new or changed becomes pending. ``former`` are slugs that lead on."""
        before = self._published_topics()
        if self.topics.keep(rows, former or {}, now):
            self.move_on(*(before - self._published_topics()))

    def touch(self, slugs: Iterable[str]) -> None:
        """Mark topics as changed, hence to be published."""
        for slug in slugs:
            self._connection.execute(sa.update(t.topics).where(t.topics.c.slug == slug).values(changed=t.topics.c.changed + 1))

    def set_published(self, slug: str, changed: int, *, error: str = "", filled: datetime | None = None) -> None:
        """Say which state of a topic has been dealt with, what was wrong with it, if anything, and when its feed had entries."""
        values = {"published": changed, "error": error, "filled": sa.func.coalesce(t.topics.c.filled, filled)}
        self._connection.execute(sa.update(t.topics).where(t.topics.c.slug == slug).values(**values))

    def accept(self, slug: str, rules: str) -> None:
        """Say by which configuration what is in service of a topic was made."""
        self._connection.execute(sa.update(t.topics).where(t.topics.c.slug == slug).values(accepted=rules))

    def take_edition(self, slug: str, seen: int) -> bool:
        """Move a topic's edition on; false when it is not the one that was seen, because another process published meanwhile."""
        here = (t.topics.c.slug == slug) & (t.topics.c.edition == seen)
        return self._connection.execute(sa.update(t.topics).where(here).values(edition=seen + 1)).rowcount == 1

    def set_rules(self, fingerprint: str) -> None:
        """Say by which rules the stored posts are sorted now."""
        self._connection.execute(sa.update(t.state).where(t.state.c.key == "rules").values(text=fingerprint))

    def publish(self, publication: Publication) -> None:
        """Put bytes into service in place of those that were, and move the revision."""
        revision = self.move_on(publication.topic)
        row = {
            "path": publication.path,
            "topic": publication.topic,
            "tag": publication.tag,
            "media_type": publication.media_type,
            "last_modified": publication.last_modified,
            "headers": [list(pair) for pair in publication.headers],
            "codings": sorted(publication.codings),
            "revision": revision,
        }
        self._upsert(t.publications, [row], key=("path",))
        self._connection.execute(sa.delete(t.bodies).where(t.bodies.c.path == publication.path))
        rows = [{"path": publication.path, "coding": coding, "body": body} for coding, body in publication.codings.items()]
        self._connection.execute(sa.insert(t.bodies), rows)

    def unpublish(self, topic: str, *, keep: Collection[str]) -> int:
        """Take what a topic has in service at other paths than these out of it; how many that were."""
        here = (t.publications.c.topic == topic) & t.publications.c.path.not_in(keep)
        paths = list(self._connection.scalars(sa.select(t.publications.c.path).where(here)))
        for table in (t.bodies, t.publications) if paths else ():
            self._connection.execute(sa.delete(table).where(table.c.path.in_(paths)))
        if paths:
            self.move_on(topic)
        return len(paths)

    def publication(self, path: str) -> tuple[str, datetime, str, Headers] | None:
        """Of what is in service at a path: its tag, Last-Modified, media type and headers."""
        row = self._connection.execute(sa.select(t.publications).where(t.publications.c.path == path)).one_or_none()
        return None if row is None else (row.tag, row.last_modified, row.media_type, [(n, v) for n, v in row.headers])

    def move_on(self, *topics: str) -> int:
        """Say that something else is in service now, namely of these topics, of which caches are to be told; the new revision."""
        moved = sa.update(t.state).where(t.state.c.key == "revision").values(number=t.state.c.number + 1)
        revision = int(self._connection.execute(moved.returning(t.state.c.number)).scalar_one())
        self._upsert(t.purges, [{"topic": topic, "revision": revision} for topic in sorted(topics)], key=("topic",))
        return revision

    def purged(self, topic: str, revision: int) -> None:
        """Say that caches know of a topic as it was at a revision."""
        told = (t.purges.c.topic == topic) & (t.purges.c.revision == revision)
        self._connection.execute(sa.delete(t.purges).where(told))

    def _published_topics(self) -> set[str]:
        return set(self._connection.scalars(sa.select(t.publications.c.topic).distinct()))

    def _upsert(self, table: sa.Table, rows: Sequence[Mapping[str, Any]], *, key: tuple[str, ...]) -> None:
        """Insert rows of the same columns, or replace those columns where the key is there already."""
        if rows:
            statement = insert(self._connection, table)
            others = {name: statement.excluded[name] for name in rows[0] if name not in key}
            self._connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=others), list(rows))


def said_of(connection: sa.Connection, ids: Sequence[str]) -> dict[str, dict[str, Draft]]:
    """What each source said of posts, by id and source."""
    found: dict[str, dict[str, Draft]] = {}
    for chunk in chunks(ids):
        for row in connection.execute(sa.select(t.said).where(t.said.c.post.in_(chunk))):
            found.setdefault(row.post, {})[row.source] = draft_from_json(row.draft)
    return found
