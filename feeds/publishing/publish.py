"""Turns the posts of topics into bytes in service: select, render, check, encode, compare, put in place.

What did not change is not touched: the same bytes keep their validators. It renders nothing itself and keeps no state but the
store's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

import structlog
from pydantic import BaseModel

from feeds import __version__
from feeds.addresses import feed_path, feed_urls, page_path, page_url, path_of, revised_urls
from feeds.formats import FORMATS, directory, opml, pages
from feeds.formats.elements import STYLESHEET
from feeds.model import Feed, Site, Topic
from feeds.publishing import gate
from feeds.publishing.build import UNFIT, Build, build
from feeds.publishing.compression import encode
from feeds.publishing.documents import all_posts, interval_of, origins_of, revised, selections
from feeds.publishing.farewell import farewell
from feeds.publishing.history import Edition, History, SupersededError
from feeds.refreshing.identity import tag_uri
from feeds.serving.headers import CORS, caching, of_feed
from feeds.serving.representation import Headers, opaque_tag
from feeds.settings import Settings
from feeds.store import Publication, Store, TopicCount, TopicRow, TopicState, Transaction
from feeds.topics import lifecycle
from feeds.topics.classify.judge import RULES

log = structlog.get_logger(__name__)

DIRECTORY = ""
"""What lists all topics is published like a topic; this is the slug that no topic can have."""

_HTML = "text/html; charset=utf-8"
_JSON = "application/json"
_CSS = "text/css; charset=utf-8"


def every_topic(settings: Settings) -> tuple[Topic, ...]:
    """The built-in topic ``all``, then the configured ones in their order."""
    return (all_posts(settings.site), *settings.topics)


def fingerprint(*values: BaseModel | str) -> str:
    """A short name for a piece of configuration as this version of the program reads it."""
    plain = [value if isinstance(value, str) else value.model_dump(mode="json") for value in values]
    return hashlib.sha256(json.dumps([__version__, *plain], sort_keys=True).encode()).hexdigest()[:32]


def classification_rules(settings: Settings) -> str:
    """The fingerprint of everything that decides which topics a post is in."""
    return fingerprint(RULES, settings.site.language, *settings.topics, *settings.overrides)


def topic_rows(settings: Settings, now: datetime) -> dict[str, TopicRow]:
    """Per topic where it stands, the feed id to mint if it is new, and the fingerprint of what its feed is rendered from."""
    authority = urlsplit(settings.site.home).netloc
    standings = lifecycle.standings(settings.topics, settings.site, now=now)
    beside, rows = f"{interval_of(settings)} {origins_of(settings)}", {}
    for topic in every_topic(settings):
        standing, minted = standings[topic.slug], tag_uri(authority, now.date(), f"topics/{topic.slug}")
        rules = fingerprint(settings.site, topic, standing.phase, beside)
        rows[topic.slug] = TopicRow(minted, rules, topic.title, standing)
    phases = [standings[topic.slug].phase for topic in settings.topics]
    return rows | {DIRECTORY: TopicRow("", fingerprint(settings.site, *settings.topics, *phases))}


def publish_pending(settings: Settings, store: Store, now: datetime) -> int:
    """Publish the topics that changed since they were last published; how many representations that replaced."""
    states = store.topics()
    live = [topic for topic in every_topic(settings) if states[topic.slug].phase in lifecycle.SERVING]
    pending = [topic for topic in live if states[topic.slug].changed != states[topic.slug].published]
    replaced = sum(_publish_topic(settings, store, topic, states[topic.slug], now) for topic in pending)
    return replaced + _publish_directory(settings, store, now)


def _publish_directory(settings: Settings, store: Store, now: datetime) -> int:
    state = store.topics()[DIRECTORY]
    if state.changed == state.published:
        return 0
    built = _compressed(_directory(settings, store.counts(), now), settings)
    with store.writing() as transaction:
        transaction.set_published(DIRECTORY, state.changed)
        return sum(_put(transaction, publication, now) for publication in built)


def publish_by_force(settings: Settings, store: Store, slug: str, now: datetime) -> int:
    """Publish a topic although it loses entries or renames them, because the owner wants it so; representations replaced."""
    (topic,) = (topic for topic in every_topic(settings) if topic.slug == slug)
    log.warning("publish.forced", topic=slug)
    return _publish_topic(settings, store, topic, replace(store.topics()[slug], accepted=""), now)


def _publish_topic(settings: Settings, store: Store, topic: Topic, state: TopicState, now: datetime) -> int:
    end = None if topic.retired is None or state.phase == "open" else lifecycle.closes(topic, settings.site)
    history = History(settings, store, topic, state, now=now, end=end)
    try:
        edition = history.next_edition()
        feed = edition.feed if end is None else _closed(settings, topic, edition.feed, end)
        built = build(feed, now=now, unminted=edition.unminted)
        if state.accepted == state.rules:  # else the owner's new configuration accounts for what goes
            gate.check_change(feed_path(topic.slug, "*"), edition.before, built.feed.posts)
        variants = [*selections(built.feed), *_revised(store, topic, built.feed)]
        selected = [build(feed, now=now, unminted=edition.unminted) for feed in variants]
        compressed = _compressed([*_publications([built, *selected]), _topic_page(built.feed, topic)], settings)
        with history.turn() as transaction:
            history.put(transaction, edition)
            transaction.accept(topic.slug, state.rules)
            replaced = sum(_put(transaction, publication, now) for publication in compressed)
            replaced += transaction.unpublish(topic.slug, keep=[publication.path for publication in compressed])
            if replaced:
                transaction.touch([DIRECTORY])
            refused = _refused(edition, built, *selected)
            filled = now if built.feed.posts else None
            transaction.set_published(topic.slug, state.changed, error="; ".join(refused.values()), filled=filled)
    except SupersededError:
        return 0  # it is still pending, if what the other process published is not what is wanted
    except UNFIT as error:
        log.error("publish.refused", topic=topic.slug, error=str(error))  # noqa: TRY400  the rule says it all
        with store.writing() as transaction:
            transaction.set_published(topic.slug, state.changed, error=str(error))
        return 0
    for post, reason in refused.items():
        log.error("publish.left_out", topic=topic.slug, post=post, reason=reason)
    if replaced:
        log.info("publish", topic=topic.slug, entries=len(built.feed.posts), replaced=replaced)
    return replaced


def _revised(store: Store, topic: Topic, feed: Feed) -> list[Feed]:
    """The topic's feed that tells of revisions as well, if its owner wants one."""
    if not topic.revised:
        return []
    with store.entries() as entries:
        known = [[post.id for post in feed.posts], [entry.ref for entry in feed.deleted]]
        return [revised(feed, [found for ids in known for found in entries.revisions(ids, limit=feed.site.items)])]


