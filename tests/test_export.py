"""The export: files for a web server, whole at any instant, touched only where something changed."""

import gzip
import shlex
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app import create_app
from feeds.errors import ExportError
from feeds.publishing import nginx
from feeds.publishing.export import Export
from feeds.publishing.nginx.kinds import file_of
from feeds.publishing.tree import Tree, owned
from feeds.store import Publication, open_store
from tests.conftest import COMMAND, TOPICS, ask, eventually, find_port, open_pipeline, running, topicfeeds
from tests.fakes import NOW, Item, Time, rss
from tests.stacks import NGINX, in_process, open_stack, over_sockets, serving_files

SUFFIXES = {"": None, ".gz": "gzip", ".br": "br", ".zst": "zstd"}


@pytest.fixture
def publish(configure, blog, tmp_path):
    """Publish the blog by a configuration: its settings."""

    def published(*titles, **tables):
        if titles:
            blog.put("/index.xml", rss(blog.url, *(Item(f"/blog/{n}/", title) for n, title in enumerate(titles))))
        settings = configure(**tables)
        pipeline = open_pipeline(settings, Time())
        pipeline.refresh("blog")
        pipeline.publish()
        pipeline.store.close()
        return settings

    return published


def export_to(folder, settings, *, listen="8080", upstream="", reload=lambda: None, now=lambda: NOW):
    server = nginx.Server(listen, str(folder / "public"), upstream)
    return Export(settings, open_store(settings.database_url), folder, server=server, reload=reload, now=now)


def files_of(folder):
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}


def in_store(settings):
    return {found.path: found for found in open_store(settings.database_url).publications()[2]}


@contextmanager
def served(folder, settings, **options):
    port = find_port()
    export_to(folder, settings, listen=f"127.0.0.1:{port}", **options).write()
    with serving_files(folder, port):
        yield over_sockets(port)


# -- the files ---------------------------------------------------------------------------------------------------------


def test_every_publication_is_a_file_with_its_codings_and_its_time(publish, tmp_path):
    settings = publish()
    export_to(tmp_path / "out", settings).write()
    files = files_of(tmp_path / "out" / "public")
    for path, publication in in_store(settings).items():
        name = file_of(path)
        for suffix, coding in SUFFIXES.items():
            body = publication.codings.get(coding or "identity")
            if len([other for other in publication.codings.values() if len(other) == len(body or b"")]) > 1:
                continue
            assert (files[name + suffix].read_bytes() if name + suffix in files else None) == body
            if body is not None:
                assert files[name + suffix].stat().st_mtime == publication.last_modified.timestamp()
    assert {"index.html", "topics/all/index.html", "feeds/all.atom", "feeds/all.atom.br", "feeds.opml"} <= set(files)
    assert {"feeds/all.atom@content=summary", "feeds/all.atom@content=summary.br"} <= set(files)


def test_a_second_export_touches_nothing(publish, tmp_path):
    settings = publish(site={"items": 1, "archive_items": 1})
    folder = tmp_path / "out"
    first = export_to(folder, settings).write()
    before = {name: (path.stat().st_mtime_ns, path.stat().st_ino) for name, path in files_of(folder).items()}
    assert any("/archive/" in name for name in before)
    second = export_to(folder, settings, now=lambda: NOW + timedelta(days=1)).write()
    assert {name: (path.stat().st_mtime_ns, path.stat().st_ino) for name, path in files_of(folder).items()} == before
    assert (first.reconfigured, second.replaced, second.deleted, second.reconfigured) == (True, 0, 0, False)
    assert first.replaced == first.resources == second.resources


def test_only_what_changed_is_replaced(publish, tmp_path):
    folder = tmp_path / "out"
    settings = publish("Raft one", "chan<- T")
    export_to(folder, settings).write()
    before = {name: path.stat().st_ino for name, path in files_of(folder).items()}
    publish("Raft two", "chan<- T")
    export_to(folder, settings).write()
    after = {name: path.stat().st_ino for name, path in files_of(folder).items()}
    changed = {name for name in after if after[name] != before.get(name)}
    assert {"public/feeds/distributed-systems.atom", "public/feeds/all.atom.gz"} <= changed
    assert not {name for name in changed if "go-concurrency" in name or name.endswith(".conf")}
    assert b"Raft two" in gzip.decompress((folder / "public/feeds/all.atom.gz").read_bytes())


