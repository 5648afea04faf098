"""Publications with a history, and those who read it: posts come, change and go, and crawlers follow the chain of documents."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

from lxml import etree

from app import create_app
from feeds.model import Membership
from feeds.publishing import publish
from feeds.refreshing.identity import content_digest
from feeds.settings import load
from feeds.store.migrate import open_migrated
from tests.builders import a_post, at
from tests.conftest import write_config
from tests.fakes import Time

ITEMS, ARCHIVE = 4, 6
NS = {"a": "http://www.w3.org/2005/Atom", "at": "http://purl.org/atompub/tombstones/1.0"}
IMMUTABLE = "max-age=31536000, immutable"


class World:
    """A publication over a real store: posts come, change and go; readers ask for documents."""

    def __init__(self, folder, database, **site):
        self.clock = Time()
        self._folder, self._database = folder, database
        self.app = None
        self.configure(**site)
        self._count = 0
        self._dated = at("2020-01-01")
        self.shown = {}  # what the topic 'go-concurrency' should have, by id

    def close(self):
        """Let go of the store and of what serves."""
        if self.app is not None:
            self.store.close()
            for part in ("shelf", "combinations", "counting", "store"):
                self.app.extensions["topicfeeds"][part].close()

    def configure(self, **site):
        self.close()
        tables = {"site": {"items": ITEMS, "archive_items": ARCHIVE, **site}}
        config = write_config(self._folder, "https://blog.example", database=self._database, **tables)
        self.settings = load(config, environ={})
        self.store = open_migrated(self.settings.database_url)
        with self.store.writing() as transaction:
            transaction.keep_topics(publish.topic_rows(self.settings, self.clock()), self.clock())
            transaction.set_rules(publish.classification_rules(self.settings))
        self.app = create_app(self.settings)
        self.app.extensions["topicfeeds"]["shelf"].close()

    def add(self, count=1, *, late=False):
        posts = []
        for _ in range(count):
            self._count += 1
            self._dated += timedelta(hours=1)
            published = self._dated - timedelta(days=900) if late else self._dated
            n = self._count
            post = a_post(id=f"tag:blog.example,2020:{n}", url=f"https://blog.example/{n}/", title=f"Post {n}", published=published)
            posts.append(post)
        self.save(*posts)
        return post.id

    def save(self, *posts):
        with self.store.writing() as transaction:
            transaction.save_posts([(post, False) for post in posts])
            transaction.learn({f"guid:blog:{post.id}": post.id for post in posts}, self.clock())
            transaction.sort({post.id: (Membership("go-concurrency", 3.0, ()),) for post in posts})
            transaction.set_present([post.id for post in posts])
            transaction.touch(["all", "go-concurrency"])
        self.shown |= {post.id: post for post in posts}

    def edit(self, entry_id):
        self.clock.advance(minutes=1)
        post = replace(self.shown[entry_id], content=f"<p>Edited at {self.clock()}.</p>", updated=self.clock())
        self.save(replace(post, digest=content_digest(post)))

    def withdraw(self, entry_id):
        self.clock.advance(minutes=1)
        with self.store.writing() as transaction:
            transaction.withdraw([entry_id], self.clock())
            transaction.touch(["all", "go-concurrency"])
        return self.shown.pop(entry_id)

    def leave(self, entry_id):
        with self.store.writing() as transaction:
            transaction.save_memberships(entry_id, [])
            transaction.touch(["go-concurrency"])
        return self.shown.pop(entry_id)

    def publish(self, store=None):
        self.clock.advance(minutes=1)
        publish.publish_pending(self.settings, store or self.store, self.clock())
        assert not [slug for slug, topic in self.store.topics().items() if topic.changed != topic.published]
        self.app.extensions["topicfeeds"]["shelf"].load()

    def get(self, target):
        response = self.app.test_client().get(target)
        assert response.status_code == 200, (target, response.status)
        return response

    def read(self, target):
        """A document, and the address of the one before it in the chain."""
        response = self.get(target)
        path = response.request.path
        ids, before = READ[path.rpartition(".")[2]](response.data)
        return Read(path, ids, response.headers["Cache-Control"], response.data), before

    def crawl(self, suffix="atom", slug="go-concurrency", *, between=lambda: None):
        """Every document of the chain, the subscription document first: its path, ids and Cache-Control."""
        target, documents = f"/feeds/{slug}.{suffix}", []
        while target:
            document, target = self.read(target)
            documents.append(document)
            between()
        return documents


class Read:
    def __init__(self, path, ids, caching, body):
        self.path, self.ids, self.closed, self.body = path, ids, caching == IMMUTABLE, body


def _read_xml(path, identifier):
    def read(body):
        root = etree.fromstring(body)
        links = [link.get("href") for link in root.iter(f"{{{NS['a']}}}link") if link.get("rel") == "prev-archive"]
        return [entry.findtext(identifier, namespaces=NS) for entry in root.findall(path, NS)], _target(links)

    return read


def _read_json(body):
    document = json.loads(body)
    return [item["id"] for item in document["items"]], _target([document["next_url"]] if "next_url" in document else [])


def _target(links):
    assert len(links) <= 1
    return "".join(f"{parts.path}?{parts.query}" for parts in map(urlsplit, links))


READ = {"atom": _read_xml("a:entry", "a:id"), "rss": _read_xml("channel/item", "guid"), "json": _read_json}


def ids(documents):
    return [entry_id for document in documents for entry_id in document.ids]


class Events:
    """What happens to a publication, by chance; ``a_few_times`` limits it while a crawler reads, whose way would never end."""

    def __init__(self, world, seed, *, most=8, resize=0.1):
        self.world, self.most, self.resize = world, most, resize
        self.chance = random.Random(seed)
        self.gone, self.edited = {}, set()

    def __call__(self):
        for _ in range(self.chance.randrange(4)):
            self._one(self.chance.choice(["add", "add", "add", "late", "edit", "withdraw", "leave", "back"]))
        if self.chance.random() < self.resize:
            sizes = {"items": self.chance.randrange(1, 8), "archive_items": self.chance.randrange(2, 9)}
            self.world.configure(title=f"Title {self.chance.random()}", **sizes)
        self.world.publish()

    def a_few_times(self):
        left = iter(range(3))
        return lambda: self() if next(left, None) is not None else None

    def _one(self, event):
        present = sorted(self.world.shown)
        if event in ("add", "late"):
            self.world.add(self.chance.randrange(1, self.most + 1), late=event == "late")
        elif event == "back" and self.gone:
            self.world.save(self.gone.pop(self.chance.choice(sorted(self.gone))))
        elif present and event == "edit":
            self.edited.add(entry_id := self.chance.choice(present))
            self.world.edit(entry_id)
        elif present and event in ("withdraw", "leave"):
            post = getattr(self.world, event)(self.chance.choice(present))
            self.gone[post.id] = post


class Follower:
    """A reader that asks for the subscription document from time to time, and reads no archive document twice (RFC 5005 §4)."""

    def __init__(self, world, suffix):
        self._world, self._suffix = world, suffix
        self._known = set()
        self.has = set()

    def poll(self):
        """Read on from the subscription document, to the first archive document that it has read before."""
        target = f"/feeds/go-concurrency.{self._suffix}"
        while target and target not in self._known:
            document, before = self._world.read(target)
            self.has.update(document.ids)
            if "/archive/" in target:
                self._known.add(target)
            target = before


class Audit:
    """What must be true of every edition: called after each, in every format."""

    def __init__(self, world, events):
        self._world, self._events = world, events
        self._closed = {}
        self.documents = 0

    def __call__(self):
        for suffix in READ:
            documents = self._world.crawl(suffix)
            self._check_posts(documents)
            self._check_chain(documents, suffix)
            self.documents = max(self.documents, len(documents))

    def _check_posts(self, documents):
        archived, found, shown = ids(documents[1:]), set(ids(documents)), set(self._world.shown)
        assert len(archived) == len(set(archived)), "an entry is in two archive documents"
        assert len(documents[0].ids) == len(set(documents[0].ids)), "an entry is in a document twice"
        assert set(documents[0].ids) & set(archived) <= self._events.edited, "only a corrected post is in both"
        assert shown <= found, "a post is lost"
        assert found - shown <= set(self._events.gone), "an entry that is no post"

    def _check_chain(self, documents, suffix):
        numbers = range(len(documents) - 1, 0, -1)
        assert [document.path for document in documents[1:]] == [f"/feeds/go-concurrency/archive/{n}.{suffix}" for n in numbers]
        for document in (document for document in documents if document.closed):
            assert self._closed.setdefault(document.path, document.body) == document.body, "closed bytes changed"
        still = {document.path for document in documents if document.closed}
        assert {path for path in self._closed if path.endswith(suffix)} <= still, "a closed document is closed no more"
