"""A topic's whole history: whoever follows the chain of archive documents gets every post, once, whatever happens meanwhile."""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from lxml import etree

from feeds.formats import FORMATS
from feeds.publishing import publish
from feeds.store import Store
from tests.builders import a_post, at
from tests.conftest import topicfeeds
from tests.histories import ARCHIVE, ITEMS, NS, READ, Audit, Events, Follower, World, ids


@pytest.fixture
def world(tmp_path, database):
    world = World(tmp_path, database)
    yield world
    world.close()


def newest_first(world):
    return [post.id for post in sorted(world.shown.values(), key=lambda post: post.published, reverse=True)]


@pytest.mark.parametrize("suffix", [suffix for suffix in FORMATS if suffix in READ])
def test_the_first_publication_archives_the_whole_history(world, suffix):
    world.add(ITEMS + 3 * ARCHIVE + 1)
    world.publish()
    documents = world.crawl(suffix)
    assert ids(documents) == newest_first(world)
    assert [len(document.ids) for document in documents] == [ITEMS, 1, ARCHIVE, ARCHIVE, ARCHIVE]
    assert [document.closed for document in documents] == [False, False, True, True, True]
    assert [document.path for document in documents[1:]] == [f"/feeds/go-concurrency/archive/{n}.{suffix}" for n in (4, 3, 2, 1)]


@pytest.mark.parametrize("posts", [0, 1, ITEMS])
def test_a_short_topic_has_no_archive(world, posts):
    if posts:
        world.add(posts)
    world.publish()
    assert len(world.crawl()) == 1
    assert world.app.test_client().get("/feeds/go-concurrency/archive/1.atom").status_code == 404


def test_what_leaves_the_subscription_document_enters_the_archive(world):
    world.add(ITEMS)
    for n in range(1, 2 * ARCHIVE + 2):
        world.add()
        world.publish()
        documents = world.crawl()
        assert ids(documents) == newest_first(world)
        assert sum(len(document.ids) for document in documents[1:]) == n


def test_a_full_document_is_closed_when_the_next_begins_and_names_it(world):
    world.add(ITEMS + ARCHIVE)
    world.publish()
    assert [document.closed for document in world.crawl()] == [False, False]
    world.add()
    world.publish()
    _, following, closed = world.crawl()
    assert closed.closed
    links = {link.get("rel"): link.get("href") for link in etree.fromstring(closed.body).findall("a:link", NS)}
    assert urlsplit(links["next-archive"]).path == following.path
    assert urlsplit(links["current"]).path == "/feeds/go-concurrency.atom"


def test_an_archive_that_grew_has_another_address_for_clients_that_never_read_one_twice(world):
    world.add(ITEMS + 1)
    world.publish()
    before = READ["atom"](world.get("/feeds/go-concurrency.atom").data)[1]
    world.add()
    world.publish()
    after = READ["atom"](world.get("/feeds/go-concurrency.atom").data)[1]
    assert before != after
    assert all(target.startswith("/feeds/go-concurrency/archive/1.atom?version=") for target in (before, after))
    assert world.get(before).data == world.get(after).data


@pytest.mark.parametrize("suffix", READ)
def test_a_reader_of_no_archive_twice_gets_what_came_in_place_of_what_went(world, suffix):
    """The open document has as many entries as before, and other ones."""
    world.add(ITEMS + 2)
    world.publish()
    reader = Follower(world, suffix)
    reader.poll()
    world.leave(newest_first(world)[-1])
    late = world.add(late=True)
    world.publish()
    reader.poll()
    assert late in reader.has


def test_a_late_addition_beside_a_full_window_is_archived_at_once(world):
    world.add(ITEMS)
    world.publish()
    late = world.add(late=True)
    world.publish()
    current, archive = world.crawl()
    assert late not in current.ids
    assert archive.ids == [late]


def test_a_correction_of_an_archived_post_is_shown_again_until_the_window_has_moved_on(world):
    world.add(ITEMS + 2 * ARCHIVE)
    first = newest_first(world)[-1]
    world.publish()
    closed = world.crawl()[-1]
    world.edit(first)
    world.publish()
    documents = world.crawl()
    assert documents[0].ids == [*newest_first(world)[:ITEMS], first]
    assert documents[-1].body == closed.body
    world._dated = world.clock() + timedelta(days=1)
    world.clock.advance(days=30)
    world.add(ITEMS)
    world.publish()
    assert first not in world.crawl()[0].ids


