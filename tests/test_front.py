"""Readers' connections: what is on the shelf is answered there, and all else is passed on, whatever either side does."""

import os
import resource
import socket
import struct
import threading
import time
from contextlib import ExitStack, suppress
from email.utils import parsedate_to_datetime

import pytest

from feeds.front import loop as loops
from feeds.front.doors import Door, accept
from feeds.front.heads import read_request
from feeds.front.hits import Hits
from feeds.front.polling import EpollPoll, SelectorPoll
from feeds.front.relays import Exchange
from feeds.serving.recording import CLIENT_FIELD, address_of
from feeds.serving.representation import answer as of_shelf
from feeds.serving.shelf import Shelf
from feeds.serving.stock import StockedShelf
from feeds.store.migrate import open_migrated
from tests.conftest import eventually
from tests.fronts import (
    BODY,
    END,
    FEED,
    LARGE,
    LARGE_BODY,
    Application,
    answer,
    fronted,
    get,
    open_sockets,
    publication,
    publish,
    told,
)
from tests.test_shelf import a_publication, put

SOON = 0.0005
MISS = "/feeds/none.atom"
REFUSED = b"HTTP/1.1 503 Service Unavailable\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a shelf in it."""
    folder = tmp_path_factory.mktemp("shelf")
    store = open_migrated(f"sqlite:///{folder / 'store.db'}")
    publish(store, publication(FEED, BODY, gzip=b"zipped" * 9, br=b"brotli"), publication(LARGE, LARGE_BODY, "application/json"))
    StockedShelf(store, folder).load()
    store.close()
    return folder


@pytest.fixture
def application(tmp_path):
    application = Application(tmp_path / "application")
    yield application
    application.close()


@pytest.fixture
def opened(folder, application, monkeypatch):
    """Fronts over the shelf. Whatever a test does, no socket is left open."""
    monkeypatch.setattr(loops, "POLL", 0.05)
    monkeypatch.setattr(loops, "_GLANCE", 0.05)
    before = open_sockets()
    with ExitStack() as stack:
        yield lambda at=folder, **options: stack.enter_context(fronted(at, application, **options))
    application.hang_up()
    eventually(lambda: open_sockets() == before, within=5, every=0.005)


@pytest.fixture
def front(opened):
    return opened()


@pytest.fixture(params=[EpollPoll, SelectorPoll])
def either(request, monkeypatch):
    """By epoll, and by what there is elsewhere."""
    monkeypatch.setattr(loops, "open_poll", request.param)


# -- hits --------------------------------------------------------------------------------------------------------------

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


# -- clients -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("either")
def test_a_client_that_reads_slowly_gets_all_and_keeps_nobody_waiting(opened):
    """It takes longer than a connection may be idle."""
    front, piece = opened(patience=0.8, buffer=16_384), len(LARGE_BODY) // 8
    with front.connect(buffer=16_384) as slow, front.connect() as other:
        slow.send(get(LARGE) + get(FEED))
        came = b""
        for n in range(1, 9):
            while len(came) < n * piece:
                came += slow.socket.recv(n * piece - len(came))
            assert other.ask(FEED)[2] == BODY
            time.sleep(0.15)
        slow._received = came
        assert [slow.answer()[2], slow.answer()[2]] == [LARGE_BODY, BODY]


def test_a_client_that_never_reads_is_given_up(opened):
    front = opened(patience=0.3, buffer=16_384)
    with front.connect(buffer=16_384) as client:
        client.send(get(LARGE))
        eventually(lambda: front.around.clients, within=5, every=0.01)
        eventually(lambda: not front.around.clients, within=5, every=0.01)
        assert len(client.rest()) < len(LARGE_BODY)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("sent", [get(FEED), get(MISS), get(FEED) + b"GET /", b"GET /", b"G", get(FEED)[:-1]])
def test_a_connection_on_which_nothing_comes_is_closed(opened, sent):
    front = opened(patience=0.25)
    with front.connect() as client:
        began = time.monotonic()
        client.send(sent)
        came = client.rest()
        assert 0.2 < time.monotonic() - began < 5
        assert came.count(b"200 OK") == sent.count(END)


