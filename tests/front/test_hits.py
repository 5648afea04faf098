"""What is on the shelf is answered in front, and remembered until there is news."""

import threading
import time
from email.utils import parsedate_to_datetime

import pytest

from feeds.front.heads import read_request
from feeds.front.hits import Hits
from feeds.serving.representation import answer as of_shelf
from feeds.serving.shelf import Shelf
from feeds.serving.stock import StockedShelf
from feeds.store.migrate import open_migrated
from tests.conftest import eventually
from tests.front.world import BODY, FEED, MISS, SOON, get, publication, publish, told

TAG = publication(FEED, BODY).tag.encode()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"Accept: */*", 200),
        (b"Accept-Encoding: gzip", 200),
        (b"Accept-Encoding: gzip, br", 200),
        (b"Accept-Encoding: br;q=0", 200),
        (b'If-None-Match: "' + TAG + b'"', 304),
        (b'If-None-Match: "a"\r\nIf-None-Match: W/"' + TAG + b'-gzip"', 304),
        (b"If-Modified-Since: Tue, 01 Sep 2026 12:00:00 GMT", 304),
        (b"If-Modified-Since: Tue, 04 Aug 2026 12:00:00 GMT", 200),
        (b'If-Match: "other"', 412),
        (b"Sec-Fetch-Dest: document", 200),
    ],
)
def test_a_hit_is_what_the_shelf_answers(front, folder, method, line, status):
    asked = get(FEED, line, b"Connection: close", method=method)
    before = int(time.time())
    with front.connect() as client:
        client.send(asked)
        came = client.rest()
    shelf = Shelf(folder)
    shelf.read_on()
    there = of_shelf(shelf.find(FEED), method, read_request(asked).fields)
    date = came[came.index(b"\r\nDate: ") + 8 :].partition(b"\r\n")[0]
    assert before <= parsedate_to_datetime(date.decode()).timestamp() <= time.time()
    assert came == there.head + b"Connection: close\r\nDate: " + date + b"\r\n\r\n" + bytes(there.body)
    assert there.status.startswith(str(status))
    assert front.recorded == [(FEED, there.status, len(there.body), "", "", "127.0.0.1")]


def test_what_is_counted(front):
    with front.connect() as client:
        for _ in range(3):
            client.ask(FEED, b"User-Agent: NetNewsWire/6", b"X-Forwarded-For: 1.2.3.4")
    assert front.recorded == [(FEED, "200 OK", len(BODY), "NetNewsWire/6", "1.2.3.4", "127.0.0.1")] * 3


@pytest.mark.usefixtures("either")
def test_several_heads_at_once(opened):
    with opened().connect() as client:
        client.send(get(FEED) + get(FEED, method="HEAD") + get(FEED, b"Accept-Encoding: br") + get(FEED))
        assert [client.answer(method)[2] for method in ("GET", "HEAD", "GET", "GET")] == [BODY, b"", b"brotli", BODY]


def test_heads_in_pieces(front, application):
    message = get(FEED) + get(MISS) + get(FEED, b"Accept-Encoding: br")
    with front.connect() as client:
        for n in range(1, len(message)):
            client.send(message[:n])
            time.sleep(SOON)
            client.send(message[n:])
            assert [client.answer()[2] for _ in range(3)] == [BODY, b"told of " + MISS.encode(), b"brotli"]
    assert application.connects == 1


def test_answers_come_in_the_order_of_requests(front, application):
    go_on = threading.Event()
    application.on["/slow"] = lambda *asked: go_on.wait(10) and told(*asked)
    with front.connect() as client:
        client.send(get("/slow") + get(FEED) + get("/b"))
        client.send(get(FEED, method="HEAD"))
        assert client.is_silent()
        go_on.set()
        assert [client.answer(m)[2] for m in ("GET", "GET", "GET", "HEAD")] == [b"told of /slow", BODY, b"told of /b", b""]


@pytest.mark.parametrize("asked", [get(FEED, b"Connection: close"), get(FEED, b"connection: a, Close"), get(FEED, version="1.0")])
@pytest.mark.parametrize("more", [b"", b"\r\n", get(FEED), b"garbage"])
def test_a_client_that_wants_the_connection_to_end(front, asked, more):
    for _ in range(2):  # the second time by what is remembered
        with front.connect() as client:
            client.send(asked + more)
            status, lines, body = client.answer()
            assert (status, lines[-2], body) == ("200 OK", b"Connection: close", BODY)
            assert client.rest() == b""


@pytest.mark.parametrize(
    "asked",
    [
        get(FEED, b"A-IM: feed"),
        get(FEED, b"Host: other.example"),
        get(FEED).replace(b"Host: feeds.example\r\n", b""),
        get("/feeds/A.atom"),
        get("/feeds/%61.atom"),
        get(f"http://feeds.example{FEED}"),
        get(FEED + "/"),
    ],
)
def test_what_is_no_hit(front, asked):
    with front.connect() as client:
        client.send(asked)
        assert client.answer()[2].startswith(b"told of ")
    assert not front.recorded


def test_what_was_answered_is_remembered_until_there_is_news(folder, monkeypatch):
    shelf = Shelf(folder)
    shelf.read_on()
    hits, head = Hits(shelf), get(FEED)
    for second in (1, 2):
        monkeypatch.setattr("feeds.front.hits.time.time", lambda second=second: second + 0.5)
        hits.look_up()
        reply = hits.remembered.get(head) or hits.reply(head, read_request(head))
        assert hits.remembered == {head: reply}
        assert hits.date == f"Date: Thu, 01 Jan 1970 00:00:0{second} GMT\r\n\r\n".encode()
    hits.forget()
    assert not hits.remembered


def test_no_more_is_remembered_than_there_is_room_for(front, monkeypatch):
    monkeypatch.setattr("feeds.front.hits._REMEMBERED", 4)
    with front.connect() as client:
        for n in range(20):
            assert client.ask(FEED, b"X: %d" % n)[2] == BODY
            assert len(front.loop._hits.remembered) <= 4
        front.loop._hits.forget()
        for _ in range(2):
            assert client.ask(FEED, b"X: " + b"a" * 1000)[2] == BODY
        assert not front.loop._hits.remembered


def test_news_are_served(opened, tmp_path):
    store = open_migrated(f"sqlite:///{tmp_path / 'store.db'}")
    shelf = StockedShelf(store, tmp_path / "var")
    front = opened(tmp_path / "var")
    with front.connect() as client:
        assert client.ask(FEED)[2] == b"told of " + FEED.encode()
        for body in (b"one", b"two"):
            publish(store, publication(FEED, body))
            shelf.load()
            eventually(lambda body=body: client.ask(FEED)[2] == body, within=0.9, every=0.01)
    store.close()
