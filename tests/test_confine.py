"""Readers that can be killed: what takes too long or too much costs its source a ParseError, and nobody else anything."""

from __future__ import annotations

import pickle
import struct
import subprocess
import sys
import threading
import time
from datetime import UTC, timedelta

import psutil
import pytest

from feeds.asking.confine import Confined
from feeds.errors import ParseError
from feeds.model import Document, Page
from feeds.text import sanitise
from tests.builders import a_source
from tests.conftest import ROOT
from tests.fakes import BLOG, Item, rss

URL = "https://blog.example/index.xml"
GOOD = Document(URL, rss("https://blog.example", *BLOG).encode())
DEEP = "<div>" * 200_000
PAGE = '<article itemscope itemtype="https://schema.org/BlogPosting"><h1>T</h1><time datetime="2026-01-02">d</time>%s</article>'


def feed(text):
    """A feed of two items, the second of which says this."""
    return Document(URL, rss("https://blog.example", BLOG[0], Item("/bomb/", "Bomb", text)).encode())


MISREAD = feed(f"<!-->{DEEP}-->")  # HTML takes <!--> for a whole comment, XML and simple minds do not


@pytest.fixture
def confined():
    confined = Confined(deadline=timedelta(seconds=5))
    yield confined
    confined.close()


def read(confined, document=GOOD):
    return len(confined.parse(a_source(), document, zone=UTC).drafts)


def children():
    """The readers that run now, those of other tests included."""
    return {
        child for child in psutil.Process().children() if child.status() != "zombie" and "feeds.asking.confine" in child.cmdline()
    }


def test_a_document_that_takes_too_long_is_refused_in_time_and_the_next_is_read():
    confined = Confined(deadline=timedelta(seconds=2))
    with pytest.raises(ParseError, match=r"longer than 2s") as caught:
        read(confined, MISREAD)
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


BOMBS = {
    "deep feed": (a_source(), b"<rss version='2.0'><channel>" + b"<a>" * 200_000 + b"</a>" * 200_000 + b"</channel></rss>"),
    "attributes": (a_source(), b"<rss " + b" ".join(b'a%d="1"' % n for n in range(200_000)) + b"/>"),
    "deep JSON": (a_source(), b'{"items": ' + b"[" * 200_000),
    "deep JSON API": (a_source(kind="json", fields={"posts": "posts", "url": "u"}), b'{"posts": ' + b"[" * 200_000),
    "deep listing": (a_source(kind="listing"), DEEP.encode()),
    "deep sitemap": (a_source(kind="sitemap"), b"<urlset>" + b"<url>" * 200_000),
    "entities": (
        a_source(),
        b'<!DOCTYPE d [<!ENTITY a "' + b"x" * 10_000 + b'">]><rss version="2.0"><channel><title>' + b"&a;" * 90_000,
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_at_once(confined, bomb):
    source, body = BOMBS[bomb]
    read(confined)
    began = time.monotonic()
    with pytest.raises(ParseError):
        confined.parse(source, Document(URL, body), zone=UTC)
    assert time.monotonic() - began < 15  # its deadline is a minute


@pytest.mark.parametrize("text", [DEEP, "<ul><li>" * 20_000, "<p " + " ".join(f"a{n}=1" for n in range(1000)) + ">"])
def test_an_item_that_is_a_bomb_is_set_aside_and_the_others_are_read(confined, text):
    parsed = confined.parse(a_source(), feed(text), zone=UTC)
    assert [draft.url for draft in parsed.drafts] == ["https://blog.example/blog/channels/"]
    (aside,) = parsed.set_aside
    assert (aside.key, aside.title) == ("https://blog.example/bomb/", "Bomb")
    assert "its text" in aside.reason


def test_a_page_that_is_a_bomb_is_refused(confined):
    with pytest.raises(ParseError, match="nested too deep"):
        confined.read_page(Document(URL, (PAGE % DEEP).encode()), rules=Page(), zone=UTC)


def test_what_the_readers_hand_over_is_harmless(confined):
    """Whoever parses it again, in a process that nobody kills, is done at once."""
    text = "<b>" * 400 + '<script>x</script><a href="/there">x</a><img src=i.png onerror=x>'
    draft = confined.parse(a_source(), feed(text), zone=UTC).drafts[1]
    assert "<script" not in draft.summary
    assert "onerror" not in draft.summary
    assert 'href="https://blog.example/there"' in draft.summary
    assert 'src="https://blog.example/bomb/i.png"' in draft.summary
    assert sanitise(draft.summary, draft.url) == draft.summary


@pytest.mark.parametrize("question", [pickle.dumps("no request"), None])
def test_a_child_whose_parent_is_gone_ends_without_a_word(question):
    """While it answers, and while it is being asked."""
    command = [sys.executable, "-m", "feeds.asking.confine", str(1 << 30)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        process.stdout.close()
        process.stdin.write(struct.pack(">Q", len(question)) + question if question else struct.pack(">Q", 1000) + b"x")
        process.stdin.close()
        assert (process.wait(20), process.stderr.read()) == (0, b"")
