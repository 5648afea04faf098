"""What web processes share: one takes over what is new, all serve it, over restarts and without the database."""

from __future__ import annotations

import json
import threading

import pytest
import sqlalchemy as sa

from feeds.serving.representation import answer, opaque_tag
from feeds.serving.segment import Record, Segment
from feeds.serving.shelf import Shelf
from feeds.serving.stock import StockedShelf
from feeds.store import Publication, open_store
from feeds.store.migrate import open_migrated
from feeds.store.rows import TopicRow
from feeds.topics.lifecycle import OPEN, Standing
from tests.fakes import NOW


def a_publication(path="/feeds/a.atom", body=b"<feed/>", **codings):

    return Publication(
        path, "a", opaque_tag(body), "application/xml", NOW, [("Cache-Control", "max-age=300")], {"identity": body, **codings}
    )


def put(store, *publications):
    with store.writing() as transaction:
        for publication in publications:
            transaction.publish(publication)


def body(shelf, path="/feeds/a.atom", query=""):
    found = shelf.find(path, query)
    return found and bytes(answer(found, "GET", {}).body)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "var"


def test_what_one_process_has_taken_over_another_only_reads(store, folder):
    put(store, a_publication(body=b"one"), a_publication("/b", b"two", gzip=b"zipped"))
    first, second = StockedShelf(store, folder), StockedShelf(store, folder)
    assert first.load()
    size = (folder / "shelf").stat().st_blocks
    assert second.load()
    assert (body(first), body(second), body(second, "/b")) == (b"one", b"one", b"two")
    assert (folder / "shelf").stat().st_blocks == size
    assert len(second) == 2
    assert not second.load()


def test_where_slugs_stand_is_written_when_it_moved(store, folder):
    """Others keep what was written before; who comes later finds it as well."""
    rows = {slug: TopicRow(f"tag:blog.example,2026-09-01:topics/{slug}", "") for slug in ("all", "a", "b")}
    writer, reader = StockedShelf(store, folder), Shelf(folder)
    for body, former in ((b"1", {}), (b"2", {"c": Standing("former", "b")}), (b"3", {"c": Standing("former", "b")})):
        with store.writing() as transaction:
            transaction.keep_topics(rows, NOW, former=former)
        put(store, a_publication(body=body))
        assert writer.load()
        assert reader.read_on()
        later = Shelf(folder)
        later.read_on()
        expected = dict.fromkeys(rows, OPEN) | former
        assert writer.standings == reader.standings == later.standings == expected
    heads = [json.loads(record.head) for record in _records(folder)]
    assert ["standings" in head for head in heads if "path" not in head] == [True, True, False]


def _records(folder):
    segment = Segment(folder / "shelf")
    segment.open()
    return list(segment.read_on())


def test_what_is_gone_is_gone_for_those_who_missed_it(store, folder, monkeypatch):
    """A new file took the place of the one in which it was said."""
    monkeypatch.setattr("feeds.serving.stock._WASTE", 1000)
    put(store, a_publication(), a_publication("/b", b"two"))
    writer, reader = StockedShelf(store, folder), Shelf(folder)
    writer.load(), reader.read_on()
    assert body(reader, "/b") == b"two"
    with store.engine.begin() as connection:
        connection.execute(sa.text("delete from publications where path = '/b'"))
    for n in range(4):
        put(store, a_publication(body=b"%d" % n * 3000))
        writer.load()
    reader.read_on()
    assert reader.edition == writer.edition
    assert (body(reader, "/b"), body(writer, "/b"), len(reader), len(writer)) == (None, None, 1, 1)
    assert body(reader) == b"3" * 3000


def test_a_file_that_was_left_without_an_edition_is_begun_anew(store, folder):
    put(store, a_publication(), a_publication("/b", b"two"))
    writer, reader = StockedShelf(store, folder), Shelf(folder)
    writer.load(), reader.read_on()
    Segment(folder / "shelf").replace([])  # and whoever did that is killed
    put(store, a_publication(body=b"three"))
    writer.load(), reader.read_on()
    late = Shelf(folder)
    late.read_on()
    for shelf in (writer, reader, late):
        assert (body(shelf), body(shelf, "/b")) == (b"three", b"two")


@pytest.mark.parametrize("damage", ["head", "closing", "folder"])
def test_a_damaged_file_takes_nothing_out_of_service(store, folder, damage):
    put(store, a_publication(body=b"one"))
    writer, reader = StockedShelf(store, folder), Shelf(folder)
    writer.load(), reader.read_on()
    file = folder / "shelf"
    if damage == "head":
        content = bytearray(file.read_bytes())
        content[content.index(b'"path"')] ^= 1
        file.write_bytes(content)
    elif damage == "closing":
        writer._segment.append(Record(b"no JSON", b""))
    else:
        file.unlink()
        file.mkdir()
    put(store, a_publication(body=b"two"))
    for _ in range(2):
        reader.read_on()
        assert body(reader) == b"one"
    late = StockedShelf(store, folder)
    if damage in {"head", "closing"}:
        late.load()
        assert body(late) == b"two"


