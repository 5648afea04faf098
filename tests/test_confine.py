"""Readers that can be killed: what takes too long or too much costs its source a ParseError, and nobody else anything."""

from __future__ import annotations

import threading
from datetime import UTC, timedelta

import psutil
import pytest

from feeds.confine import Confined
from feeds.errors import ParseError
from feeds.model import Document
from tests.builders import a_source
from tests.fakes import BLOG, rss

URL = "https://blog.example/index.xml"
GOOD = Document(URL, rss("https://blog.example", *BLOG).encode())
ATTRIBUTES = b"<rss " + b" ".join(b'a%d="1"' % n for n in range(200_000)) + b"/>"


@pytest.fixture
def confined():
    confined = Confined(deadline=timedelta(seconds=5))
    yield confined
    confined.close()


def read(confined, document=GOOD):
    return len(confined.parse(a_source(), document, zone=UTC).drafts)


def children():
    """The readers that run now, those of other tests included."""
    return {child for child in psutil.Process().children() if child.status() != "zombie" and "feeds.confine" in child.cmdline()}


def test_a_document_that_takes_too_long_is_refused_in_time_and_the_next_is_read():
    confined = Confined(deadline=timedelta(seconds=2))
    with pytest.raises(ParseError, match=r"longer than 2s") as caught:
        read(confined, Document(URL, ATTRIBUTES))
    assert str(caught.value).startswith(URL)
    confined._deadline = timedelta(seconds=20)
    assert read(confined) == 3
    confined.close()


def test_a_document_that_takes_too_much_memory_is_refused_and_the_next_is_read():
    confined = Confined(memory=48 << 20)
    with pytest.raises(ParseError, match="more memory"):
        read(confined, Document(URL, GOOD.body.replace(b"Some words.", b"x") + b" " * (64 << 20)))
    confined.close()


def test_threads_that_come_and_go_leave_no_children_behind(confined):
    before, found = children(), []
    for _ in range(5):
        thread = threading.Thread(target=lambda: found.append(read(confined)))
        thread.start()
        thread.join(20)
    assert found == [3] * 5
    assert len(children() - before) == 1


def test_a_child_that_somebody_killed_is_replaced(confined):
    before = children()
    read(confined)
    (child,) = children() - before
    child.kill()
    child.wait(5)
    assert read(confined) == 3


def test_documents_are_read_at_the_same_time_and_closing_ends_every_child(confined):
    before, found = children(), []
    threads = [threading.Thread(target=lambda: found.append(read(confined))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [3] * 3
    confined.close()
    assert children() <= before


def test_a_process_with_many_open_files_reads_on(confined, tmp_path):
    files = [(tmp_path / "file").open("wb") for _ in range(1100)]
    try:
        assert read(confined) == 3
    finally:
        for file in files:
            file.close()