def test_a_head_that_drips_in_is_waited_for_as_long_as_any(opened):
    front = opened(patience=0.3)
    with front.connect() as client:
        began = time.monotonic()
        with suppress(OSError):
            for byte in get(FEED, b"X: " + b"a" * 9000):
                client.send(bytes([byte]))
                time.sleep(0.01)
        assert 0.25 < time.monotonic() - began < 5
        assert client.rest() == b""


def test_a_head_that_began_before_an_answer_was_ready_is_waited_for_from_then_on(opened, application):
    front, go_on = opened(patience=0.3), threading.Event()
    application.on["/slow"] = lambda *asked: go_on.wait(10) and told(*asked)
    with front.connect() as client:
        client.send(get("/slow"))
        eventually(lambda: application.heads, within=5, every=0.002)
        client.send(get(FEED)[:9])
        time.sleep(0.5)
        go_on.set()
        assert client.answer()[2] == b"told of /slow"
        time.sleep(0.12)
        client.send(get(FEED)[9:])
        assert client.answer()[2] == BODY


def test_connections_beyond_the_limit_wait(opened):
    front = opened(connections=2)
    with front.connect() as one, front.connect() as two, front.connect() as three:
        assert [one.ask(FEED)[2], two.ask(FEED)[2]] == [BODY, BODY]
        three.send(get(FEED))
        assert three.is_silent(0.2)
        one.socket.close()
        assert three.answer()[2] == BODY
        assert two.ask(FEED)[2] == BODY