def test_what_replaces_a_file_is_newer_whatever_the_clock_says(tmp_path):
    tree, moment = Tree(tmp_path), datetime(2026, 3, 1, tzinfo=UTC)
    assert tree.put({"a": b"one", "a.gz": b"1"}, modified=moment)
    assert not tree.put({"a": b"one", "a.gz": b"1"}, modified=moment - timedelta(days=1))
    assert tree.put({"a": b"two", "a.gz": b"1"}, modified=moment)
    for name in ("a", "a.gz"):
        assert (tmp_path / name).stat().st_mtime == moment.timestamp() + 1


def test_codings_of_the_same_size_are_not_told_apart_by_nginx_and_one_is_enough(publish, tmp_path):
    settings = publish()
    store = open_store(settings.database_url)
    same = {"identity": b"x" * 90, "br": b"b" * 50, "gzip": b"g" * 50, "zstd": b"z" * 60}
    with store.writing() as transaction:
        transaction.publish(replace(in_store(settings)["/feeds/all.atom"], codings=same))
    export_to(tmp_path / "out", settings).write()
    names = {path.name for path in (tmp_path / "out/public/feeds").glob("all.atom*") if "@" not in path.name}
    assert names == {"all.atom", "all.atom.gz", "all.atom.zst"}


def test_a_retired_topic_and_what_is_left_of_a_killed_run_are_deleted(publish, tmp_path):
    settings = publish(site={"items": 1, "archive_items": 1})
    folder = tmp_path / "out"
    export_to(folder, settings).write()
    (folder / "public/feeds/.all.atom.tmp").write_bytes(b"half")
    retired = {**TOPICS[0], "retired": {"on": "2025-01-01", "to": "distributed-systems"}}
    settings = publish(topics=[retired, *TOPICS[1:]], site={"items": 1, "archive_items": 1})
    deleted = export_to(folder, settings).write().deleted
    left = files_of(folder / "public")
    assert deleted > 4
    assert not [name for name in left if "go-concurrency" in name or ".tmp" in name]
    assert "feeds/distributed-systems.atom" in left
    assert not (folder / "public/topics/go-concurrency").exists()


def test_nothing_is_deleted_before_nginx_knows(publish, tmp_path):
    settings = publish()
    folder, seen = tmp_path / "out", []
    export_to(folder, settings).write()
    stale = folder / "public/feeds/stale.atom"
    stale.write_bytes(b"")
    export_to(folder, settings, listen="8081", reload=lambda: seen.append(stale.exists())).write()
    assert seen == [True]
    assert not stale.exists()