def test_a_correction_in_an_open_archive_is_made_there(world):
    world.add(ITEMS + 1)
    first = newest_first(world)[-1]
    world.publish()
    before = READ["atom"](world.crawl()[0].body)[1]
    world.edit(first)
    world.publish()
    current, archive = world.crawl()
    assert first not in current.ids
    assert b"Edited at" in archive.body
    assert READ["atom"](current.body)[1] != before, "a reader that reads no archive document twice would not get it"


def test_a_withdrawn_post_leaves_what_is_open_and_is_told_of(world):
    world.add(ITEMS + ARCHIVE + 2)
    oldest_first = newest_first(world)[::-1]
    world.publish()
    in_closed, in_open, in_current = oldest_first[0], oldest_first[ARCHIVE], oldest_first[-1]
    for entry_id in (in_closed, in_open, in_current):
        world.withdraw(entry_id)
    world.publish()
    current, last, closed = world.crawl()
    assert in_closed in closed.ids
    assert in_open not in last.ids
    assert in_current not in current.ids
    deleted = etree.fromstring(current.body).findall("at:deleted-entry", NS)
    assert [entry.get("ref") for entry in deleted] == [in_current, in_open, in_closed]
    assert len(current.ids) == ITEMS - 1, "what was archived does not come back into the window"


def test_a_post_that_only_left_the_topic_is_not_told_of_as_deleted(world):
    world.add(2)
    world.publish()
    world.leave(newest_first(world)[0])
    world.publish()
    (current,) = world.crawl()
    assert current.ids == newest_first(world)
    assert not etree.fromstring(current.body).findall("at:deleted-entry", NS)


def test_closed_archives_keep_their_bytes_over_a_new_title_and_are_written_anew_for_a_new_address(world):
    world.add(ITEMS + ARCHIVE + 1)
    world.publish()
    before = world.crawl()
    world.configure(title="Another title")
    world.publish()
    after = world.crawl()
    assert b"Another title" in after[0].body
    assert b"Another title" in after[1].body
    assert after[2].body == before[2].body
    world.configure(public_url="https://new.example/")
    world.publish()
    moved = world.crawl()
    assert ids(moved) == ids(before)
    assert not any(b"https://feeds.example" in document.body for document in moved)


def test_other_sizes_of_window_and_archive_leave_no_gap(world):
    world.add(30)
    world.publish()
    for items, size in [(7, 3), (2, 10), (9, 1), (1, 6)]:
        world.configure(items=items, archive_items=size)
        world.add(3)
        world.publish()
        assert sorted(ids(world.crawl())) == sorted(world.shown), (items, size)


def test_a_document_stays_open_while_pages_of_its_posts_are_still_to_be_read(world):
    source = world.settings.sources[0].model_copy(update={"enrich": True})
    world.settings = world.settings.model_copy(update={"sources": (source,)})
    world.add(ITEMS + ARCHIVE + 1)
    world.publish()
    assert not any(document.closed for document in world.crawl())
    first = world.shown[newest_first(world)[-1]]
    for post in list(world.shown.values()):
        world.save(replace(post, enriched=True, content=post.content + ("<p>Read.</p>" if post is first else "")))
    world.publish()
    documents = world.crawl()
    assert [document.closed for document in documents] == [False, False, True]
    assert b"Read." in documents[-1].body


class Death(BaseException):
    """Nothing in the service catches it, as nothing catches a kill -9."""


class MortalStore(Store):
    """A store whose process dies when it begins one transaction more than it has lives."""

    def __init__(self, store, lives):
        super().__init__(store.engine)
        self.lives = lives

    @contextmanager
    def writing(self):
        if self.lives == 0:
            raise Death
        self.lives -= 1
        with super().writing() as transaction:
            yield transaction


@pytest.mark.parametrize("lives", range(6))
def test_a_publication_that_dies_at_any_transaction_leaves_a_sound_chain(world, lives):
    world.add(ITEMS)
    world.publish()
    world.add(3 * ARCHIVE, late=True)
    world.add(2)
    before = set(ids(world.crawl()))
    with pytest.raises(Death):
        publish.publish_pending(world.settings, MortalStore(world.store, lives), world.clock())
    world.app.extensions["topicfeeds"]["shelf"].load()
    crawled = ids(world.crawl())
    assert len(crawled) == len(set(crawled))
    assert before <= set(crawled)
    world.publish()
    assert sorted(ids(world.crawl())) == sorted(world.shown)