def test_connections_are_taken_again_when_the_system_has_room_for_them(front, monkeypatch):
    monkeypatch.setattr(loops, "_REST", 0.1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with front.connect() as there, front.connect() as client:
        assert there.ask(FEED)[2] == BODY
        with socket.socket() as free:
            lowest = free.fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            client.send(get(FEED))
            assert client.is_silent(0.2)
            assert there.ask(FEED)[2] == BODY
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert client.answer()[2] == BODY


def test_a_client_at_a_unix_socket_has_no_address(tmp_path):
    door = Door("", 0, tmp_path / "door", backlog=8)
    with door.socket:
        assert not (tmp_path / "door").exists()
        door.open()
        for name in ("", str(tmp_path / "client"), "\0topicfeeds-client"):
            with socket.socket(socket.AF_UNIX) as client:
                if name:
                    client.bind(name)
                client.connect(str(tmp_path / "door"))
                descriptor, address = accept(door.socket)
                os.close(descriptor)
                assert address == ""


def test_what_goes_wrong_ends_one_connection_alone(front):
    record = front.around.record
    with front.connect() as there, front.connect() as one, front.connect() as two:
        assert [there.ask(FEED)[2], two.ask(FEED)[2]] == [BODY, BODY]
        front.around.record = None
        for client in (one, two):  # with the first that it asks, and later
            client.send(get(FEED))
            assert client.rest() == b""
        front.around.record = record
        assert there.ask(FEED)[2] == BODY
        eventually(lambda: len(front.around.clients) == 1, within=5, every=0.005)


@pytest.mark.parametrize("target", [FEED, LARGE, MISS, "/never"])
def test_a_client_that_breaks_off(opened, application, target):
    application.on["/never"] = lambda connection, _: connection.recv(1)
    front = opened(buffer=16_384)
    with front.connect() as client:
        client.send(get(target))
        eventually(lambda: front.around.clients, within=5, every=0.002)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    eventually(lambda: not front.around.clients, within=5, every=0.005)
    assert front.ask(FEED)[2] == BODY


# -- one request and its answer ----------------------------------------------------------------------------------------

ODD = b"HTTP/1.1 299 As it \xe9 was\r\nB:  two\r\na: one\r\nA:\tone\r\ncontent-LENGTH:5\r\nSet-Cookie: a\r\n\r\nhello"


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_answer_is_passed_on_as_it_is(opened, application, size):
    def odd(connection, _):
        for n in range(0, len(ODD), size):
            connection.sendall(ODD[n : n + size])
            time.sleep(SOON)
        return True

    application.on[MISS] = odd
    front = opened()
    with front.connect() as client:
        for _ in range(2):
            client.send(get(MISS))
            came = b""
            while len(came) < len(ODD):
                came += client.socket.recv(1000)
            assert came == ODD
        assert client.ask(FEED)[2] == BODY
    assert application.connects == 1


def test_connections_to_the_application_are_used_again(front, application):
    for _ in range(5):
        with front.connect() as one, front.connect() as two:
            for n in range(5):
                assert one.ask(f"/{n}")[2] == two.ask(f"/{n}")[2] == b"told of /%d" % n
    assert application.connects == 1
    held = threading.Barrier(3)
    application.on["/held"] = lambda *asked: held.wait(5) is not None and told(*asked)
    with front.connect() as one, front.connect() as two, front.connect() as three:
        for client in (one, two, three):
            client.send(get("/held"))
        assert [client.answer()[2] for client in (one, two, three)] == [b"told of /held"] * 3
    assert application.connects == 3


def test_no_more_connections_are_kept_than_there_is_use_for(front, application, monkeypatch):
    monkeypatch.setattr("feeds.front.upstream._IDLE", 1)
    held = threading.Barrier(3)
    application.on["/held"] = lambda *asked: held.wait(5) is not None and told(*asked)
    with ExitStack() as stack:
        clients = [stack.enter_context(front.connect()) for _ in range(3)]
        for client in clients:
            client.send(get("/held"))
        assert [client.answer()[2] for client in clients] == [b"told of /held"] * 3
        eventually(lambda: application.ended == 2, within=5, every=0.005)
        assert clients[0].ask("/a")[2] == b"told of /a"
    assert application.connects == 3


def test_what_the_application_ends_is_not_used_again(front, application):
    with front.connect() as client:
        assert client.ask("/a")[2] == b"told of /a"
        application.hang_up()
        assert client.ask("/b")[2] == b"told of /b"
        assert client.ask("/c", b"Connection: close")[2] == b"told of /c"
        assert client.rest() == b""
    assert front.ask("/d")[2] == b"told of /d"
    assert application.connects == 3


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_client_that_wants_the_connection_to_end_is_obeyed_where_the_application_does_not(front, application, version):
    application.on[MISS] = lambda connection, _: connection.sendall(answer(b"there")) or True
    with front.connect() as client:
        client.send(get(MISS, *[b"Connection: close"] * (version == "1.1"), version=version))
        assert client.rest() == answer(b"there")


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("deaths", [1, 2])
def test_a_request_that_nobody_began_to_answer_is_passed_on_again(opened, application, kept, deaths):
    front, left = opened(), [None] * deaths
    application.on["/dies"] = lambda *asked: told(*asked) if not left else left.pop()
    with front.connect() as client:
        if kept:
            client.ask("/a")
        assert client.ask("/dies")[2] == b"told of /dies"
        assert client.ask(FEED)[2] == BODY
    assert [head for head in application.heads if b"/dies" in head] == application.heads[-1:] * (deaths + 1)


def test_a_request_is_not_passed_on_for_ever(front, application):
    application.on["/dies"] = lambda *_: False
    with front.connect() as client:
        client.send(get("/dies"))
        assert client.rest().startswith(REFUSED)
    assert len(application.heads) == 3


@pytest.mark.parametrize("said", [b"H", b"HTTP/1.1 200 OK\r\n", answer(b"hello")[:-5], answer(b"hello")[:-1]])
def test_of_what_was_answered_in_part_nobody_gets_a_part(front, application, said):
    answers = [said, said, answer(b"hello")]
    application.on["/dies"] = lambda connection, _: connection.sendall(answers.pop(0))
    with front.connect() as client:
        assert client.ask("/dies")[2] == b"hello"
    assert len(application.heads) == 3


def test_what_a_client_has_got_a_part_of_is_not_asked_for_again(front, application):
    said = answer(b"a" * 1_000_000)[:-1]
    application.on["/dies"] = lambda connection, _: connection.sendall(said)
    with front.connect() as client:
        client.send(get("/dies"))
        assert client.rest() == said
    assert len(application.heads) == 1


@pytest.mark.parametrize(
    "asked", [get(MISS), get(MISS, method="HEAD"), b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"garbage\r\n"]
)
def test_nobody_answers(front, application, asked):
    application.listen_no_more()
    with front.connect() as client:
        client.send(get(FEED) + asked)
        assert client.answer()[2] == BODY
        said = client.rest()
    assert said.startswith(REFUSED)
    for line in (b"Retry-After: 5", b"Cache-Control: no-store", b"Connection: close"):
        assert b"\r\n" + line + b"\r\n" in said
    assert said.endswith(END if asked.startswith(b"HEAD") else b"soon.\n")
    application.listen()
    assert front.ask(MISS)[2] == b"told of " + MISS.encode()


@pytest.mark.usefixtures("either")
def test_a_client_that_goes_away_takes_its_request_along(opened, application):
    def for_ever(connection, _):
        connection.sendall(answer(b"")[:-5] + b"99999999\r\n\r\n")
        while True:
            connection.sendall(b"a" * 65536)

    application.on["/for-ever"] = for_ever
    application.on["/never"] = lambda connection, _: connection.recv(1)
    front = opened(buffer=16_384)
    for target in ("/for-ever", "/never"):
        before = application.ended
        with front.connect() as client:
            client.send(get(target))
            eventually(lambda: application.heads, within=5, every=0.002)
            if target == "/for-ever":
                assert client.socket.recv(1000)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        eventually(lambda before=before: application.ended > before, within=5, every=0.005)
        eventually(lambda: not front.around.clients, within=5, every=0.005)


def test_an_answer_to_a_client_that_reads_slowly(opened, application):
    application.on["/large"] = lambda connection, _: connection.sendall(answer(LARGE_BODY)) or True
    front = opened(buffer=16_384)
    with front.connect(buffer=16_384) as client:
        client.send(get("/large"))
        time.sleep(0.2)
        client.send(get(FEED))
        assert [client.answer()[2], client.answer()[2]] == [LARGE_BODY, BODY]


def test_who_reads_slowly_but_steadily_gets_all_of_a_large_hit(application, tmp_path):
    """The system would take megabytes ahead, and for longer than the patience lasts it would not be seen that they are read."""
    body = b"".join(b"%d " % (n * n) for n in range(500_000))
    store = open_migrated(f"sqlite:///{tmp_path / 'store.db'}")
    put(store, a_publication(FEED, body))
    StockedShelf(store, tmp_path / "var").load()
    store.close()
    with fronted(tmp_path / "var", application, patience=0.7) as front, front.connect() as client:
        client.send(get(FEED, b"Connection: close"))
        came, began = bytearray(), time.monotonic()
        while piece := client.socket.recv(65_536):
            came += piece
            time.sleep(max(len(came) / 2e6 - (time.monotonic() - began), 0))
    assert came.endswith(body)


def test_an_answer_may_take_long_as_long_as_something_comes(front, application, monkeypatch):
    monkeypatch.setattr(Exchange, "patience", 0.5)

    def trickle(connection, _):
        for byte in answer(b"hello")[-9:]:
            time.sleep(0.12)
            connection.sendall(bytes([byte]))
        return True

    application.on["/trickles"] = lambda *asked: asked[0].sendall(answer(b"hello")[:-9]) or trickle(*asked)
    application.on["/never"] = lambda connection, _: connection.recv(1)
    with front.connect() as one, front.connect() as two:
        one.send(get("/trickles")), two.send(get("/never"))
        assert one.answer()[2] == b"hello"
        assert two.rest().startswith(b"HTTP/1.1 503 ")


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("more", [[], [b"Content-Length: 0"], [b"Connection: close"]])
def test_who_says_no_more_is_answered_all_the_same(opened, application, more):
    """A connection that is half closed (RFC 9112 section 9.6 knows it of servers; of clients it is TCP's)."""
    application.on["/slow"] = lambda *asked: time.sleep(0.2) or told(*asked)
    front = opened()
    asked = [get(FEED), get("/slow"), get(FEED), get("/slow", *more)]
    for first in range(len(asked)):
        with front.connect() as client:
            client.send(b"".join(asked[first:]))
            client.socket.shutdown(socket.SHUT_WR)
            bodies = [client.answer()[2] for _ in asked[first:]]
            assert bodies == [BODY, b"told of /slow", BODY, b"told of /slow"][first:]
            assert client.rest() == b""
    eventually(lambda: not front.around.clients, within=5)


def test_a_client_that_asks_on_and_on_keeps_little_waiting_here(front, application):
    """What it sends ahead stays where it came from."""
    with front.connect() as client:
        sending = threading.Thread(target=client.send, args=(get(MISS) * 20_000,), daemon=True)
        sending.start()
        for _ in range(500):
            assert client.answer()[2] == b"told of " + MISS.encode()
            assert all(len(each._received) <= 3 * 16 * 1024 for each in list(front.around.clients))
        with front.connect() as other:
            assert other.ask(FEED)[2] == BODY


def test_others_get_their_turn_between_requests_that_came_together(front):
    """Of two that sent many at once, the second is not answered only when the first is."""
    many = 300
    with front.connect() as one, front.connect() as two:
        one.send(get(FEED, method="HEAD") * many), two.send(get(FEED, method="HEAD") * many)
        for _ in range(many):
            assert one.answer("HEAD")[0] == two.answer("HEAD")[0] == "200 OK"


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("together", [True, False])
def test_an_answer_in_chunks(opened, application, together):
    """What comes after it goes the same way, in the right order."""

    def chunked(connection, _):
        connection.sendall(CHUNKED)
        time.sleep(0.02)
        connection.sendall(CHUNKS)
        return True

    front = opened()
    application.on["/chunked"] = chunked
    with front.connect() as client:
        client.send(get("/chunked") + get("/b") * together)
        came = b""
        while not came.endswith(b"0\r\n\r\n") and (more := client.socket.recv(1000)):
            came += more
            if b"told" in came:
                break
        assert came.startswith(CHUNKED + CHUNKS)
        client._received = came[len(CHUNKED + CHUNKS) :]
        if not together:
            client.send(get("/b"))
        assert client.answer()[2] == b"told of /b"


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        b"ICY 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.1 OK\r\n\r\nuntil the end",
    ],
)
def test_an_answer_with_which_its_connection_ends(front, application, said):
    application.on["/ends"] = lambda connection, _: connection.sendall(said)
    with front.connect() as client:
        client.send(get("/ends"))
        assert client.rest() == said