def test_an_export_that_is_killed_leaves_whole_files(publish, tmp_path):
    many = [{"slug": f"topic-{n}", "title": f"Topic {n}", "terms": ["quorum"]} for n in range(60)]
    settings = publish(*(f"Raft {n}" for n in range(30)), topics=[*TOPICS, *many])
    bodies = {file_of(path): found.codings for path, found in in_store(settings).items()}
    folder, config, met = tmp_path / "out", tmp_path / "topicfeeds.toml", 0
    for enough in (5, 90, 300):
        with running([*COMMAND, "export", str(folder), "-c", str(config)], tmp_path) as process:
            eventually(lambda n=enough: process.process.poll() is not None or len(files_of(folder)) > n, within=20, every=0.001)
            met += process.process.poll() is None
            process.process.kill()
        for name, path in files_of(folder / "public").items():
            if path.name.startswith("."):
                continue
            base = name.removesuffix(suffix) if (suffix := path.suffix) in SUFFIXES else name
            assert path.read_bytes() == bodies[base][SUFFIXES.get(suffix, "identity")], name
    assert met, "it was never killed while it wrote"
    done = topicfeeds("export", str(folder), "-c", str(config), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not [name for name in files_of(folder / "public") if "tmp" in name]


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_folder_of_somebody_else_is_left_alone(publish, tmp_path):
    publish()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    done = topicfeeds("export", str(mine), "-c", str(tmp_path / "topicfeeds.toml"), folder=tmp_path)
    assert (done.returncode, "no export wrote" in done.stderr) == (1, True)
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


def test_one_export_at_a_time(tmp_path):
    with owned(tmp_path / "out"), pytest.raises(ExportError, match="another export"), owned(tmp_path / "out"):
        pass


def test_before_anything_is_published_nothing_is_written(configure, tmp_path):
    settings = configure()
    pipeline = open_pipeline(settings, Time())
    pipeline.store.close()
    with pytest.raises(ExportError, match="nothing has been published"):
        export_to(tmp_path / "out", settings).write()
    assert not files_of(tmp_path / "out")


def test_a_store_that_is_not_there_is_named(tmp_path, configure):
    configure()
    done = topicfeeds("export", str(tmp_path / "out"), "-c", str(tmp_path / "topicfeeds.toml"), folder=tmp_path)
    assert done.returncode == 1
    assert "unable to open database file" in done.stderr


@pytest.mark.parametrize("given", ["https://x/", "127.0.0.1:8000", "http://127.0.0.1:8000/feeds", "http://"])
def test_an_upstream_that_is_none(tmp_path, configure, given):
    configure()
    options = ["--upstream", given, "-c", str(tmp_path / "topicfeeds.toml")]
    done = topicfeeds("export", str(tmp_path / "out"), *options, folder=tmp_path)
    assert (done.returncode, "must be an address such as" in done.stderr) == (2, True)


def test_watching_follows_the_store_within_a_second(publish, tmp_path):
    settings = publish("Raft one")
    folder, config = tmp_path / "out", tmp_path / "topicfeeds.toml"
    feed = folder / "public/feeds/distributed-systems.atom"
    with running([*COMMAND, "export", str(folder), "--watch", "-c", str(config)], tmp_path) as process:
        eventually(feed.exists, within=20)
        eventually((folder / "nginx.conf").exists, within=5)
        found = in_store(settings)["/feeds/distributed-systems.atom"]
        store = open_store(settings.database_url)
        for n in range(3):
            news = replace(found, codings={"identity": b"<feed>%d</feed>" % n}, tag=str(n))
            with store.writing() as transaction:
                transaction.publish(news)
            eventually(lambda body=news.codings["identity"]: feed.read_bytes() == body, within=1, every=0.01)
        assert not feed.with_name(f"{feed.name}.gz").exists()
        process.process.terminate()
        assert process.process.wait(5) == 0
        assert "export.failed" not in process.output


def test_watching_outlives_the_store(publish, tmp_path):
    publish("Raft one")
    folder, config, database = tmp_path / "out", tmp_path / "topicfeeds.toml", tmp_path / "var" / "topicfeeds.db"
    with running([*COMMAND, "export", str(folder), "--watch", "-c", str(config)], tmp_path) as process:
        eventually((folder / "topicfeeds-server.conf").exists, within=20)  # what is written last
        files = set(files_of(folder))
        database.rename(f"{database}.away")
        process.wait_output("export.failed")
        assert set(files_of(folder)) == files
        database.with_name(f"{database.name}.away").rename(database)
        publish("Raft two")
        eventually(lambda: b"Raft two" in (folder / "public/feeds/distributed-systems.atom").read_bytes(), within=10)


def test_nginx_is_told_of_a_new_configuration_and_only_then(publish, tmp_path):
    publish()
    script = tmp_path / "reload.py"
    script.write_text("import pathlib; f = pathlib.Path('told'); f.write_text(f.read_text() + 'x' if f.exists() else 'x')")
    options = ["--reload", f"{sys.executable} {script}", "-c", str(tmp_path / "topicfeeds.toml")]
    for _ in range(2):
        assert topicfeeds("export", str(tmp_path / "out"), *options, folder=tmp_path).returncode == 0
    assert (tmp_path / "told").read_text() == "x"
    done = topicfeeds("export", str(tmp_path / "out"), "--listen", "8081", "--reload", "false", *options[2:], folder=tmp_path)
    assert (done.returncode, "'false' ended with 1" in done.stderr) == (1, True)


def test_any_server_of_files_shows_something_plausible(publish, tmp_path):
    export_to(tmp_path / "out", publish()).write()
    port = find_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path / "out/public")]
    with running(command, tmp_path, port=port) as process:
        process.answers("/")
        for path in ("/", "/topics/all/", "/feeds/all.atom", "/feeds/all.json", "/api/topics.json"):
            status, headers, body = ask(port, path)
            assert (status, bool(body), "listing" in body.decode().lower()) == (200, True, False)
            assert headers["content-type"].startswith("text/html") == path.endswith("/")


