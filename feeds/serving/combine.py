"""Makes the feeds of combined topics, in a process of its own beside each web worker: ``python -m feeds.serving.combine``.

A web worker that rendered would answer everybody else later. This process sees the store as it is, and keeps nothing.
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Collection
from datetime import UTC, datetime, time

from sqlalchemy.exc import SQLAlchemyError

from feeds.addresses import feed_path, feed_urls
from feeds.configuration import Compression, Content
from feeds.errors import StoreError
from feeds.formats import FORMATS
from feeds.model import ALL, Feed, Site, Topic
from feeds.publishing.build import UNFIT, Build, build
from feeds.publishing.compression import encode
from feeds.publishing.documents import all_posts
from feeds.publishing.splice import Splicer
from feeds.running import logs
from feeds.running.child import answer_parent, ignore_signals
from feeds.serving.headers import of_feed
from feeds.serving.renderer import Failure, Publisher, Question, Rendered
from feeds.serving.representation import opaque_tag
from feeds.store import Publication, Store, open_store
from feeds.store.selections import Standing, newest_of, standings
from feeds.topics.lifecycle import Addresses
from feeds.topics.selection import Selection, identifier, in_words

_NICE = 10


class Combiner:
    """Answers questions of a web worker; the first thing it is told is for which publication."""

    def __init__(self) -> None:
        self._publisher: Publisher | None = None
        self._store: Store | None = None

    def __call__(self, message: Publisher | Question) -> Rendered | Failure | None:
        """A representation, None where it is as the worker knows it, or why there is none."""
        try:
            if isinstance(message, Publisher):
                self._publisher, self._store = message, open_store(message.database_url)
                return None
            assert self._publisher is not None
            assert self._store is not None
            return render(self._publisher, self._store, message, now=datetime.now(UTC))
        except (SQLAlchemyError, StoreError) as error:
            return Failure(f"the store cannot be read: {getattr(error, 'orig', None) or error}")
        except UNFIT as error:
            return Failure(f"it cannot be published: {error}")


def render(publisher: Publisher, store: Store, question: Question, *, now: datetime) -> Rendered | Failure | None:
    """The representation that is asked for; None where nothing changed that it rests on."""
    selection, suffix, known = question
    slugs = sorted({ALL, *selection.topics})
    standing = standings(store, slugs)
    if [topic.slug for topic in standing] != slugs:
        return Failure("nothing has been published yet")
    relevant = tuple(topic for topic in standing if topic.slug in selection.topics)
    if relevant == known:
        return None
    feed = feed_of(publisher, selection, {topic.slug: topic for topic in standing}, store)
    with store.entries() as entries:
        unminted = entries.unminted([post.id for post in feed.posts])
    forgetful = Splicer()  # anybody may ask for anything: what is remembered of it would have no bound
    built = build(feed, now=now, suffixes=[suffix], unminted=unminted, splicer=forgetful)
    publication = _publication(built, suffix, selection.topics, publisher.compression)
    changes = [topic.modified for topic in relevant if topic.modified]
    return Rendered(publication, max([feed.updated, *changes]), relevant)


def _publication(built: Build, suffix: str, topics: Collection[str], levels: Compression) -> Publication:
    feed, body, path = built.feed, built.bodies[suffix], feed_path(built.feed.slug, suffix)
    headers = of_feed(feed.site, feed.urls[suffix], *sorted(topics))
    return Publication(path, "", opaque_tag(body), FORMATS[suffix].content_type, feed.updated, headers, encode(body, levels))


def feed_of(publisher: Publisher, selection: Selection, standing: dict[str, Standing], store: Store) -> Feed:
    """A combination's feed as a value. Its identity rests on those of its topics: equal in every process, for ever."""
    site, posts = publisher.site, newest_of(store, selection, limit=publisher.site.items)
    title, description = _words(site, publisher.topics, selection, standing)
    return Feed(
        id=_feed_id(selection, standing),
        slug=str(selection),
        title=title,
        description=description,
        home=site.public_url,
        urls=feed_urls(site, str(selection)),
        site=site,
        updated=max((post.updated for post in posts), default=datetime.combine(standing[ALL].since.date(), time.min, UTC)),
        posts=posts,
        interval=publisher.interval,
        origins=dict(publisher.origins),
        content=_content(publisher, selection, store),
    )


def _content(publisher: Publisher, selection: Selection, store: Store) -> Content:
    """As little as the strictest of its topics; of one that is newer than this process's configuration nobody knows better."""
    site, policies = publisher.site, dict[str, Content]()
    for topic in (all_posts(site), *publisher.topics):
        policies[topic.slug] = topic.content or site.content
    if not policies.keys() >= set(selection.topics):
        addresses = Addresses(store.standings())
        policies = {addresses.settle(slug): policy for slug, policy in policies.items()} | policies
    return "summary" if any(policies.get(slug, "summary") == "summary" for slug in selection.topics) else "full"


def _feed_id(selection: Selection, standing: dict[str, Standing]) -> str:
    """Authority and date are those of the feed of all posts, minted when the publication began."""
    beginning = standing[ALL].feed_id.rpartition(":")[0]
    name = identifier(selection, {topic.slug: topic.feed_id for topic in standing.values()})
    return f"{beginning}:combinations/{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def _words(site: Site, topics: tuple[Topic, ...], selection: Selection, standing: dict[str, Standing]) -> tuple[str, str]:
    """Title and description. The store knows topics of a configuration that this process does not have yet."""
    every, stored = (all_posts(site), *topics), {slug: topic.title or slug for slug, topic in standing.items()}
    titles = stored | {topic.slug: topic.title for topic in every}
    names = stored | {topic.slug: topic.name or topic.title for topic in every}
    title = in_words(selection, titles, names)
    if selection.any_of == ((ALL,),):
        return f"{title} — {site.title}", f"{title}, from {site.title}."
    return f"{title} — {site.title}", f"Posts on {in_words(selection, names, names)}, from {site.title}."


if __name__ == "__main__":
    ignore_signals(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
    os.nice(_NICE)
    logs.configure()
    answer_parent(Combiner())