def test_an_answer_to_head_has_no_body_whatever_it_says(front):
    with front.connect() as client:
        status, lines, _ = client.ask("/a", method="HEAD")
        assert (status, lines) == ("200 OK", [b"Content-Length: 10"])
        assert client.ask("/b")[2] == b"told of /b"
        assert client.ask(FEED)[2] == BODY


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_answer_before_the_answer(front, application, method):
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

    def early(connection, head):
        connection.sendall(hints)
        time.sleep(0.02)
        return told(connection, head)

    application.on["/early"] = early
    with front.connect() as client:
        assert client.ask("/early", method=method)[0] == "103 Early Hints"
        assert client.answer(method)[0] == "200 OK"
        assert client.ask("/b")[2] == b"told of /b"


def test_a_head_that_is_too_long_to_be_an_answer(front, application):
    application.on["/long"] = lambda connection, _: (
        connection.sendall(b"HTTP/1.1 200 OK\r\nA: " + b"a" * 70_000) or connection.recv(1)
    )
    with front.connect() as client:
        client.send(get("/long"))
        assert client.rest().startswith(REFUSED)
        assert front.ask(FEED)[2] == BODY


def test_an_answer_that_is_longer_than_it_says(front, application):
    application.on["/longer"] = lambda connection, _: connection.sendall(answer(b"hello") + b"more") or True
    with front.connect() as client:
        client.send(get("/longer"))
        assert client.rest() in (answer(b"hello") + b"more", answer(b"hello"), b"")
    assert front.ask("/b")[2] == b"told of /b"


