"""How long answers can be kept, the tags under which caches know them, and how caches are told of topics that changed."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app import create_app
from feeds.errors import PurgeError, SettingsError
from feeds.publishing.purge import keep_purging, purge_pending
from feeds.running.notice import Notice
from feeds.store import open_store
from tests.conftest import COMMAND, TOPICS, ask, eventually, find_port, open_pipeline, running, topicfeeds
from tests.fakes import Item, Time, rss
from tests.stacks import NGINX, Stack, in_process, nginx, over_sockets

GO, SYSTEMS = "topic-go-concurrency", "topic-distributed-systems"


class Cache(ThreadingHTTPServer):
    """Something that can be told to drop what it has under a tag. ``status`` is its answer, ``told`` what it was told."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Exchange)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.told, self.status, self.look = [], 204, lambda: None
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def tags(self):
        return {path.rpartition("/")[2] for _, path, _ in self.told}


class Exchange(BaseHTTPRequestHandler):
    def answer(self):
        self.server.look()
        self.server.told.append((self.command, self.path, self.headers.get("Fastly-Key")))
        self.send_response(self.server.status)
        self.end_headers()

    do_POST = do_PURGE = answer  # noqa: N815  the names by which http.server finds them

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def cache():
    with Cache() as server:
        yield server
        server.shutdown()


@pytest.fixture
def publish(configure, blog):
    """Publish a blog of these titles by a configuration: its settings."""

    def published(*titles, **tables):
        if titles:
            blog.put("/index.xml", rss(blog.url, *(Item(f"/blog/{n}/", title) for n, title in enumerate(titles))))
        settings = configure(**tables)
        pipeline = open_pipeline(settings, Time())
        pipeline.refresh("blog")
        pipeline.close()
        return settings

    return published


def purge(settings):
    store = open_store(settings.database_url)
    try:
        return purge_pending(settings.purge, store, wait=lambda _: None)
    finally:
        store.close()


# -- max-age ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("every", "site", "seconds"),
    [
        ([], {}, 300),
        (["30m"], {}, 300),
        (["6h", "1h"], {}, 600),
        (["1d"], {}, 3600),
        (["1m"], {}, 60),
        (["1d"], {"max_age_max": "2h"}, 7200),
        (["1m"], {"max_age_min": "5s"}, 10),
        (["1m"], {"max_age": "1d"}, 86400),
    ],
)
def test_how_long_an_answer_can_be_kept_follows_the_most_eager_source(configure, every, site, seconds):
    sources = [{"id": f"s{n}", "url": "https://blog.example/feed", "every": each} for n, each in enumerate(every)]
    assert configure(sources=sources, site=site).site.max_age.total_seconds() == seconds


def test_max_age_is_in_every_answer_that_may_change(publish):
    settings = publish(site={"max_age": "77s"})
    stack = Stack(in_process(create_app(settings), wrapped=True))
    for path in ("/", "/feeds/all.atom", "/feeds/distributed-systems,go-concurrency.json", "/topics/all/", "/feeds.css"):
        assert stack.get(path)[1]["cache-control"] == "max-age=77, stale-while-revalidate=3600, stale-if-error=604800"


# -- tags ---------------------------------------------------------------------------------------------------------------

TAGGED = {
    "/": "topics",
    "/feeds.opml": "topics",
    "/feeds/all.atom": "topic-all",
    "/feeds/go-concurrency.rss": GO,
    "/feeds/go-concurrency.json?content=summary": GO,
    "/feeds/go-concurrency.revised.rss": GO,
    "/topics/go-concurrency/": GO,
    "/feeds/go-concurrency/archive/1.atom": GO,
    "/feeds/go-concurrency/archive/3.rss": GO,
}
COMBINED = {
    "/feeds/distributed-systems,go-concurrency.atom": f"{SYSTEMS} {GO}",
    "/feeds/all,-go-concurrency.rss": f"topic-all {GO}",
}
REVISED = [{**topic, "revised": True} for topic in TOPICS]
POSTS = [f"goroutine {n}" for n in range(4)]


@pytest.mark.parametrize(("header", "separator"), [("Surrogate-Key", " "), ("Cache-Tag", ",")])
def test_what_shows_a_topic_has_its_tag(publish, header, separator):
    settings = publish(*POSTS, topics=REVISED, site={"cache_tags": header, "items": 1, "archive_items": 1})
    stack = Stack(in_process(create_app(settings), wrapped=True))
    for path, tags in (TAGGED | COMBINED).items():
        status, headers, _ = stack.get(path)
        assert (status, headers.get(header.lower())) == (200, tags.replace(" ", separator)), path
        not_modified = stack.get(path, if_none_match=headers["etag"])
        assert (not_modified[0], not_modified[1][header.lower()]) == (304, headers[header.lower()])
    assert header.lower() not in stack.get("/feeds/none.atom")[1]


@NGINX
def test_nginx_sends_the_same_tags(publish, tmp_path):
    publish(*POSTS, topics=REVISED, site={"cache_tags": "Cache-Tag", "items": 1, "archive_items": 1})
    with nginx(tmp_path / "topicfeeds.toml", tmp_path) as port:
        stack = over_sockets(port)
        for path, tags in TAGGED.items():
            headers = stack.get(path)[1]
            assert headers.get("cache-tag") == tags, path
            assert stack.get(path, if_none_match=headers["etag"])[1]["cache-tag"] == tags


def test_no_tags_without_being_asked_for(publish):
    stack = Stack(in_process(create_app(publish()), wrapped=True))
    assert not {"surrogate-key", "cache-tag"} & set(stack.get("/feeds/all.atom")[1])


# -- purging ------------------------------------------------------------------------------------------------------------