# -- nginx -------------------------------------------------------------------------------------------------------------


FORMERLY = (
    "/feeds/{}.atom", "/feeds/{}.json", "/feeds/{}.rss", "/feeds/{}.rss?content=summary", "/topics/{}/",
    *(f"/feeds/{{}}.revised.{suffix}" for suffix in ("atom", "rss", "json")), "/feeds/{}.revised.atom?content=summary",
    *(f"/feeds/{{}}/archive/{number}.{suffix}" for number in (1, 9) for suffix in ("atom", "rss", "json")),
)  # fmt: skip


@NGINX
def test_former_names_redirect_and_retired_ones_are_gone(publish, tmp_path):
    retired = {"on": "2025-01-01", "to": "go-concurrency"}
    gone = {"slug": "assembly", "title": "Assembly", "terms": ["mov"], "aliases": ["asm"], "retired": retired}
    topics = [{**TOPICS[0], "aliases": ["golang", "go"], "revised": True}, TOPICS[1], gone]
    settings = publish("A goroutine", "Two goroutines", topics=topics, site={"items": 1, "archive_items": 1})
    with served(tmp_path / "out", settings) as stack:
        bare = in_process(create_app(settings), wrapped=False)
        for path in FORMERLY:
            for former in ("golang", "go"):
                status, headers, body = stack.get(path.format(former), host="evil.example")
                assert (status, headers["location"]) == (301, there(path.format("go-concurrency")))
                assert headers["content-type"] == "text/plain; charset=utf-8"
                assert not {"etag", "link", "vary"} & set(headers)
                assert body == f"This is now at {headers['location']}\n".encode()
                assert (status, headers, body) == bare("GET", path.format(former), {})
            for name in ("assembly", "asm"):
                status, headers, body = stack.get(path.format(name))
                assert (status, headers["cache-control"]) == (410, "no-store")
                assert (
                    body.decode() == f"The topic '{name}' has been retired. Go on at https://feeds.example/topics/go-concurrency/\n"
                )
        assert stack.get("/topics/golang")[1]["location"] == "https://feeds.example/topics/go-concurrency/"
        assert stack("POST", "/feeds/golang.atom", content_length="0")[0] == 405


@NGINX
def test_with_the_service_behind_it_answers_what_is_no_file(publish, tmp_path):
    gone = {"slug": "assembly", "title": "Assembly", "terms": ["mov"], "aliases": ["asm"], "retired": {"on": "2025-01-01"}}
    topics = [{**TOPICS[0], "aliases": ["golang"], "revised": True}, {**TOPICS[1], "aliases": ["raft"]}, gone]
    settings = publish("A goroutine", "Two goroutines", topics=topics, site={"items": 1, "archive_items": 1})
    bare, files = in_process(create_app(settings), wrapped=False), ["/feeds/go-concurrency.atom", "/topics/all/", "/feeds.opml"]
    others = [path.format(slug) for path in FORMERLY for slug in ("golang", "raft", "assembly", "asm", "none")]
    others += ["/feeds/distributed-systems,go-concurrency.atom", "/feeds/GO-concurrency.rss", "/feeds/all,-golang.json"]
    with open_stack("nginx", tmp_path / "topicfeeds.toml", tmp_path) as stack:
        for path in others:
            status, headers, body = bare("GET", path, {})
            assert stack.get(path) == (status, headers, body), path
        for path in files:
            status, headers, body = stack.get(path)
            assert (status, body) == (bare("GET", path, {})[0], bare("GET", path, {})[2])
            assert headers["etag"] != bare("GET", path, {})[1]["etag"], "nginx's own"