# -- from where a request came -----------------------------------------------------------------------------------------


NAMED = "X-Topicfeeds-Client-5eed"


@pytest.fixture
def named(monkeypatch):
    monkeypatch.setenv(CLIENT_FIELD, NAMED)


FORGED = [b"X-Topicfeeds-Client: 9.9.9.9", b"X_TopicFeeds-Client: 8.8.8.8", b"x-topicfeeds-client: 7.7.7.7"]


@pytest.mark.parametrize("forged", [[], FORGED[:1], FORGED[1:2], FORGED])
@pytest.mark.parametrize(("body", "address"), [([], "127.0.0.1"), ([b"Content-Length: 0"], "")])
@pytest.mark.usefixtures("named")
def test_the_address_of_a_client_is_passed_on_and_no_other_is_believed(front, application, forged, body, address):
    with front.connect() as client:
        assert client.ask("/a", *forged, *body)[0] == "200 OK"
    (head,) = application.heads
    assert head.count(NAMED.encode()) == (0 if body else 1)
    request = {"REMOTE_ADDR": ""}
    for line in head.decode().split("\r\n")[1:-2]:
        name, _, value = line.partition(": ")
        name = "HTTP_" + name.upper().replace("-", "_")
        request[name] = f"{request[name]},{value}" if name in request else value
    assert address_of(request) == address
    assert head.endswith(f"\r\n{NAMED}: 127.0.0.1\r\n\r\n".encode()) is not bool(body)


