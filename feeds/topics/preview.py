"""Says what subscribers would see if a configuration were taken into service now: by doing it, on a copy, and comparing.

The copy goes through the same code as the real thing, so that the answer is what then happens. The store itself is only read.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from lxml import etree

from feeds.addresses import feed_path, revised_name, topic_of
from feeds.publishing.documents import post_of
from feeds.publishing.publish import publish_pending
from feeds.refreshing.sorting import Sorting
from feeds.settings import Settings
from feeds.store import Store
from feeds.store.copying import copy_of, documents, members
from feeds.topics.lifecycle import SERVING, Addresses, Standing

Status = Literal["kept", "new", "renamed", "merged", "retired", "gone", "lost"]

_ATOM = "{http://www.w3.org/2005/Atom}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


_WORDS = ("id", "title", "subtitle", "author", "contributor", "rights", "icon", "logo", "category")
"""The elements in which a feed speaks of itself (RFC 4287 §4.1.1), but for its program, its time, and addresses of the feed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as a reader knows it; ``rest`` is the fingerprint of all that it shows of it, text and tags included."""

    id: str
    title: str
    link: str
    updated: str
    rest: str


@dataclass(frozen=True, slots=True)
class Document:
    """A feed as a reader sees it: its own words (id, title, author, …, language, page), its entries in order, its bytes."""

    words: Mapping[str, str]
    entries: tuple[Entry, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """What the subscribers of one feed would see.

    ``slug`` is the topic as they subscribed to it (its feed with revisions has the name that it has in addresses), ``leads_to``
    where that leads afterwards. ``appear`` was not in the topic, ``resurface`` was, but no longer in its feed; ``new_ids`` are
    pairs of one post under two ids; ``words`` is what the feed says of itself, before and after. ``rewritten``: the document's
    bytes differ and nothing that a reader shows.
    """

    slug: str
    status: Status
    leads_to: str
    appear: tuple[Entry, ...]
    resurface: tuple[Entry, ...]
    vanish: tuple[Entry, ...]
    changed: tuple[Entry, ...]
    new_ids: tuple[tuple[Entry, Entry], ...]
    words: Mapping[str, tuple[str, str]]
    rewritten: bool

    @property
    def is_seen(self) -> bool:
        """Whether a subscriber notices."""
        seen = (self.appear, self.resurface, self.vanish, self.changed, self.new_ids, self.words)
        return self.status != "kept" or any(seen)


@dataclass(frozen=True, slots=True)
class _State:
    """What is in service: the feeds by their names in addresses, who is in which topic, where slugs stand."""

    feeds: Mapping[str, Document]
    members: frozenset[tuple[str, str]]
    addresses: Addresses


def preview(settings: Settings, now: datetime) -> tuple[Change, ...]:
    """What would change, feed by feed. Raises StoreError when the store cannot be read."""
    with tempfile.TemporaryDirectory(prefix="topicfeeds-preview-") as folder:
        store = copy_of(settings.database_url, Path(folder))
        try:
            before = _state(store)
            sorting = Sorting(settings, store)
            sorting.align(now)
            sorting.release(now)
            publish_pending(settings, store, now)
            after = _state(store)
        finally:
            store.close()
    return tuple(change for change in _changes(before, after) if change.is_seen or change.rewritten)


def _state(store: Store) -> _State:
    found = {
        name: read(body)
        for topic, path, body in documents(store, ".atom")
        for name in _names(topic)
        if path == feed_path(name, "atom")
    }
    return _State(found, frozenset(members(store)), Addresses(store.standings()))


def _names(topic: str) -> tuple[str, str]:
    """What a topic's feeds are called in addresses."""
    return topic, revised_name(topic)


def read(body: bytes) -> Document:
    """An Atom document as a reader sees it."""
    root = etree.fromstring(body)
    words = {name: ", ".join(map(_said, root.iterfind(f"{_ATOM}{name}"))) for name in _WORDS}
    entries = tuple(_entry(entry) for entry in root.iterfind(f"{_ATOM}entry"))
    return Document(words | {"language": root.get(_LANGUAGE) or "", "page": _link(root)}, entries, body)