def test_a_process_does_not_begin_to_serve_while_another_writes_what_it_would_serve(store, folder):
    put(store, a_publication(body=b"one"))
    first, second = StockedShelf(store, folder), StockedShelf(store, folder)
    with first._segment.writing() as allowed:
        assert allowed
        assert not second.load()
        starting = threading.Thread(target=second.watch)
        starting.start()
    first.load()
    starting.join(30)
    second.close()
    assert body(second) == b"one"


def test_news_replace_and_what_is_gone_is_gone(store, folder):
    put(store, a_publication(body=b"one"), a_publication("/b", b"two"))
    first, second = StockedShelf(store, folder), StockedShelf(store, folder)
    first.load(), second.load()
    assert body(second) == b"one"
    put(store, a_publication(body=b"three"))
    with store.engine.begin() as connection:
        connection.execute(sa.text("delete from publications where path = '/b'"))
    second.load(), first.load()
    assert [(body(shelf), body(shelf, "/b")) for shelf in (first, second)] == [(b"three", None)] * 2


def test_a_restart_without_the_database_serves_what_there_was(database, folder):
    store = open_migrated(database)
    put(store, a_publication(body=b"one"))
    StockedShelf(store, folder).load()
    store.close()
    shelf = StockedShelf(open_store("sqlite:///" + str(folder / "lost.db")), folder)
    shelf.load()
    assert body(shelf) == b"one"
    assert shelf.error


def test_another_store_in_the_place_of_the_first(tmp_path, folder):
    stores = [open_migrated(f"sqlite:///{tmp_path / name}.db") for name in ("one", "two")]
    put(stores[0], a_publication(body=b"one"), a_publication("/only-in-one", b"x"))
    put(stores[1], a_publication(body=b"uno"), a_publication("/more", b"y"), a_publication("/still-more", b"z"))
    StockedShelf(stores[0], folder).load()
    shelf = StockedShelf(stores[1], folder)
    shelf.load()
    assert (body(shelf), body(shelf, "/only-in-one"), body(shelf, "/more")) == (b"uno", None, b"y")
    for store in stores:
        store.close()


def test_a_damaged_file_is_written_anew(store, folder):
    put(store, a_publication(body=b"one " * 1000))
    StockedShelf(store, folder).load()
    file = folder / "shelf"
    content = file.read_bytes()
    with file.open("r+b") as damaged:
        damaged.seek(content.index(b"one one"))
        damaged.write(b"ONE")
    shelf = StockedShelf(store, folder)
    shelf.load()
    assert body(shelf) is None
    shelf.load()
    assert body(shelf) == b"one " * 1000


def test_a_file_that_has_grown_too_large_is_replaced(store, folder, monkeypatch):
    monkeypatch.setattr("feeds.serving.stock._WASTE", 10_000)
    writer, reader = StockedShelf(store, folder), StockedShelf(store, folder)
    put(store, a_publication("/b", b"stays"))
    for n in range(30):
        put(store, a_publication(body=b"%d" % n * 2000))
        writer.load(), reader.load()
        assert [(body(shelf), body(shelf, "/b")) for shelf in (writer, reader)] == [(b"%d" % n * 2000, b"stays")] * 2
    assert (folder / "shelf").stat().st_blocks * 512 < 40_000, "of some 120,000 bytes that were written"
    late = StockedShelf(store, folder)
    late.load()
    assert (body(late), body(late, "/b"), len(late)) == (b"29" * 2000, b"stays", 2)


def test_a_representation_with_a_query_of_its_own(store, folder):
    put(store, a_publication(body=b"full"), a_publication("/feeds/a.atom?content=summary", b"short"))
    shelf = StockedShelf(store, folder)
    shelf.load()
    assert body(shelf, query="utm_source=x&content=summary") == b"short"
    assert body(shelf, query="content=full") == b"full"
    assert body(shelf) == b"full"


def test_while_another_writes_there_is_nothing_to_wait_for(store, folder):
    put(store, a_publication())
    shelf = StockedShelf(store, folder)
    with StockedShelf(store, folder)._segment.writing():
        assert not shelf.load()
    assert shelf.load()


def test_a_folder_that_cannot_be_written_to(store, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    put(store, a_publication())
    shelf = StockedShelf(store, blocked / "below")
    shelf.load()
    assert body(shelf) == b"<feed/>"