# -- all that comes ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"garbage",
        b"GET / HTTP/1.1\r\nA: " + b"a" * 20_000,
        b"GET / HTTP/1.1\r\nA: " + b"a" * 20_000 + END,
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        get("/", b"Connection: keep-alive", version="1.0"),
        get("/", b"Connection: Upgrade", b"Upgrade: websocket"),
        b"\r\n" + get("/"),
    ],
    ids=range(11),
)
def test_what_is_not_plainly_a_request_goes_through_as_it_is(opened, application, sent):
    came, back = [], bytes(range(256)) * 9

    def opaque(connection):
        while sum(map(len, came)) < len(sent):
            came.append(connection.recv(65536))
        connection.sendall(back)

    application.talk = opaque
    front = opened()
    with front.connect() as client:
        client.send(get(FEED) + sent[:5])
        assert client.answer()[2] == BODY
        client.send(sent[5:])
        assert client.rest() == back
    assert b"".join(came) == sent


@pytest.mark.usefixtures("either")
def test_an_answer_that_comes_before_all_was_sent(opened, application):
    refused = answer(b"no", b"Connection: close", status=b"405 Method Not Allowed")
    application.talk = lambda connection: connection.recv(100) and connection.sendall(refused)
    front = opened(buffer=16_384)
    with front.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
        with suppress(OSError):
            for _ in range(100):
                client.send(b"a" * 10_000)
        assert client.rest() == refused


@pytest.mark.usefixtures("either")
def test_much_goes_both_ways_through_slow_ends(opened, application):
    """The application writes back what it reads, and reads on only when that is written."""

    def echo(connection):
        while more := connection.recv(65536):
            connection.sendall(more)

    def send():
        for n in range(0, len(sent), 65536):
            client.send(sent[n : n + 65536])

    application.talk = echo
    front, sent, came = opened(buffer=16_384), b"garbage\n" + LARGE_BODY, bytearray()
    with front.connect(buffer=16_384) as client:
        sender = threading.Thread(target=send)
        sender.start()
        time.sleep(0.3)
        while len(came) < len(sent):
            came += client.socket.recv(65536)
        sender.join(10)
    assert came == sent


@pytest.mark.usefixtures("either")
def test_what_is_answered_before_more_is_taken_is_passed_on(opened, application):
    """The application reads some, answers much, and reads on only when that is taken."""

    def answer_first(connection):
        time.sleep(0.1)
        read = len(connection.recv(65536))
        connection.sendall(LARGE_BODY)
        while read < len(sent):
            read += len(connection.recv(65536))

    application.talk = answer_first
    front, sent, came = opened(), b"garbage\n" + LARGE_BODY, bytearray()
    with front.connect() as client:
        sender = threading.Thread(target=client.send, args=(sent,))
        sender.start()
        while len(came) < len(LARGE_BODY):
            came += client.socket.recv(65536)
        sender.join(10)
        assert not sender.is_alive()
        assert client.rest() == b""
    assert came == LARGE_BODY