def test_two_processes_that_publish_at_once_lose_and_repeat_nothing(world):
    world.add(ITEMS + ARCHIVE)
    world.publish()
    world.add(3)
    rival = World.__new__(World)
    rival.__dict__.update(world.__dict__)

    class Interrupted(Store):
        done = False

        @contextmanager
        def writing(self):
            if not Interrupted.done:
                Interrupted.done = True
                rival.publish()
                rival.add(2)
            with super().writing() as transaction:
                yield transaction

    publish.publish_pending(world.settings, Interrupted(world.store.engine), world.clock())
    assert Interrupted.done
    world.publish()
    assert ids(world.crawl()) == newest_first(world)


@pytest.mark.parametrize("seed", range(2))
def test_a_crawler_loses_nothing_and_repeats_nothing_while_posts_come_change_and_go(world, seed):
    happen = Events(world, f"{world.store.engine.dialect.name} {seed}")
    audit = Audit(world, happen)
    readers = [(Follower(world, suffix), random.Random(suffix)) for suffix in READ]
    for _ in range(9):
        happen()
        audit()
        for reader, chance in readers:
            if chance.random() < 0.5:
                reader.poll()
                assert set(world.shown) <= reader.has, "a reader that reads no archive document twice missed a post"
        before = set(world.shown)
        crawled = set(ids(world.crawl(between=happen.a_few_times())))
        assert before & set(world.shown) <= crawled, "a post was lost while the crawler read"


def test_a_long_history_is_complete_for_every_reader_in_every_edition(world):
    """Hundreds of posts in small documents, with editions that nobody polls; ``make corpus`` does it with thousands."""
    world.configure(items=5, archive_items=20)
    world.add(300)
    happen = Events(world, "long", most=20, resize=0)
    audit, readers = Audit(world, happen), [Follower(world, suffix) for suffix in READ]
    for number in range(6):
        happen()
        audit()
        for reader in readers if number % 2 else ():
            reader.poll()
            assert set(world.shown) <= reader.has
    assert audit.documents > 15


def test_a_feed_that_would_collapse_stays_as_it_was_until_the_owner_forces_it(world, tmp_path):
    world.add(ITEMS)
    world.configure(items=20)
    world.add(6)
    world.publish()
    before = world.crawl()[0].body
    for entry_id in list(world.shown)[:8]:
        world.leave(entry_id)
    world.publish()
    assert world.crawl()[0].body == before
    error = world.store.topics()["go-concurrency"].error
    assert "/feeds/go-concurrency" in error
    assert "collapse" in error
    assert "8 of 10" in error
    config = str(tmp_path / "topicfeeds.toml")
    assert topicfeeds("publish", "--config", config, folder=tmp_path).returncode == 1
    forced = topicfeeds("publish", "--force", "go-concurrency", "--config", config, folder=tmp_path)
    assert forced.returncode == 0, forced.stderr
    assert "publish.forced" in forced.stdout + forced.stderr
    world.app.extensions["topicfeeds"]["shelf"].load()
    assert ids(world.crawl()) == newest_first(world)
    assert not world.store.topics()["go-concurrency"].error
    assert "nonsense" in topicfeeds("publish", "--force", "nonsense", "--config", config, folder=tmp_path).stderr


def test_a_new_configuration_accounts_for_what_a_feed_loses(world):
    world.configure(items=20)
    world.add(10)
    world.publish()
    for entry_id in list(world.shown)[:8]:
        world.leave(entry_id)
    world.configure(items=20, title="Another")
    world.publish()
    assert ids(world.crawl()) == newest_first(world)


def test_an_id_that_the_ledger_does_not_know_is_left_out_and_named(world):
    world.add(3)
    stranger = a_post(id="tag:blog.example,2020:stranger", published=at("2020-01-01"))
    with world.store.writing() as transaction:
        transaction.save_post(stranger, held=False)
        transaction.touch(["all"])
    world.publish()
    assert ids(world.crawl(slug="all")) == newest_first(world)
    assert stranger.id in world.store.topics()["all"].error
