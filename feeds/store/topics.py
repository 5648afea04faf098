"""Keeps the rows of topics: their life as the configuration has it, and the old posts that enter one late."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa

from feeds.model import ALL
from feeds.store import tables as t
from feeds.store.rows import TopicCount, TopicRow, TopicState, chunks
from feeds.topics.lifecycle import SERVING, Remembered, Standing, renames, settled

IN_SERVICE = ~t.posts.c.held & t.posts.c.withdrawn.is_(None)
DIRECTORY = ""


class Topics:
    """The rows of topics, within a transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def states(self, slugs: Collection[str] | None = None) -> dict[str, TopicState]:
        """Topics by slug: those that are named and known, or every one."""
        query = sa.select(t.topics) if slugs is None else sa.select(t.topics).where(t.topics.c.slug.in_(slugs))
        return {row["slug"]: TopicState(**row) for row in self._connection.execute(query).mappings()}

    def standings(self) -> dict[str, Standing]:
        """Where every slug stands that ever was one."""
        query = sa.select(t.topics.c.slug, t.topics.c.phase, t.topics.c.leads_to).where(t.topics.c.slug != DIRECTORY)
        return {slug: Standing(phase, leads_to) for slug, phase, leads_to in self._connection.execute(query).all()}

    def sorted_by(self) -> str:
        """The fingerprint of the rules by which every stored post is sorted; anything else where no rules are."""
        return self._connection.scalar(sa.select(t.state.c.text).where(t.state.c.key == "rules")) or ""

    def counts(self) -> dict[str, TopicCount]:
        """Posts and newest per topic, ``all`` included; a topic without posts is missing."""
        members = sa.select(t.memberships.c.topic, sa.func.count(), sa.func.max(t.posts.c.published))
        members = members.join(t.posts, t.posts.c.id == t.memberships.c.post).where(IN_SERVICE).group_by(t.memberships.c.topic)
        whole = sa.select(sa.func.count(), sa.func.max(t.posts.c.published)).where(IN_SERVICE)
        counts = {topic: TopicCount(number, newest) for topic, number, newest in self._connection.execute(members)}
        number, newest = self._connection.execute(whole).one()
        return counts | {ALL: TopicCount(number, newest)}

    def keep(self, rows: Mapping[str, TopicRow], former: Mapping[str, Standing], now: datetime) -> bool:
        """Make the rows match the configuration; whether that changes what is in service.

        A topic that is renamed keeps its feed id, its posts and what is known of them. What is new or changed becomes pending.
        """
        configured = {slug: row.standing for slug, row in rows.items()} | dict(former)
        present = self.states()
        for old, new in renames(configured, _remembered(present)).items():
            self._rename(old, new)
        present = self.states()
        for slug, row in rows.items():
            self._keep(slug, row, present, now)
        standings = settled(configured, _remembered(present))
        for slug, standing in standings.items():
            if slug not in rows:
                self._stand(slug, standing, present, now)
        self._forget(present.keys() - standings.keys() - {DIRECTORY})
        serving = {DIRECTORY, *(slug for slug, standing in standings.items() if standing.phase in SERVING)}
        before = {slug: state.remembered.standing for slug, state in present.items() if state.phase != "open"}
        moved = before != {slug: standing for slug, standing in standings.items() if standing.phase != "open"}
        return self._remove_publications_except(serving) or moved

    def _keep(self, slug: str, row: TopicRow, present: Mapping[str, TopicState], now: datetime) -> None:
        """Insert or update a configured topic."""
        written = {"rules": row.rules, "title": row.title, "phase": row.standing.phase, "leads_to": row.standing.leads_to}
        state = present.get(slug)
        if state is None or state.phase == "former":
            taken = {other.feed_id for name, other in present.items() if name != slug}
            kept = state.feed_id if state else ""
            self._connection.execute(sa.delete(t.topics).where(t.topics.c.slug == slug))
            fresh = {"slug": slug, "feed_id": _free(kept or row.feed_id, taken) if row.feed_id else "", "since": now}
            self._connection.execute(sa.insert(t.topics).values(**fresh, **written))
        elif (state.rules, state.title, state.phase, state.leads_to) != tuple(written.values()):
            changed = t.topics.c.changed + int(state.rules != row.rules or state.phase != row.standing.phase)
            self._connection.execute(sa.update(t.topics).where(t.topics.c.slug == slug).values(changed=changed, **written))

    def _stand(self, slug: str, standing: Standing, present: Mapping[str, TopicState], now: datetime) -> None:
        """Write where a slug stands that is no topic of the configuration."""
        if slug not in present:
            row = {"slug": slug, "feed_id": "", "since": now, "rules": ""}
            self._connection.execute(sa.insert(t.topics).values(**row, **asdict(standing)))
        elif present[slug].remembered.standing != standing:
            self._connection.execute(sa.update(t.topics).where(t.topics.c.slug == slug).values(**asdict(standing)))

    def _rename(self, old: str, new: str) -> None:
        """Let a topic go on under another slug; its old one becomes a row without a feed of its own."""
        for table in (t.topics, t.memberships, t.late_additions):
            column = table.c.slug if table is t.topics else table.c.topic
            self._connection.execute(sa.delete(table).where(column == new))
            values = {column.name: new} | ({"published": 0} if table is t.topics else {})
            self._connection.execute(sa.update(table).where(column == old).values(**values))

    def _forget(self, slugs: Collection[str]) -> None:
        for table, column in ((t.topics, t.topics.c.slug), (t.late_additions, t.late_additions.c.topic)):
            self._connection.execute(sa.delete(table).where(column.in_(slugs)))

    def _remove_publications_except(self, serving: Collection[str]) -> bool:
        vanished = sa.select(t.publications.c.path).where(t.publications.c.topic.not_in(serving))
        paths = list(self._connection.scalars(vanished))
        for table in (t.bodies, t.publications):
            self._connection.execute(sa.delete(table).where(table.c.path.in_(paths)))
        return bool(paths)

    # -- late additions -----------------------------------------------------------------------------------------

    def add_late(self, post: str, slugs: Iterable[str], now: datetime) -> None:
        """Remember that an old post entered topics late; where it stands in their documents is decided by the next build."""
        entered = sorted(slugs)
        self.forget_late(post, entered)
        rows = [{"topic": slug, "post": post, "since": now, "surfaced": None} for slug in entered]
        if rows:
            self._connection.execute(sa.insert(t.late_additions), rows)

    def forget_late(self, post: str, slugs: Collection[str]) -> None:
        """A post left topics, or entered them like any other."""
        rows = (t.late_additions.c.post == post) & t.late_additions.c.topic.in_(slugs)
        self._connection.execute(sa.delete(t.late_additions).where(rows))

    def is_late(self, post: str, slug: str) -> bool:
        """Whether a post entered a topic late."""
        row = (t.late_additions.c.post == post) & (t.late_additions.c.topic == slug)
        return self._connection.execute(sa.select(t.late_additions.c.post).where(row)).first() is not None

    def has_undecided(self, slug: str) -> bool:
        """Whether a topic has late additions of which no build has decided."""
        return self._connection.execute(sa.select(t.late_additions.c.post).where(_undecided(slug)).limit(1)).first() is not None

    def surface(self, slug: str, window: Sequence[str], *, most: int) -> None:
        """Decide which late additions the subscription document shows: the newest ``most`` of those within its window."""
        waiting = set(self._connection.scalars(sa.select(t.late_additions.c.post).where(_undecided(slug))))
        for chunk in chunks([post for post in window if post in waiting][:most]):
            chosen = _undecided(slug) & t.late_additions.c.post.in_(chunk)
            self._connection.execute(sa.update(t.late_additions).where(chosen).values(surfaced=True))
        self._connection.execute(sa.update(t.late_additions).where(_undecided(slug)).values(surfaced=False))


def _undecided(slug: str) -> sa.ColumnElement[bool]:
    return (t.late_additions.c.topic == slug) & t.late_additions.c.surfaced.is_(None)


def _remembered(states: Mapping[str, TopicState]) -> dict[str, Remembered]:
    return {slug: state.remembered for slug, state in states.items()}


def _free(feed_id: str, taken: Collection[str]) -> str:
    """A feed id that no feed has: a slug that was given away and comes back on the same day needs another."""
    candidate, counter = feed_id, 2
    while candidate in taken:
        candidate, counter = f"{feed_id}-{counter}", counter + 1
    return candidate