@NGINX
def test_a_topic_that_is_renamed_or_ends_does_so_in_nginx_too(publish, tmp_path):
    """An export that follows the store tells nginx; who reads meanwhile gets the feed, a redirect to it, or 410 at the end."""
    folder, port, site = tmp_path / "out", find_port(), {"items": 1, "archive_items": 1}
    revised = {**TOPICS[0], "revised": True}
    publish("A goroutine", "Two goroutines", "Raft", site=site, topics=[revised, TOPICS[1]])
    reload = shlex.join([sys.executable, "-c", RELOAD, str(folder / "nginx.pid")])
    options = ["--watch", "--listen", f"127.0.0.1:{port}", "--reload", reload, "-c", str(tmp_path / "topicfeeds.toml")]
    with running([*COMMAND, "export", str(folder), *options], tmp_path) as export:
        eventually((folder / "topicfeeds-server.conf").exists, within=20)
        with serving_files(folder, port):
            paths = [path.format("go-concurrency") for path in FORMERLY if "9" not in path]
            assert [ask(port, path)[0] for path in paths] == [200] * len(paths)
            go = {**revised, "slug": "go", "aliases": ["go-concurrency"]}
            publish(topics=[go, TOPICS[1]], site=site)
            for path in paths:
                eventually(lambda path=path: ask(port, path)[0] == 301, within=10)
                location = ask(port, path)[1]["location"].removeprefix("https://feeds.example")
                assert (location, ask(port, location)[0]) == (path.replace("go-concurrency", "go"), 200)
            publish(topics=[{**go, "retired": {"on": "2025-01-01", "to": "distributed-systems"}}, TOPICS[1]], site=site)
            for path in (*paths, *(path.replace("go-concurrency", "go") for path in paths)):
                eventually(lambda path=path: ask(port, path)[0] == 410, within=10)
        assert "export.failed" not in export.output
    assert not [name for name in files_of(folder / "public") if "go" in name]


RELOAD = "import os, signal, sys; os.path.exists(sys.argv[1]) and os.kill(int(open(sys.argv[1]).read()), signal.SIGHUP)"


def there(path):
    """Where a path of a former topic leads; an archive document that there is not, to the feed."""
    return "https://feeds.example" + path.replace("/archive/9", "")


@NGINX
def test_a_feed_with_revisions_is_served_like_any_other_and_leads_to_the_plain_one_where_there_is_none(publish, tmp_path):
    topics = [{**TOPICS[0], "revised": True}, {**TOPICS[1], "aliases": ["raft"]}]
    settings = publish("A goroutine", "Raft", topics=topics, site={"cache_tags": "Surrogate-Key"})
    places = (
        "/feeds/all.revised.atom",
        "/feeds/distributed-systems.revised.{}",
        "/feeds/raft.revised.{}",
        "/feeds/none.revised.{}",
    )
    with served(tmp_path / "out", settings) as stack:
        bare = in_process(create_app(settings), wrapped=False)
        for suffix in ("atom", "rss", "json"):
            path = f"/feeds/go-concurrency.revised.{suffix}"
            for headers in ({}, {"accept_encoding": "gzip"}, {"sec_fetch_dest": "document"}):
                status, answered, body = stack.get(path, **headers)
                expected = bare("GET", path, headers)
                answered.pop("etag", None)
                assert (status, body, answered) == (200, expected[2], {k: v for k, v in expected[1].items() if k != "etag"})
                assert answered["surrogate-key"] == "topic-go-concurrency"
            for place in places:
                assert stack.get(place.format(suffix)) == bare("GET", place.format(suffix), {})
            status, answered, _ = stack.get(places[2].format(suffix))
            assert (status, answered["location"]) == (301, f"https://feeds.example/feeds/distributed-systems.{suffix}")
            assert stack.get(places[3].format(suffix))[0] == 404


