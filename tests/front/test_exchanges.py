"""What is no hit is passed on, one request at a time, and its answer passed back, whatever the application does."""

import socket
import struct
import threading
import time
from contextlib import ExitStack

import pytest

from feeds.front.relays import Exchange
from feeds.serving.recording import CLIENT_FIELD, address_of
from feeds.serving.stock import StockedShelf
from feeds.store.migrate import open_migrated
from tests.conftest import eventually
from tests.front.world import BODY, CHUNKED, CHUNKS, END, FEED, LARGE_BODY, MISS, REFUSED, SOON, answer, fronted, get, told
from tests.test_shelf import a_publication, put

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
                came += client.some(1000)
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


# -- from where a request came ----------------------------------------------------------------------------------------


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
