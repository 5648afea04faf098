"""Looks into the classification of stored posts: opens the store and asks the rules, changing nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from feeds.model import ALL, Post, Verdict
from feeds.refreshing.keys import url_key
from feeds.settings import Settings
from feeds.store import Store, open_store
from feeds.store.migrate import open_migrated
from feeds.topics import lifecycle
from feeds.topics.classify import Classifier
from feeds.topics.evaluation import Score, evaluate
from feeds.topics.labels import read


def explain(settings: Settings, name: str) -> tuple[Post, Sequence[Verdict], frozenset[str]] | None:
    """The post that a URL, guid or id names, the verdict on every topic, and which topics are retired by now.

    None where nothing is known of it.
    """
    post = stored(open_migrated(settings.database_url), name)
    if post is None:
        return None
    now = datetime.now(UTC)
    retired = (topic.slug for topic in settings.topics if lifecycle.phase(topic, settings.site, now=now) != "open")
    return post, classifier(settings).explain(post), frozenset(retired)


def holds_posts(settings: Settings) -> bool:
    """Whether any post is stored yet; the store is only read."""
    store = open_store(settings.database_url)
    try:
        return store.counts()[ALL].posts > 0
    except SQLAlchemyError:
        return False  # there is none yet
    finally:
        store.close()


def measure(settings: Settings, labels: Path) -> tuple[tuple[Score, ...], list[str]]:
    """How well the topics do on posts that a person judged, and the labels' topics that are none. Raises LabelsError."""
    opened: list[Store] = []

    def look(name: str) -> Post | None:
        if not opened:
            opened.append(open_migrated(settings.database_url))
        return stored(opened[0], name)

    judged = list(read(labels, look))
    named = {slug for label in judged for slug in (*label.belongs, *label.not_)}
    rules = Classifier(settings.topics, language=settings.site.language)  # the owner's exceptions say nothing of them
    return evaluate(judged, rules.explain), sorted(named - {topic.slug for topic in settings.topics})


def classifier(settings: Settings) -> Classifier:
    """The configured topics, compiled."""
    return Classifier(settings.topics, language=settings.site.language, overrides=settings.overrides)


def stored(store: Store, name: str) -> Post | None:
    """The post that a URL, guid or id names."""
    return store.history(keys_of(store, name))[0]


def keys_of(store: Store, name: str) -> list[str]:
    """Every key by which the ledger may know a name."""
    keys = [name, f"guid:{name}"]
    if "://" in name:
        keys.append(url_key(name))
    return keys + [f"guid:{source}:{name}" for source in store.sources()]
