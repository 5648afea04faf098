"""An end leaves nothing unanswered, and comes."""

import socket
import threading
import time
from contextlib import ExitStack

import pytest

from tests.conftest import eventually
from tests.front.world import CHUNKED, CHUNKS, FEED, MISS, get, told


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