def _said(element: etree._Element) -> str:
    """What an element of the feed says: its text and its parts', and of a category its name."""
    parts = [text for part in element.itertext() if (text := str(part).strip())]
    return " ".join(parts) or element.get("label") or element.get("term") or ""


def _entry(entry: etree._Element) -> Entry:
    entry_id, title, updated = (entry.findtext(f"{_ATOM}{name}") or "" for name in ("id", "title", "updated"))
    rest = hashlib.sha256(etree.tostring(entry, method="c14n", exclusive=True, with_tail=False)).hexdigest()[:16]
    return Entry(entry_id, title, _link(entry), updated, rest)


def _link(element: etree._Element) -> str:
    """What it is about: the page of a feed or an entry."""
    links = (link for link in element.iterfind(f"{_ATOM}link") if link.get("rel", "alternate") == "alternate")
    return next((link.get("href") or "" for link in links), "")


def _changes(before: _State, after: _State) -> list[Change]:
    """By feed: first those that have subscribers, then those that are new."""
    heirs = {_settled(name, after.addresses) for name in before.feeds}
    changes = [_change(name, document, before, after) for name, document in sorted(before.feeds.items())]
    fresh = sorted(after.feeds.keys() - heirs)
    return changes + [_compared(slug, "new", slug, (None, after.feeds[slug]), frozenset()) for slug in fresh]


def _settled(name: str, addresses: Addresses) -> str:
    """The name that a feed's name leads to at last, of the same kind."""
    slug = topic_of(name)
    return addresses.settle(slug) + name.removeprefix(slug)


def _change(name: str, document: Document, before: _State, after: _State) -> Change:
    slug, same = topic_of(name), _settled(name, after.addresses)
    last = same if same in after.feeds else topic_of(same)
    there = after.feeds.get(last)
    was = before.addresses.standings.get(slug, Standing("open"))
    is_same = there is not None and there.words["id"] == document.words["id"]
    status = _status(slug, was, after.addresses, same_feed=is_same) if last == same or not there else "merged"
    known = frozenset(post for topic, post in before.members if topic == slug)
    return _compared(name, status, last if there else after.addresses.gone.get(last, ""), (document, there), known)


def _status(slug: str, was: Standing, addresses: Addresses, *, same_feed: bool) -> Status:
    standing = addresses.standings[addresses.settle(slug)]
    if standing.phase == "gone":
        return "gone"
    if addresses.settle(slug) != slug:
        return "renamed" if same_feed else "merged"
    if standing.phase == was.phase or standing.phase not in SERVING:
        return "kept"
    return "retired" if standing.phase == "closing" else "lost" if standing.phase == "lost" else "kept"


def _compared(
    slug: str, status: Status, leads_to: str, feeds: tuple[Document | None, Document | None], known: frozenset[str]
) -> Change:
    before, after = feeds
    old = {entry.id: entry for entry in before.entries} if before else {}
    new = {entry.id: entry for entry in after.entries} if after else {}
    incoming = [entry for key, entry in new.items() if key not in old]
    outgoing = [entry for key, entry in old.items() if key not in new]
    by_link = {entry.link: entry for entry in outgoing}
    again = [(by_link[entry.link], entry) for entry in incoming if entry.link in by_link]
    renamed = {entry.id for pair in again for entry in pair}
    fresh = [entry for entry in incoming if entry.id not in renamed]
    words = {} if before is None or after is None else {
        name: (value, after.words[name]) for name, value in before.words.items() if value != after.words[name]
    }  # fmt: skip
    return Change(
        slug, status, leads_to,
        appear=tuple(entry for entry in fresh if post_of(entry.id) not in known),
        resurface=tuple(entry for entry in fresh if post_of(entry.id) in known),
        vanish=tuple(entry for entry in outgoing if entry.id not in renamed),
        changed=tuple(entry for key, entry in new.items() if key in old and old[key] != entry),
        new_ids=tuple(again),
        words=words,
        rewritten=before is not None and after is not None and before.body != after.body,
    )  # fmt: skip