@NGINX
def test_a_query_can_have_a_representation_of_its_own(publish, tmp_path):
    settings = publish(topics=[TOPICS[0], {**TOPICS[1], "content": "summary"}])
    short = in_store(settings)["/feeds/all.atom?content=summary"].codings
    with served(tmp_path / "out", settings) as stack:
        whole = stack.get("/feeds/all.atom")
        for query in ("content=summary", "x=1&content=summary", "content=summary&y", "a&b&c&d&e&f&g&content=summary"):
            status, answered, body = stack.get(f"/feeds/all.atom?{query}", accept_encoding="gzip")
            assert (status, body, answered["content-encoding"]) == (200, short["gzip"], "gzip")
            assert answered["link"] == '<https://feeds.example/feeds/all.atom?content=summary>; rel="self"'
            assert stack.get(f"/feeds/all.atom?{query}")[2] == short["identity"] != whole[2]
            not_modified = stack.get(f"/feeds/all.atom?{query}", accept_encoding="gzip", if_none_match=answered["etag"])
            assert (not_modified[0], not_modified[1]["etag"]) == (304, answered["etag"])
        for query in ("content=summaryx", "xcontent=summary", "content=full", "", "a&b&c&d&e&f&g&h&content=summary"):
            assert stack.get(f"/feeds/all.atom?{query}") == whole
        for query in ("", "content=summary", "content=full"):
            assert stack.get(f"/feeds/distributed-systems.atom?{query}") == stack.get("/feeds/distributed-systems.atom")
        assert stack.get("/feeds/all.atom@content=summary")[0] == 404


@NGINX
def test_what_differs_from_its_kind_is_served_as_it_is(publish, tmp_path):
    settings = publish()
    odd = Publication(
        "/feeds/go-concurrency.atom", "go-concurrency", "x", "text/plain", NOW,
        [("Cache-Control", "max-age=7"), ("X-Odd", 'a "b" $c \\ ;{}')], {"identity": b"odd"},
    )  # fmt: skip
    tagged = [
        replace(found, headers=[*found.headers, ("Surrogate-Key", f"topic-{found.topic}")])
        for path, found in in_store(settings).items()
        if path.endswith(".rss")
    ]
    with open_store(settings.database_url).writing() as transaction:
        for publication in (odd, *tagged):
            transaction.publish(publication)
    with served(tmp_path / "out", settings) as stack:
        headers = stack.get("/feeds/go-concurrency.atom")[1]
        assert (headers["content-type"], headers["cache-control"], headers["x-odd"]) == (
            "text/plain",
            "max-age=7",
            'a "b" $c \\ ;{}',
        )
        assert stack.get("/feeds/all.atom")[1]["content-type"] == "application/atom+xml; charset=utf-8"
        for slug in ("all", "go-concurrency"):
            assert stack.get(f"/feeds/{slug}.rss")[1]["surrogate-key"] == f"topic-{slug}"
    assert (tmp_path / "out/topicfeeds-server.conf").read_text().count("Surrogate-Key") <= 2 * 2  # by kind, not by topic


@NGINX
def test_files_appear_to_nginx_without_a_reload(publish, tmp_path):
    settings = publish("Raft one")
    folder = tmp_path / "out"
    with served(folder, settings) as stack:
        before = stack.get("/feeds/all.atom")
        conditions = {"if_none_match": before[1]["etag"], "if_modified_since": before[1]["last-modified"]}
        assert stack.get("/feeds/all.atom", **conditions)[0] == 304
        found = in_store(settings)["/feeds/all.atom"]
        with open_store(settings.database_url).writing() as transaction:  # as long, and within the same second
            transaction.publish(replace(found, codings={"identity": found.codings["identity"].replace(b"Raft one", b"Raft two")}))
        port = (folder / "nginx.conf").read_text().partition("listen ")[2].partition(";")[0]
        assert not export_to(folder, settings, listen=port).write().reconfigured
        status, headers, body = stack.get("/feeds/all.atom", **conditions)
        assert (status, b"Raft two" in body) == (200, True)
        assert headers["content-length"] == before[1]["content-length"]