def test_a_cache_is_told_of_what_changed_and_of_nothing_else(publish, cache):
    tables = {"purge": {"url": f"{cache.url}/service/x/purge/{{tag}}", "headers": {"Fastly-Key": "secret"}}}
    settings = publish("Raft one", "goroutine one", **tables)
    assert purge(settings) == 4
    assert cache.tags == {"topics", "topic-all", GO, SYSTEMS}
    assert {told[:1] + told[2:] for told in cache.told} == {("POST", "secret")}
    assert ("POST", f"/service/x/purge/{GO}", "secret") in cache.told
    cache.told.clear()
    publish()
    assert purge(settings) == 0
    publish("Raft two", "goroutine one")
    assert purge(settings) == 2
    assert cache.tags == {"topic-all", SYSTEMS}


def test_a_cache_that_cannot_be_told_is_told_later(publish, cache):
    settings = publish("Raft one", purge={"url": f"{cache.url}/{{tag}}?key=secret", "method": "PURGE"})
    cache.status = 503
    with pytest.raises(PurgeError, match="answered 503") as caught:
        purge(settings)
    assert len(cache.told) == 1
    assert "secret" not in str(caught.value)
    cache.status, cache.told = 200, []
    assert purge(settings) >= 3
    assert {method for method, *_ in cache.told} == {"PURGE"}


def test_what_changes_while_a_cache_is_told_is_told_again(publish, cache):
    settings = publish("Raft one", purge={"url": f"{cache.url}/{{tag}}"})
    again = threading.Event()

    def look():
        if not again.is_set():
            again.set()
            with open_store(settings.database_url).writing() as transaction:
                transaction.move_on("distributed-systems", "all")

    cache.look = look
    purge(settings)
    cache.told.clear()
    assert purge(settings) == 2
    assert cache.tags == {"topic-all", SYSTEMS}


def test_a_command_can_do_it(publish, tmp_path):
    script = tmp_path / "purge.py"
    script.write_text(
        f"import sys; open({str(tmp_path / 'told')!r}, 'a').write(sys.argv[1] + '\\n'); sys.exit('no' if sys.argv[2:] else 0)"
    )
    settings = publish("Raft one", purge={"command": [sys.executable, str(script), "{tag}"]})
    done = topicfeeds("publish", "-c", str(tmp_path / "topicfeeds.toml"), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"topics", "topic-all", SYSTEMS} <= set((tmp_path / "told").read_text().split())
    assert purge(settings) == 0
    for command, message in (
        ([sys.executable, str(script), "{tag}", "fail"], "ended with 1: no"),
        (["/no/such/program"], "/no/such/program: No such file"),
        ([sys.executable, "-c", "import time; time.sleep(9)"], "took longer than 1 s"),
    ):
        settings = publish(f"Raft {message}", purge={"command": command, "timeout": "1s" if "sleep" in command[-1] else "10s"})
        with pytest.raises(PurgeError, match=message):
            purge(settings)


def test_a_topic_that_is_renamed_is_told_of_under_both_names(publish, cache):
    tables = {"purge": {"url": f"{cache.url}/{{tag}}"}}
    purge(publish("goroutine", **tables))
    cache.told.clear()
    purge(publish(topics=[{**TOPICS[0], "slug": "go", "aliases": ["go-concurrency"]}, TOPICS[1]], **tables))
    assert {GO, "topic-go"} <= cache.tags


def test_a_correction_in_an_archive_is_told_of_and_exported(publish, cache, blog):
    tables = {"purge": {"url": f"{cache.url}/{{tag}}"}, "site": {"items": 1, "archive_items": 5}}
    settings = publish("goroutine 1", "goroutine 2", "goroutine 3", **tables)
    purge(settings)
    store = open_store(settings.database_url)
    revision = store.revision()
    cache.told.clear()
    publish("goroutine 1", "goroutine 2", "goroutine three", **tables)
    assert store.revision() > revision
    purge(settings)
    assert {GO, "topic-all"} <= cache.tags


def test_a_cache_is_told_once_the_web_worker_serves_what_is_new(publish, cache, blog, tmp_path):
    port, seen = find_port(), []
    publish("Raft one", purge={"url": f"{cache.url}/{{tag}}"}, serve={"port": port})
    config = str(tmp_path / "topicfeeds.toml")
    with running([*COMMAND, "web"], tmp_path, port=port, TOPICFEEDS_CONFIG=config) as process:
        process.answers("/feeds/distributed-systems.atom")
        cache.look = lambda: seen.append(b"Raft two" in ask(port, "/feeds/distributed-systems.atom")[2])
        blog.put("/index.xml", rss(blog.url, Item("/blog/0/", "Raft two")))
        done = topicfeeds("refresh", "-c", config, folder=tmp_path)
        assert done.returncode == 0, done.stderr
    assert seen
    assert all(seen)


def test_the_clock_tells_caches_and_outlives_what_goes_wrong(publish, cache):
    settings, stop = publish("Raft one", purge={"url": f"{cache.url}/{{tag}}"}), Notice()
    thread = threading.Thread(target=keep_purging, args=(settings.purge, open_store(settings.database_url), stop))
    thread.start()
    try:
        eventually(lambda: {"topics", "topic-all", SYSTEMS} <= cache.tags, within=10)
        cache.told.clear()
        publish("Raft two")
        eventually(lambda: "topic-all" in cache.tags, within=10)
    finally:
        stop.set()
        thread.join(5)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ({"url": "https://cdn.example/purge"}, "purge.url"),
        ({"url": "cdn.example/{tag}"}, "purge.url"),
        ({"method": "TELL"}, "purge.method"),
        ({"timeout": "0s"}, "purge.timeout"),
    ],
)
def test_what_cannot_be_purged_with_is_named(configure, table, where):
    with pytest.raises(SettingsError, match=where):
        configure(purge=table)
