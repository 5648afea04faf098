"""What preview says of a change is what people's readers then show: four of them subscribe, before and after."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import timedelta

import feedparser
import feedparser_sgmllib
import pytest
import reader
from werkzeug.serving import make_server

from app import create_app
from feeds.topics.preview import preview
from tests.conftest import dump, find_port, open_pipeline
from tests.fakes import NOW

sys.modules.setdefault("sgmllib", feedparser_sgmllib)  # reader's own feedparser asks for it by its former name

GO = {"slug": "go", "title": "Go", "terms": ["goroutine"]}
RAFT = {"slug": "raft", "title": "Raft", "terms": ["quorum"]}
LOCKS = {"slug": "locks", "title": "Locks", "terms": ["seqlock"]}
WIDER = {**GO, "terms": ["goroutine", "seqlock"]}
POST = "https://blog.example/{}/"

EDITS = {
    "nothing": {},
    "topic added": {"topics": [GO, RAFT, LOCKS]},
    "rule that adds": {"topics": [WIDER, RAFT]},
    "rule that adds, none let out": {"topics": [WIDER, RAFT], "site": {"late_additions": 0}},
    "rule that adds, two let out": {"topics": [WIDER, RAFT], "site": {"late_additions": 2}},
    "rule that removes": {"topics": [{**GO, "never": ["About goroutine 3"]}, RAFT]},
    "rule that empties": {"topics": [{**GO, "terms": ["nothing"]}, RAFT]},
    "rule that exchanges": {"topics": [{**GO, "terms": ["quorum"]}, {**RAFT, "terms": ["goroutine"]}]},
    "threshold": {"topics": [{**GO, "threshold": 9}, RAFT]},
    "override that adds": {"overrides": [{"post": POST.format("seqlock/3"), "add": ["go"]}]},
    "override that removes": {"overrides": [{"post": POST.format("goroutine/3"), "topics": ["raft"]}]},
    "rename": {"topics": [{**GO, "slug": "golang", "aliases": ["go"]}, RAFT]},
    "rename and widen": {"topics": [{**WIDER, "slug": "golang", "aliases": ["go"]}, RAFT]},
    "merge": {"topics": [{**GO, "terms": ["goroutine", "quorum"], "aliases": ["raft"]}]},
    "merge into a new one": {"topics": [{**GO, "slug": "both", "terms": ["goroutine", "quorum"], "aliases": ["go", "raft"]}]},
    "split": {"topics": [{**GO, "terms": ["goroutine 1"]}, RAFT, {"slug": "three", "title": "Three", "terms": ["goroutine 3"]}]},
    "retire": {"topics": [GO, {**RAFT, "retired": {"on": str(NOW.date()), "to": "go"}}]},
    "retired long ago": {"topics": [GO, {**RAFT, "retired": {"on": "2020-01-01"}}]},
    "topic forgotten": {"topics": [GO]},
    "title": {"topics": [{**GO, "title": "Golang"}, RAFT]},
    "description": {"topics": [{**GO, "description": "Of gophers."}, RAFT]},
    "content of a topic": {"topics": [{**GO, "content": "summary"}, RAFT]},
    "content of the site": {"site": {"content": "summary"}},
    "title of the site": {"site": {"title": "Journal"}},
    "author of the site": {"site": {"author": "Somebody Else"}},
    "rights": {"site": {"rights": "CC BY 4.0"}},
    "image": {"site": {"image": "https://blog.example/image.png"}},
    "icon": {"site": {"icon": "https://blog.example/icon.png"}},
    "language": {"site": {"language": "fr"}},
    "revisions wanted": {"topics": [{**GO, "revised": True}, RAFT]},
    "fewer items": {"site": {"items": 3}},
    "more items": {"site": {"items": 40}},
}
UNSEEN = {"nothing", "rule that adds, none let out", "more items"}


def item(word, n):
    url, moment = POST.format(f"{word}/{n}"), NOW - timedelta(days=200 - n)
    head = {"id": url, "url": url, "title": f"About {word} {n}", "date_published": moment.isoformat(), "tags": [f"t{n}"]}
    return head | {"summary": f"A {word}.", "content_html": f"<p>A {word}, at length.</p>"}


@pytest.fixture
def world(origin, configure, clock):
    """``world.take(edit)`` takes a configuration into service, as ``world.settings(edit)`` reads it; served at ``world.url``."""
    found = World(origin, configure, clock)
    yield found
    found.end()


class World:
    def __init__(self, origin, configure, clock):
        self._configure, self._clock, self._taken = configure, clock, {}
        self._origin = origin
        self._items = [item(word, n) for word, count in (("goroutine", 8), ("quorum", 6), ("seqlock", 12)) for n in range(count)]
        self._put()
        port = find_port()
        self.url = f"http://127.0.0.1:{port}/"
        self.take({}).refresh("blog")
        self._app = create_app(self.settings({}))
        self._app.extensions["topicfeeds"]["counting"].close()  # it would write to the store while that is compared
        self._server = make_server("127.0.0.1", port, self._app, threaded=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def feed(self, slug):
        return f"{self.url}feeds/{slug}.atom"

    def settings(self, edit):
        site = {"public_url": self.url, "items": 20, "archive_items": 5, **edit.get("site", {})}
        return self._configure(**{"topics": [GO, RAFT], **edit, "site": site})

    def take(self, edit):
        pipeline = open_pipeline(self.settings(edit), self._clock)
        pipeline.release()
        pipeline.publish()
        return pipeline

    def go_on_by(self, edit):
        self.take(edit).close()
        self._app.extensions["topicfeeds"]["shelf"].load()

    def _put(self):
        feed = {"version": "https://jsonfeed.org/version/1.1", "title": "Blog", "items": self._items}
        self._origin.put("/index.xml", json.dumps(feed), content_type="application/feed+json")

    def revise(self, edit, *posts):
        """Edit posts on goroutines, one after the other, while a configuration is in service."""
        for n in posts:
            self._clock.advance(hours=1)
            self._items[n] |= {"content_html": f"<p>A goroutine, edited at {self._clock()}.</p>"}
            self._put()
            pipeline = self.take(edit)
            pipeline.refresh("blog")
            pipeline.close()
        self._app.extensions["topicfeeds"]["shelf"].load()
        self._taken = edit

    def preview(self, edit):
        settings = self.settings(edit)
        pipeline = open_pipeline(self.settings(self._taken), self._clock)
        before = dump(pipeline.store)
        said = preview(settings, self._clock())
        assert dump(pipeline.store) == before
        pipeline.close()
        return said

    def end(self):
        self._server.shutdown()
        self._server.server_close()
        for part in ("shelf", "combinations", "store"):
            self._app.extensions["topicfeeds"][part].close()


# -- four readers: ``poll()`` asks again, and gives what is shown then, by entry id -----------------------------------------


class Feedparser:
    """Remembers nothing: what it shows is the document."""

    forgets = True

    def __init__(self, url, _folder):
        self._url = url

    def poll(self):
        return {entry.id: _parsed(entry) for entry in feedparser.parse(self._url).entries}


def _parsed(entry):
    texts = [*(content.value for content in entry.get("content", ())), entry.get("summary")]
    return entry.title, entry.link, entry.updated, texts, entry.get("author"), [tag.term for tag in entry.get("tags", ())]


class Reader:
    forgets = False

    def __init__(self, url, _folder):
        self._url, self._reader = url, reader.make_reader(":memory:")
        self._reader.add_feed(url)

    def poll(self):
        with suppress(reader.ParseError):  # 410
            self._reader.update_feed(self._url)
        shown = self._reader.get_entries(feed=self._url)
        return {e.id: (e.title, e.link, e.updated, e.summary, e.author, [content.value for content in e.content]) for e in shown}


class Newsboat:
    forgets = False

    def __init__(self, url, folder):
        self._folder = folder / "newsboat"
        self._folder.mkdir()
        (self._folder / "urls").write_text(f"{url}\n")
        (self._folder / "config").write_text("auto-reload no\n")

    def poll(self):
        files = ("-u", self._folder / "urls", "-C", self._folder / "config", "-c", self._folder / "cache.db")
        run(["newsboat", *files, "-x", "reload"], self._folder)
        with sqlite3.connect(self._folder / "cache.db") as cache:
            return {guid: (title, url) for guid, title, url in cache.execute("select guid, title, url from rss_item")}


_FOLLOWING = 'fetch() { curl -L --max-redirs 3 -f -s -m 15 "$2"; }'
"""sfeed follows no redirect unless its owner says so."""


class Sfeed:
    forgets = False

    def __init__(self, url, folder):
        self._folder = folder / "sfeed"
        (self._folder / "feeds").mkdir(parents=True)
        lines = (f'sfeedpath="{self._folder}/feeds"', _FOLLOWING, "feeds() {", f"feed one '{url}'", "}")
        (self._folder / "rc").write_text("\n".join(lines) + "\n")

    def poll(self):
        run(["sfeed_update", self._folder / "rc"], self._folder)
        rows = [line.split("\t") for line in (self._folder / "feeds" / "one").read_text().splitlines()]
        return {row[5]: (row[1], row[2]) for row in rows}


def run(command, home):
    environment = os.environ | {"HOME": str(home)}
    subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=40, check=False)


READERS = {
    "libraries": (Feedparser, Reader),
    "newsboat": (Newsboat,),
    "sfeed": (Sfeed,),
}
KINDS = [
    "libraries",
    pytest.param("newsboat", marks=pytest.mark.system("newsboat")),
    pytest.param("sfeed", marks=pytest.mark.system("sfeed", program="sfeed_update")),
]


# -- preview against reality -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_preview_says_is_what_readers_then_show(world, tmp_path, kind, edit):
    slugs = ("all", "go", "raft")
    subscribed = [(slug, make(world.feed(slug), folder(tmp_path, slug))) for slug in slugs for make in READERS[kind]]
    before = [subscription.poll() for _, subscription in subscribed]
    assert all(before)
    said = {change.slug: change for change in world.preview(EDITS[edit])}
    assert any(change.is_seen for change in said.values()) == (edit not in UNSEEN)
    world.go_on_by(EDITS[edit])
    for (slug, subscription), shown in zip(subscribed, before, strict=True):
        agree(said.get(slug), shown, subscription.poll(), forgets=subscription.forgets)
    for slug in said.keys() - set(slugs):  # feeds that nobody could subscribe to before
        assert said[slug].status == "new"
        for make in READERS[kind]:
            assert make(world.feed(slug), folder(tmp_path, slug)).poll().keys() == {entry.id for entry in said[slug].appear}


def folder(parent, slug):
    made = parent / "readers" / slug
    made.mkdir(parents=True, exist_ok=True)
    return made


def agree(change, before, after, *, forgets):
    """Entries that are new to a reader, gone from the document, and shown otherwise than before are those that were named."""
    come = {entry.id: entry for entry in (*change.appear, *change.resurface, *(new for _, new in change.new_ids))} if change else {}
    gone = {entry.id for entry in (*change.vanish, *(old for old, _ in change.new_ids))} if change else set()
    assert after.keys() - before.keys() == come.keys()
    assert before.keys() - after.keys() == (gone if forgets else set())
    assert {key: after[key][:2] for key in come} == {key: (entry.title, entry.link) for key, entry in come.items()}
    changed = {entry.id for entry in change.changed} if change else set()
    otherwise = {key for key in before.keys() & after.keys() if before[key] != after[key]}
    assert otherwise == (changed if len(next(iter(before.values()))) > 2 else set())


@pytest.mark.parametrize("edit", EDITS)
def test_what_a_feed_says_of_itself_is_foretold_too(world, edit):
    urls = {slug: world.feed(slug) for slug in ("all", "go", "raft")}
    before = {slug: feedparser.parse(url).feed for slug, url in urls.items()}
    said = {change.slug: change for change in world.preview(EDITS[edit])}
    world.go_on_by(EDITS[edit])
    for slug, url in urls.items():
        now = feedparser.parse(url)
        status = said[slug].status if slug in said else "kept"
        assert (status == "gone") == (now.status == 410)
        assert (status in ("renamed", "merged")) == (now.status == 301)
        if status in ("renamed", "merged"):
            assert now.href == world.feed(said[slug].leads_to)
        if now.status != 410:
            words = {name: (old, new) for name, (old, new) in said[slug].words.items()} if slug in said else {}
            seen = {name: (words_of(before[slug])[name], words_of(now.feed)[name]) for name in words_of(now.feed)}
            assert words == {name: pair for name, pair in seen.items() if pair[0] != pair[1]}


REVISED = {"topics": [{**GO, "revised": True}, RAFT]}
OF_REVISED = {
    "nothing": REVISED,
    "no more": {},
    "fewer items": {**REVISED, "site": {"items": 3}},
    "rename": {"topics": [{**GO, "revised": True, "slug": "golang", "aliases": ["go"]}, RAFT]},
    "rename and no more": {"topics": [{**GO, "slug": "golang", "aliases": ["go"]}, RAFT]},
    "rename and widen": {"topics": [{**WIDER, "revised": True, "slug": "golang", "aliases": ["go"]}, RAFT]},
    "merge": {"topics": [{**RAFT, "revised": True, "aliases": ["go"]}]},
    "retire": {"topics": [{**GO, "revised": True, "retired": {"on": str(NOW.date()), "to": "raft"}}, RAFT]},
    "retired long ago": {"topics": [{**GO, "revised": True, "retired": {"on": "2020-01-01"}}, RAFT]},
    "topic forgotten": {"topics": [RAFT]},
    "title": {"topics": [{**GO, "revised": True, "title": "Golang"}, RAFT]},
}
STATUS = {
    "no more": "merged",
    "rename": "renamed",
    "rename and no more": "merged",
    "rename and widen": "renamed",
    "merge": "merged",
    "retire": "retired",
    "retired long ago": "gone",
    "topic forgotten": "lost",
}


OF_KINDS = [
    *(pytest.param(edit, "libraries") for edit in OF_REVISED),
    *(pytest.param(edit, *kind.values, marks=kind.marks) for kind in KINDS[1:] for edit in ("no more", "rename and widen")),
]
"""Every edit, and some of them for programs as well."""


@pytest.mark.parametrize(("edit", "kind"), OF_KINDS)
def test_what_becomes_of_a_feed_with_revisions_is_foretold_too(world, tmp_path, kind, edit):
    world.revise(REVISED, 7, 6, 7)
    subscribed = [make(world.feed("go.revised"), folder(tmp_path, "go.revised")) for make in READERS[kind]]
    before = [subscription.poll() for subscription in subscribed]
    assert all(len(shown) == 8 + 3 for shown in before)
    said = {change.slug: change for change in world.preview(OF_REVISED[edit])}
    assert said["go.revised"].status == STATUS.get(edit, "kept") if edit != "nothing" else "go.revised" not in said
    world.go_on_by(OF_REVISED[edit])
    for subscription, shown in zip(subscribed, before, strict=True):
        agree(said.get("go.revised"), shown, subscription.poll(), forgets=subscription.forgets)
    if edit in STATUS and STATUS[edit] not in ("retired", "lost"):
        now = feedparser.parse(world.feed("go.revised"))
        assert now.status == (410 if STATUS[edit] == "gone" else 301)
        assert now.status == 410 or now.href == world.feed(said["go.revised"].leads_to)


def words_of(feed):
    language = feed.title_detail.language or ""
    author = f"{feed.author_detail.name} {feed.author_detail.href}"
    pictures = {"icon": feed.get("icon", ""), "logo": feed.get("logo", "")}
    named = {"author": author, "contributor": "", "rights": feed.get("rights", ""), "category": feed.tags[0].label}
    told = {"id": feed.id, "title": feed.title, "subtitle": feed.subtitle, "language": language, "page": feed.link}
    return told | named | pictures


def test_a_preview_before_anything_was_published_calls_every_feed_new(configure, clock, tmp_path):
    changes = preview(configure(topics=[GO, RAFT], database=f"sqlite:///{tmp_path / 'none.db'}"), clock())
    assert [(change.slug, change.status) for change in changes] == [("all", "new"), ("go", "new"), ("raft", "new")]
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("edit", ["rename and widen", "merge"])
def test_a_preview_over_postgresql_says_the_same(world, postgres, edit):
    over_sqlite, url = world.preview(EDITS[edit]), postgres()
    world.take({"database": url}).refresh("blog")
    assert preview(world.settings({**EDITS[edit], "database": url}), NOW) == over_sqlite
