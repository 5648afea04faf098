"""Keeps the store in line with the configuration: its sources, its topics, and which topics each post is in. Fetches nothing.

Here is decided which posts enter a topic *late*: old posts that a change of rules, of the post or of the sources brings into a
feed which readers hold already. The build then shows a few of them (``site.late_additions``); the archive has them all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

import structlog

from feeds.model import ALL, Membership, Post
from feeds.publishing import publish
from feeds.settings import Settings
from feeds.store import SourceState, Store, TopicState, Transaction
from feeds.topics import lifecycle
from feeds.topics.classify import Classifier, topics_of

log = structlog.get_logger(__name__)

_SLACK = timedelta(days=2)
"""A source's dates may be a day alone, in any zone, and older than the document that first shows them."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a post comes to be sorted: whether it is old, and for a source's first posts since when that source is configured."""

    is_old: bool
    backfill: datetime | None = None
    is_new: bool = False

    @classmethod
    def of(cls, post: Post, source: SourceState) -> Arrival:
        """A post that is seen for the first time: news if it was published since its source was last looked at."""
        if source.filled is None or source.last_success is None:
            return cls(is_old=True, backfill=source.since, is_new=True)
        return cls(is_old=post.published < source.last_success - _SLACK, is_new=True)

    def is_late(self, topic: TopicState) -> bool:
        """Whether the post is late in a topic. No topic is old before its feed had entries; what sources had then fills it."""
        if topic.filled is None:
            return False
        return self.is_old if self.backfill is None else self.backfill > topic.since


KNOWN = Arrival(is_old=True)
"""A post that is stored already, and sorted anew."""


class Sorting:
    """Which topics posts are in, by one configuration."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._rules = publish.classification_rules(settings)
        self._classifier = Classifier(settings.topics, language=settings.site.language, overrides=settings.overrides)
        self._standings: Mapping[str, lifecycle.Standing] = {}

    def align(self, now: datetime) -> None:
        """Bring the store in line with the configuration. Done twice, it changes nothing."""
        zone = self._settings.site.timezone  # where dates without one live, unless the source has its own
        sources = {s.id: (s.url, publish.fingerprint(s, s.timezone or zone)) for s in self._settings.sources}
        with self._store.writing() as transaction:
            transaction.keep_sources(sources, now)
            transaction.keep_pages({s.id: s.page.model_dump_json(exclude_none=True) for s in self._settings.sources}, now)
        self._keep_topics(now)
        if self._store.rules() != self._rules:
            self._sort_all(now)

    def pass_time(self, now: datetime) -> None:
        """Close what is to be closed by now, and remove what is gone."""
        if lifecycle.standings(self._settings.topics, self._settings.site, now=now) != self._standings:
            self._keep_topics(now)

    def release(self, now: datetime) -> None:
        """Let posts whose date has come into their feeds."""
        with self._store.writing() as transaction:
            transaction.touch_feeds_of(transaction.release(now))

    def save(self, transaction: Transaction, arrivals: Sequence[tuple[Post, Arrival]], now: datetime) -> None:
        """Store posts with their memberships, and mark the topics whose feeds that changes.

        Where another configuration was taken into service meanwhile, its next alignment sorts every post anew.
        """
        if not arrivals:
            return
        memberships: Mapping[str, Sequence[Membership]] = {post.id: self._classifier.classify(post) for post, _ in arrivals}
        transaction.save_posts([(post, post.published > now) for post, _ in arrivals])
        others: Collection[str] = ()
        if (stored := transaction.topics.sorted_by()) != self._rules:
            memberships, others = self._translated(transaction, memberships)
            if stored:
                transaction.set_rules("")
                log.warning("topics.outdated", detail="posts are sorted by rules that are no longer in service; reload the service")
        moved = _sort(transaction, memberships, {post.id: arrival for post, arrival in arrivals}, now, but=others)
        transaction.touch({ALL}.union(*moved.values(), *map(topics_of, memberships.values())))

    def page_read(self, transaction: Transaction, post: Post, now: datetime) -> None:
        """Store a post whose page was read for the first time: in its topics it is as old as it was when it arrived."""
        self.save(transaction, [(post, Arrival(is_old=transaction.topics.is_late(post.id, ALL)))], now)

    def page_read_again(self, transaction: Transaction, post: Post, now: datetime) -> None:
        """Store a post of whose page more, or something else, is read than before."""
        self.save(transaction, [(post, KNOWN)], now)

    def _keep_topics(self, now: datetime) -> None:
        standings = lifecycle.standings(self._settings.topics, self._settings.site, now=now)
        former = {slug: standing for slug, standing in standings.items() if standing.phase == "former"}
        with self._store.writing() as transaction:
            transaction.keep_topics(publish.topic_rows(self._settings, now), now, former=former)
        self._standings = standings
        for slug, state in self._store.topics().items():
            if state.phase == "lost":
                log.error("topic.lost", topic=slug, detail=lifecycle.advice(slug, state.title, today=now.date()))

    def _translated(
        self, transaction: Transaction, memberships: Mapping[str, Sequence[Membership]]
    ) -> tuple[Mapping[str, Sequence[Membership]], Collection[str]]:
        """Memberships by the names that topics have in the store, and the topics there of which these rules know nothing."""
        standings = transaction.topics.standings()
        current = {slug for slug, standing in standings.items() if standing.phase in ("open", "closing")}
        addresses = lifecycle.Addresses(standings)
        heirs = {topic.slug: addresses.settle(topic.slug) for topic in self._settings.topics}
        kept = {old: new for old, new in heirs.items() if new in current}
        named = {
            post: tuple({kept[m.topic]: replace(m, topic=kept[m.topic]) for m in found if m.topic in kept}.values())
            for post, found in memberships.items()
        }
        return named, standings.keys() - kept.values()

    def _sort_all(self, now: datetime) -> None:
        """Sort every stored post by the rules as they are now.

        Until that is done the store says by a mark of its own that it is under way: whoever dies meanwhile, or saves posts by
        other rules, leaves the store as one that is to be sorted anew.
        """
        mark, moved = f"{self._rules} {uuid4().hex}", 0
        with self._store.writing() as transaction:
            transaction.set_rules(mark)
        for batch in _batches(self._store.every_post(), 200):
            with self._store.writing() as transaction:
                memberships = {post.id: self._classifier.classify(post) for post in batch}
                topics = _sort(transaction, memberships, dict.fromkeys(memberships, KNOWN), now)
                transaction.touch(set[str]().union(*topics.values()))
                moved += sum(map(bool, topics.values()))
        with self._store.writing() as transaction:
            stored = transaction.topics.sorted_by()
            if stored == mark:
                transaction.set_rules(self._rules)
            elif stored.partition(" ")[0] != self._rules:  # else another process does the same
                transaction.set_rules("")
        log.info("topics.reclassified", posts_moved=moved)


def _sort(
    transaction: Transaction,
    memberships: Mapping[str, Sequence[Membership]],
    arrivals: Mapping[str, Arrival],
    now: datetime,
    *,
    but: Collection[str] = (),
) -> dict[str, set[str]]:
    """Replace the memberships of posts, ``but`` some, noting who is late where; per post the topics that it entered or left."""
    moved = transaction.sort(memberships, but=but)
    entered = {post: topics & topics_of(memberships[post]) for post, topics in moved.items()}
    for post, arrival in arrivals.items():
        entered[post] |= {ALL} if arrival.is_new else set()
    slugs = set[str]().union(*entered.values())
    states = transaction.topics.states(slugs) if slugs else {}
    for post, topics in moved.items():
        late = [slug for slug in entered[post] if slug in states and arrivals[post].is_late(states[slug])]
        if late or topics - entered[post]:
            transaction.topics.forget_late(post, topics - entered[post])
            transaction.topics.add_late(post, late, now)
    return moved


def _batches(posts: Iterable[Post], size: int) -> Iterable[list[Post]]:
    batch: list[Post] = []
    for post in posts:
        batch.append(post)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