def _closed(settings: Settings, topic: Topic, feed: Feed, end: datetime) -> Feed:
    """A retired topic's feed, with the last entry of all."""
    assert topic.retired is not None
    to, site = topic.retired.to, settings.site
    titles = {other.slug: other.title for other in every_topic(settings)}
    heir = (titles[to], page_url(site, to)) if to in titles else (to or site.title, to or site.public_url)
    last = farewell(topic, feed_id=feed.id, at=end, site=site, heir=heir)
    return replace(feed, posts=(last, *feed.posts), updated=max(feed.updated, last.updated), ended=True)


def _refused(edition: Edition, *builds: Build) -> dict[str, str]:
    """The posts that had to be left out, with the reasons."""
    parts = (*(document.built for document in edition.documents), *builds)
    return {post: reason for part in parts for post, reason in part.refused.items()}


def _publications(builds: Iterable[Build]) -> Iterator[Publication]:
    """A feed in every format, under the path and query of its address."""
    for built in builds:
        feed = built.feed
        for suffix, body in built.bodies.items():
            path, media_type = path_of(feed.site, feed.urls[suffix]), FORMATS[suffix].content_type
            headers = of_feed(feed.site, feed.urls[suffix], feed.slug)
            yield _publication(path, body, topic=feed.slug, media_type=media_type, modified=feed.updated, headers=headers)


def _topic_page(feed: Feed, topic: Topic) -> Publication:
    page, headers = pages.topic_page(feed, revised_urls(feed.site, topic)), caching(feed.site, feed.slug)
    return _publication(page_path(feed.slug), page, topic=feed.slug, media_type=_HTML, modified=feed.updated, headers=headers)


def _directory(settings: Settings, counts: Mapping[str, TopicCount], now: datetime) -> Iterator[Publication]:
    """The pages that list all topics."""
    site = settings.site
    standings = lifecycle.standings(settings.topics, site, now=now)
    listed = [topic for topic in every_topic(settings) if standings[topic.slug].phase == "open"]
    entries = [_entry(site, topic, counts.get(topic.slug, TopicCount())) for topic in listed]
    newest = max((entry.newest for entry in entries if entry.newest), default=now)
    for path, body, media_type, headers in (
        ("/", pages.index_page(site, entries), _HTML, []),
        ("/api/topics.json", directory.topics_json(site, entries), _JSON, [CORS]),
        (f"/{directory.OPML}", opml.render(site, entries), opml.MEDIA_TYPE, [CORS]),
        (f"/{STYLESHEET}", pages.stylesheet(), _CSS, []),
    ):
        yield _publication(
            path, body, topic="", media_type=media_type, modified=newest, headers=[*caching(site, DIRECTORY), *headers]
        )


def _entry(site: Site, topic: Topic, count: TopicCount) -> directory.Entry:
    page, urls = page_url(site, topic.slug), feed_urls(site, topic.slug)
    revised = revised_urls(site, topic)
    return directory.Entry(topic.slug, topic.title, topic.description, page, urls, count.posts, count.newest, revised)


def _publication(path: str, body: bytes, *, topic: str, media_type: str, modified: datetime, headers: Headers) -> Publication:
    return Publication(path, topic, opaque_tag(body), media_type, modified, headers, {"identity": body})


def _compressed(built: Iterable[Publication], settings: Settings) -> list[Publication]:
    """The same with every content coding; outside of any transaction, as it takes its time."""
    return [replace(made, codings=encode(made.codings["identity"], settings.compression)) for made in built]


def _put(transaction: Transaction, built: Publication, now: datetime) -> bool:
    """Put a representation into service if it differs from what is there.

    The first one at a path is as old as its content; one that replaces another is as old as the moment it does, so that a
    client which only compares times never misses a change.
    """
    present = transaction.publication(built.path)
    if present is None:
        transaction.publish(built)
        return True
    tag, _, media_type, headers = present
    if (tag, media_type, headers) == (built.tag, built.media_type, built.headers):
        return False
    transaction.publish(replace(built, last_modified=now))
    return True
