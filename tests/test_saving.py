"""A long document is saved part by part: nobody waits long for it, and a kill between two parts leaves no trace."""

import threading
import time
from contextlib import suppress
from datetime import timedelta

import pytest
import sqlalchemy as sa

from feeds.refreshing.intake import parts
from feeds.refreshing.keys import Provenance
from feeds.settings import load
from feeds.store import open_store, tables
from tests.builders import a_draft
from tests.conftest import dump, write_config
from tests.fakes import NOW, Item, rss
from tests.test_pipeline import kept, refresh_in_peace, refreshing

ITEMS = 1000
DATE = "<pubDate>"


def long_feed(base, edition, numbers):
    """Posts of which every fifth has no date; two share their guid and URL, one item is nothing at all."""
    items = [Item(f"/blog/{n}/", f"Raft {n}", f"A quorum, {edition}.", NOW - timedelta(hours=n)) for n in numbers]
    document = rss(base, *items, Item(items[0].path, "Again", published=NOW - timedelta(days=90)))
    pieces = document.replace("</channel>", "<item><category>x</category></item></channel>").split("<item>")
    return "<item>".join(undated(piece) if n % 5 == 4 else piece for n, piece in enumerate(pieces))


def undated(piece):
    head, _, tail = piece.partition(DATE)
    return head + tail.partition("</pubDate>")[2] if tail else piece


def posts_in(store):
    """How many posts there are; none before the process that is to be killed has made the database."""
    with suppress(sa.exc.OperationalError), store.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(tables.posts))
    return 0


def edited_in(store, edition):
    with store.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).where(tables.posts.c.summary.contains(f", {edition}.")))


def kill_when(condition, folder):
    """Begin a refresh and kill it at once when a condition holds; whether it was still at work."""
    process, end = refreshing(folder), time.monotonic() + 60
    while not condition() and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.002)
    process.kill()
    return process.wait(10) == -9


def state_of(store):
    rows = dump(store)
    said = [(row["post"], row["source"], row["draft"]) for row in rows["said"]]
    return *kept(store), said, rows["set_aside"], [(row["etag"], row["quiet"], row["last_change"]) for row in rows["sources"]]


@pytest.mark.timeout(180)
def test_kill_9_between_two_parts_comes_to_the_same(origin, tmp_path):
    settings = [load(write_config(tmp_path / name, origin.url), environ={}) for name in ("whole", "killed")]
    whole, killed = (open_store(each.database_url) for each in settings)
    origin.put("/index.xml", long_feed(origin.url, "first", range(1, ITEMS)), etag='"1"')
    refresh_in_peace(tmp_path / "whole")
    for least in (1, ITEMS // 2, ITEMS - 250):
        assert kill_when(lambda least=least: posts_in(killed) >= least, tmp_path / "killed")
        assert least <= posts_in(killed) < ITEMS
        assert killed.sources()["blog"].etag == ""
        assert killed.set_aside() == {}
    refresh_in_peace(tmp_path / "killed")
    assert state_of(killed) == state_of(whole)
    origin.put("/index.xml", long_feed(origin.url, "second", range(100, ITEMS + 100)), etag='"2"')
    refresh_in_peace(tmp_path / "whole")
    assert kill_when(lambda: edited_in(killed, "second") > 300, tmp_path / "killed")
    assert killed.sources()["blog"].etag == '"1"'
    refresh_in_peace(tmp_path / "killed")
    assert state_of(killed) == state_of(whole)
    assert posts_in(killed) == ITEMS + 100
    for store in (whole, killed):
        store.close()


def test_other_writers_get_their_turn_between_the_parts(blog, assemble):
    pipeline = assemble()
    blog.put("/index.xml", long_feed(blog.url, "first", range(1, ITEMS)), etag='"2"')
    refresh = threading.Thread(target=pipeline.refresh, args=("blog",))
    refresh.start()
    turns = 0
    while refresh.is_alive():
        pipeline.store.beat(NOW)
        turns += 0 < posts_in(pipeline.store) < ITEMS
        time.sleep(0.005)
    assert turns > 0
    assert pipeline.store.counts()["all"].posts == ITEMS


@pytest.mark.parametrize(
    ("lengths", "items", "characters", "expected"),
    [
        ([], 2, 100, [(0, 0)]),
        ([10] * 5, 2, 100, [(0, 2), (2, 2), (4, 1)]),
        ([10, 60, 60, 200, 10], 10, 100, [(0, 2), (2, 1), (3, 1), (4, 1)]),
    ],
)
def test_parts_are_bounded_by_number_and_by_length(lengths, items, characters, expected):
    drafts = [a_draft(guid=str(n), title="", summary="", content="x" * length) for n, length in enumerate(lengths)]
    found = parts(drafts, Provenance("blog"), items=items, characters=characters)
    assert [(part.start, len(part.drafts)) for part in found] == expected
    assert [draft for part in found for draft in part.drafts] == drafts
    assert all(len(part.keys) == len(part.drafts) for part in found)


def test_title_and_day_tie_across_the_parts_only_what_is_missing(assemble, blog):
    """A post in the last part whose title and day are those of a post in the first is another post, in however many parts."""
    pipeline = assemble()
    day = NOW - timedelta(days=3)
    first = Item("/blog/old/", "Same title", published=day, guid="old")
    blog.put("/index.xml", rss(blog.url, first), etag='"2"')
    pipeline.refresh("blog")
    filling = [Item(f"/blog/{n}/", f"Post {n}", published=day) for n in range(400)]
    twin = Item("/blog/twin/", "Other title", published=day, guid="twin")
    moved = Item("/blog/new-address/", "Same title", published=day, guid="new")
    blog.put("/index.xml", rss(blog.url, *filling, twin, moved), etag='"3"')
    pipeline.refresh("blog")
    assert pipeline.store.counts()["all"].posts == 402
    with_new_url = [post for post in pipeline.store.every_post() if post.url.endswith("/new-address/")]
    assert [post.id.rsplit("/", 1)[-1] for post in with_new_url] == ["old"]
