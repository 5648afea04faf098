"""The store's contract, over SQLite and PostgreSQL alike."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from feeds.configuration import Compression
from feeds.errors import StoreError
from feeds.model import Enclosure, Evidence, Membership, Person, Post, SetAside
from feeds.publishing.compression import encode
from feeds.serving.representation import opaque_tag
from feeds.store import Publication, TopicCount, TopicRow, open_store, tables
from feeds.store.migrate import head, open_migrated
from tests.conftest import dump
from tests.fakes import NOW

DAY = timedelta(days=1)


def a_post(name="one", **changes):
    post = Post(
        id=f"tag:blog.example,2026-09-01:{name}",
        source="blog",
        url=f"https://blog.example/{name}/",
        title="chan<- T & <select> — 内核 🚀",
        summary="<p>Summary</p>",
        content="",
        authors=(Person("Ann", "ann@blog.example", "https://blog.example/ann"),),
        tags=("Go", "eBPF"),
        published=NOW - DAY,
        updated=NOW - DAY,
        first_seen=NOW,
        published_raw="yesterday",
        language="en",
        image="",
        enclosures=(Enclosure("https://blog.example/a.mp3", "audio/mpeg", 12),),
        digest="d1",
    )
    return replace(post, **changes)


def in_topic(topic):
    return Membership(topic, 2.5, (Evidence("terms", "body", "goroutine", 1.5),))


def a_publication(path="/feeds/all.atom", body=b"<feed/>", topic="all"):
    headers = [("Cache-Control", "max-age=300"), ("Link", '<https://feeds.example/>; rel="self"')]
    return Publication(
        path, topic, opaque_tag(body), "application/atom+xml; charset=utf-8", NOW, headers, encode(body, Compression())
    )


@pytest.fixture
def ready(store):
    """A store with a source and three topics."""
    with store.writing() as transaction:
        transaction.keep_sources({"blog": ("https://blog.example/index.xml", "r1")}, NOW)
        transaction.keep_topics(
            {slug: TopicRow(f"tag:blog.example,2026-09-01:topics/{slug}", "r1") for slug in ("all", "go", "ebpf")}, NOW
        )
    return store


# -- shape -----------------------------------------------------------------------------------------------------------


def test_migrations_give_exactly_the_tables_of_this_program(store):
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, tables.metadata) == []
        assert context.get_current_revision() == head()


def test_migrating_twice_changes_nothing(ready, database):
    before = dump(ready)
    again = open_migrated(database)
    assert dump(again) == before
    again.close()


def test_two_processes_that_migrate_at_once_both_succeed(database):
    failures = []

    def migrate():
        try:
            open_migrated(database).close()
        except StoreError as error:
            failures.append(error)

    at_once(migrate, migrate, migrate)
    assert failures == []


def test_a_database_from_the_future_is_refused(store, database):
    with store.engine.begin() as connection:
        connection.execute(sa.text("update alembic_version set version_num = '9999'"))
    with pytest.raises(StoreError, match="newer version"):
        open_migrated(database)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "nosuchdb://x/y",
        "sqlite:////proc/nowhere/x.db",
        "postgresql://me:secret@127.0.0.1:1/none?connect_timeout=1",
    ],
)
def test_a_database_that_cannot_be_used_is_one_line_without_the_password(url):
    with pytest.raises(StoreError) as caught:
        open_migrated(url)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "x.db").write_bytes(b"This is a letter, not a database.\n" * 100)
    with pytest.raises(StoreError):
        open_migrated(f"sqlite:///{tmp_path / 'x.db'}")


def test_sqlite_keeps_what_was_committed_and_lets_readers_be(tmp_path):
    store = open_migrated(f"sqlite:///{tmp_path / 'x.db'}")
    with store.reading() as connection:
        assert connection.scalar(sa.text("pragma journal_mode")) == "wal"
        assert connection.scalar(sa.text("pragma synchronous")) == 2
        assert connection.scalar(sa.text("pragma foreign_keys")) == 1
    store.close()


# -- transactions ------------------------------------------------------------------------------------------------------


def test_a_transaction_that_fails_leaves_nothing(ready):
    def half_done():
        with ready.writing() as transaction:
            transaction.save_post(a_post(), held=False)
            transaction.publish(a_publication())
            transaction.touch(["all"])
            raise InterruptedError

    before = dump(ready)
    with pytest.raises(InterruptedError):
        half_done()
    assert dump(ready) == before


def test_readers_see_what_was_committed_while_a_writer_writes(ready):
    with ready.writing() as transaction:
        transaction.publish(a_publication())
        assert (ready.revision(), ready.published_tags()) == (0, {})
    assert ready.revision() == 1


def test_writers_queue(ready, database):
    """Read, then write: two that do so at once must not both start from the same number."""
    second = open_store(database)

    def advance(store):
        for _ in range(10):
            with store.writing() as transaction:
                transaction.publish(a_publication(body=b"%d" % id(store)))

    at_once(lambda: advance(ready), lambda: advance(second))
    assert ready.revision() == 20
    second.close()


@pytest.mark.parametrize("write", [lambda t: t.save_post(a_post(published=datetime(2026, 9, 1)), held=False),  # noqa: DTZ001
                                   lambda t: t.record("blog", last_attempt=datetime(2026, 9, 1))])  # noqa: DTZ001  # fmt: skip
def test_a_time_without_zone_is_refused(ready, write):
    with pytest.raises((ValueError, sa.exc.StatementError), match="naive"), ready.writing() as transaction:
        write(transaction)


# -- sources -----------------------------------------------------------------------------------------------------------


def test_a_new_source_is_due_at_once(ready):
    assert [source.id for source in ready.due(NOW)] == ["blog"]
    assert ready.due(NOW - timedelta(seconds=1)) == []


def test_the_longest_overdue_comes_first(ready):
    with ready.writing() as transaction:
        transaction.keep_sources(dict.fromkeys("abc", ("https://blog.example/", "r1")), NOW)
        transaction.record("c", next_check=NOW - DAY)
    assert [source.id for source in ready.due(NOW)] == ["c", "a", "b"]


def test_a_claim_holds_until_its_lease_ends(ready):
    (source,) = ready.due(NOW)
    assert ready.claim(source, until=NOW + DAY)
    assert ready.due(NOW) == []
    assert [again.id for again in ready.due(NOW + DAY)] == ["blog"]


def test_of_two_processes_that_claim_a_source_one_wins(ready, database):
    stores = [ready, *(open_store(database) for _ in range(3))]
    for day in range(5):
        (source,) = ready.due(NOW + day * DAY)
        won = at_once(*(partial(store.claim, source, until=NOW + (day + 1) * DAY) for store in stores))
        assert sorted(won) == [False, False, False, True]
    for other in stores[1:]:
        other.close()


def test_a_source_that_is_configured_anew_starts_anew(ready):
    with ready.writing() as transaction:
        transaction.record("blog", etag='"1"', last_modified="x", next_check=NOW + DAY, fetches=1)
        transaction.keep_sources({"blog": ("https://blog.example/index.xml", "r1")}, NOW)
    assert ready.sources()["blog"].etag == '"1"'
    with ready.writing() as transaction:
        transaction.keep_sources({"blog": ("https://blog.example/feed.xml", "r2")}, NOW)
    source = ready.sources()["blog"]
    assert (source.url, source.etag, source.last_modified, source.next_check) == ("https://blog.example/feed.xml", "", "", NOW)
    assert source.fetches == 1


def test_a_source_that_is_configured_no_more_goes_and_its_posts_stay(ready):
    with ready.writing() as transaction:
        transaction.save_post(a_post(), held=False)
        transaction.replace_set_aside("blog", [SetAside("k", "t", "r")], NOW)
        transaction.keep_sources({}, NOW)
    assert (ready.sources(), ready.set_aside()) == ({}, {})
    assert len(ready.newest("all", limit=9)) == 1


def test_counters_add_up(ready):
    for _ in range(3):
        with ready.writing() as transaction:
            transaction.record("blog", fetches=1, fetches_failed=1, failures=7, error="x", cause="timeout")
    source = ready.sources()["blog"]
    assert (source.fetches, source.fetches_failed, source.fetches_not_modified, source.failures) == (3, 3, 0, 7)


def test_what_was_set_aside_is_replaced_and_keeps_its_since(ready):
    with ready.writing() as transaction:
        transaction.replace_set_aside("blog", [SetAside("a", "A", "r"), SetAside("b", "B", "r"), SetAside("b", "B2", "r")], NOW)
    with ready.writing() as transaction:
        transaction.replace_set_aside("blog", [SetAside("b", "B", "other"), SetAside("c", "C", "r")], NOW + DAY)
    assert ready.set_aside() == {"blog": [SetAside("b", "B", "other"), SetAside("c", "C", "r")]}
    assert [row["since"] for row in dump(ready)["set_aside"]] == [NOW, NOW + DAY]


# -- posts and ledger --------------------------------------------------------------------------------------------------


def test_a_post_comes_back_as_it_was_saved(ready):
    with ready.writing() as transaction:
        transaction.save_post(a_post(), held=False)
        assert transaction.posts([a_post().id, "other"]) == {a_post().id: a_post()}
    assert ready.newest("all", limit=9) == (a_post(),)


def test_saving_twice_is_saving_once(ready):
    def save():
        with ready.writing() as transaction:
            transaction.save_post(a_post(), held=False)
            transaction.learn({"url:blog.example/one": a_post().id}, NOW)
            return transaction.save_memberships(a_post().id, [in_topic("go")])

    assert save() == {"go"}
    before = dump(ready)
    assert save() == set()
    assert dump(ready) == before


def test_the_ledger_only_grows(ready):
    with ready.writing() as transaction:
        transaction.learn({"guid:blog:1": "id-1"}, NOW)
    with ready.writing() as transaction:
        transaction.learn({"guid:blog:1": "id-2", "guid:blog:2": "id-2"}, NOW + DAY)
        transaction.learn({}, NOW)
        assert transaction.ledger(["guid:blog:1", "guid:blog:2", "guid:blog:3"]) == {"guid:blog:1": "id-1", "guid:blog:2": "id-2"}
        assert transaction.is_taken("id-1")
        assert not transaction.is_taken("id-3")
    assert [row["since"] for row in dump(ready)["ledger"]] == [NOW, NOW + DAY]


def test_thousands_of_keys_and_posts_are_looked_up_at_once(ready):
    keys = {f"guid:blog:{n}": f"id-{n}" for n in range(1200)}
    with ready.writing() as transaction:
        transaction.learn(keys, NOW)
        transaction.learn(keys, NOW)
        assert transaction.ledger([*keys, "other"]) == keys
        for n in range(1100):
            transaction.save_post(a_post(f"{n:04}"), held=False)
        assert len(transaction.posts([a_post(f"{n:04}").id for n in range(1100)])) == 1100
    assert [post.id for post in ready.every_post()] == [a_post(f"{n:04}").id for n in range(1100)]


def test_newest_first_and_no_more_than_asked_for(ready):
    with ready.writing() as transaction:
        for n, name in enumerate("cab"):
            transaction.save_post(a_post(name, published=NOW - n * DAY), held=False)
            transaction.save_memberships(a_post(name).id, [in_topic("go")] if name != "a" else [])
        transaction.save_post(a_post("twin", published=NOW), held=False)
    assert [post.id.rpartition(":")[2] for post in ready.newest("all", limit=3)] == ["c", "twin", "a"]
    assert [post.id.rpartition(":")[2] for post in ready.newest("go", limit=3)] == ["c", "b"]
    assert ready.newest("none", limit=3) == ()


def test_a_held_post_is_in_no_feed_until_it_is_released(ready):
    tomorrow = a_post(published=NOW + DAY)
    with ready.writing() as transaction:
        transaction.save_post(tomorrow, held=True)
        transaction.save_memberships(tomorrow.id, [in_topic("go")])
        assert transaction.release(NOW) == []
    assert ready.newest("go", limit=9) == ready.newest("all", limit=9) == ()
    assert ready.counts() == {"all": TopicCount(0, None)}
    with ready.writing() as transaction:
        assert transaction.release(NOW + DAY) == [tomorrow.id]
        assert transaction.topics_of([tomorrow.id]) == {tomorrow.id: {"go"}}
        assert transaction.release(NOW + DAY) == []
    assert ready.newest("go", limit=9) == (tomorrow,)


def test_reclassification_names_the_topics_that_a_post_entered_or_left(ready):
    with ready.writing() as transaction:
        transaction.save_post(a_post(), held=False)
        assert transaction.save_memberships(a_post().id, [in_topic("go")]) == {"go"}
        assert transaction.save_memberships(a_post().id, [in_topic("go"), in_topic("ebpf")]) == {"ebpf"}
        assert transaction.save_memberships(a_post().id, [in_topic("ebpf")]) == {"go"}
        assert transaction.save_memberships(a_post().id, []) == {"ebpf"}


def test_a_membership_keeps_its_evidence(ready):
    with ready.writing() as transaction:
        transaction.save_post(a_post(), held=False)
        transaction.save_memberships(a_post().id, [in_topic("go")])
    (row,) = dump(ready)["memberships"]
    assert row["score"] == 2.5
    assert row["evidence"] == [{"rule": "terms", "field": "body", "words": "goroutine", "weight": 1.5, "found": "", "times": 1}]


def test_counts(ready):
    with ready.writing() as transaction:
        transaction.save_post(a_post("one"), held=False)
        transaction.save_post(a_post("two", published=NOW), held=False)
        transaction.save_memberships(a_post("one").id, [in_topic("go")])
    assert ready.counts() == {"all": TopicCount(2, NOW), "go": TopicCount(1, NOW - DAY)}


def test_pages_to_read_the_least_tried_first_and_none_for_ever(ready):
    with ready.writing() as transaction:
        for n, name in enumerate("abc"):
            transaction.save_post(a_post(name, published=NOW - n * DAY, enriched=name == "c"), held=False)
        transaction.page_failed(a_post("a").id)
    assert [post.id[-1] for post in ready.without_page("blog", attempts=2, limit=9)] == ["b", "a"]
    assert [post.id[-1] for post in ready.without_page("blog", attempts=1, limit=9)] == ["b"]
    assert ready.without_page("other", attempts=2, limit=9) == ()


def test_an_edit_of_a_post_keeps_the_count_of_attempts(ready):
    with ready.writing() as transaction:
        transaction.save_post(a_post(), held=False)
        transaction.page_failed(a_post().id)
        transaction.save_post(a_post(title="New"), held=False)
    assert dump(ready)["posts"][0]["page_attempts"] == 1


# -- topics and publications -------------------------------------------------------------------------------------------


def pending(store):
    return {slug for slug, topic in store.topics().items() if topic.changed != topic.published}


def test_a_topic_is_pending_when_new_when_touched_and_when_configured_anew(ready):
    assert pending(ready) == {"all", "go", "ebpf"}
    with ready.writing() as transaction:
        for slug, topic in ready_topics(transaction).items():
            transaction.set_published(slug, topic)
    assert pending(ready) == set()
    with ready.writing() as transaction:
        transaction.touch(["go", "unknown"])
    assert pending(ready) == {"go"}
    with ready.writing() as transaction:
        transaction.keep_topics(
            {"all": TopicRow("other-id", "r1"), "go": TopicRow("other-id", "r1"), "ebpf": TopicRow("other-id", "r2")}, NOW + DAY
        )
    assert pending(ready) == {"go", "ebpf"}


def ready_topics(transaction) -> Mapping[str, int]:
    return dict(transaction._connection.execute(sa.select(tables.topics.c.slug, tables.topics.c.changed)).tuples().all())


def test_the_id_of_a_feed_is_minted_once(ready):
    with ready.writing() as transaction:
        transaction.keep_topics(dict.fromkeys(("all", "go", "ebpf"), TopicRow("another", "r2")), NOW + DAY)
    assert {topic.feed_id for topic in ready.topics().values()} == {
        f"tag:blog.example,2026-09-01:topics/{s}" for s in ("all", "go", "ebpf")
    }
    assert {topic.since for topic in ready.topics().values()} == {NOW}


def test_the_revision_moves_with_a_publication_and_with_nothing_else(ready):
    with ready.writing() as transaction:
        transaction.save_post(a_post(), held=False)
        transaction.touch(["all"])
        transaction.record("blog", fetches=1)
        transaction.set_rules("r")
    ready.beat(NOW)
    assert ready.revision() == 0
    with ready.writing() as transaction:
        transaction.publish(a_publication())
    assert ready.revision() == 1


def test_publications_since_a_revision(ready):
    with ready.writing() as transaction:
        transaction.publish(a_publication("/a", b"a" * 1000))
        transaction.publish(a_publication("/b", b"b"))
    revision, paths, found = ready.publications()
    assert (revision, paths, {p.path for p in found}) == (2, {"/a", "/b"}, {"/a", "/b"})
    assert next(p for p in found if p.path == "/a") == a_publication("/a", b"a" * 1000)
    with ready.writing() as transaction:
        transaction.publish(a_publication("/b", b"c"))
    revision, paths, found = ready.publications(since=revision)
    assert (revision, paths, [(p.path, p.codings) for p in found]) == (3, {"/a", "/b"}, [("/b", {"identity": b"c"})])


def test_a_coding_that_is_no_longer_worth_while_goes(ready):
    with ready.writing() as transaction:
        transaction.publish(a_publication(body=b"a" * 1000))
        transaction.publish(a_publication(body=b"a"))
    assert [row["coding"] for row in dump(ready)["bodies"]] == ["identity"]


def test_what_a_vanished_topic_published_goes_and_the_directory_stays(ready):
    with ready.writing() as transaction:
        transaction.publish(a_publication("/feeds/go.atom", topic="go"))
        transaction.publish(a_publication("/", topic=""))
    with ready.writing() as transaction:
        transaction.keep_topics({"all": TopicRow("id", "r1")}, NOW)
    revision, paths, _ = ready.publications()
    assert (revision, paths) == (3, {"/"})
    assert [row["path"] for row in dump(ready)["bodies"]] == ["/"]


def test_heartbeat_and_rules(ready):
    assert (ready.heartbeat(), ready.rules()) == (None, "")
    ready.beat(NOW)
    with ready.writing() as transaction:
        transaction.set_rules("abc")
    assert (ready.heartbeat(), ready.rules()) == (NOW, "abc")


def at_once(*calls):
    """Run calls in threads that start together; what they returned."""
    gate = threading.Barrier(len(calls))
    results = [None] * len(calls)

    def run(n, call):
        gate.wait()
        results[n] = call()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