def test_a_tunnel_on_which_nothing_comes_is_closed(opened, application):
    application.talk = lambda connection: connection.recv(100) and connection.recv(1)
    front = opened(patience=0.15)
    with front.connect() as client:
        began = time.monotonic()
        client.send(b"garbage")
        assert client.rest() == b""
        assert 0.25 < time.monotonic() - began < 5
    eventually(lambda: application.ended == 1, within=5, every=0.005)


# -- the end -----------------------------------------------------------------------------------------------------------


def ended(front, *, within=5.0):
    """Seconds until the loop has ended."""
    began = time.monotonic()
    front.thread.join(within)
    assert not front.thread.is_alive()
    return time.monotonic() - began


@pytest.mark.usefixtures("either")
def test_an_end_closes_what_is_idle(opened, application):
    front = opened()
    with ExitStack() as stack:
        clients = [stack.enter_context(front.connect()) for _ in range(4)]
        assert [client.ask(target)[0] for client, target in zip(clients, (FEED, MISS, FEED), strict=False)] == ["200 OK"] * 3
        clients[3].send(get(MISS, b"Connection: keep-alive", version="1.0"))
        clients[3].answer()
        front.loop.end(within=5, last=True)
        assert ended(front) < 2
        assert [client.rest() for client in clients] == [b""] * 4


def test_an_end_closes_what_is_idle_behind_an_answer_in_chunks(front, application):
    application.on["/chunked"] = lambda connection, _: connection.sendall(CHUNKED + CHUNKS) or True
    with front.connect() as client:
        client.send(get("/chunked"))
        eventually(lambda: b"0\r\n\r\n" in client.socket.recv(1000, socket.MSG_PEEK), within=5)
        front.loop.end(within=5, last=True)
        assert ended(front) < 2


@pytest.mark.parametrize("target", [FEED, MISS])
@pytest.mark.parametrize("options", [[], [b"Connection: keep-alive"]])
def test_what_is_asked_at_the_end_is_answered_once_more(front, application, target, options):
    """Also where a client never stops asking."""
    with front.connect() as client, front.connect() as other:
        client.ask(target, *options), other.ask(target, *options)
        front.loop.end(within=3, last=True)
        other.send(get(target, *options)), other.send(get(target, *options))
        status, lines, body = client.ask(target, *options)
        assert (status, b"connection: close" in [line.lower() for line in lines], bool(body)) == ("200 OK", True, True)
        assert client.rest() == b""
        assert other.answer()[0] == "200 OK"
        assert other.rest() == b""
        assert ended(front) < 2


@pytest.mark.usefixtures("either")
def test_what_is_being_answered_at_the_end_is_answered(opened, application):
    go_on = threading.Event()
    application.on["/slow"] = lambda *asked: go_on.wait(10) and told(*asked)
    front = opened()
    with front.connect() as client:
        client.send(get("/slow"))
        eventually(lambda: application.heads, within=5, every=0.002)
        front.loop.end(within=5, last=True)
        time.sleep(0.5)
        go_on.set()
        assert client.answer()[2] == b"told of /slow"
        assert client.rest() == b""
        assert ended(front) < 2


@pytest.mark.parametrize("sent", [b"GET /", get("/never"), b"garbage"])
def test_an_end_does_not_wait_for_ever(front, application, sent):
    application.talk = lambda connection: connection.recv(100) and connection.recv(1)
    with front.connect() as client:
        client.send(sent)
        eventually(lambda: front.around.clients, within=5, every=0.002)
        front.loop.end(within=0.5, last=True)
        assert ended(front) < 2
        assert client.is_silent() or not client.rest()


def test_nobody_is_taken_any_more_at_the_end(front):
    front.loop.end(within=5, last=True)
    ended(front)
    with front.connect() as client:
        client.send(get(FEED))
        assert client.is_silent()
