"""What is not plainly a request goes through as it is."""

import threading
import time
from contextlib import suppress

import pytest

from tests.conftest import eventually
from tests.front.world import BODY, END, FEED, LARGE_BODY, answer, get


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
            came += client.some(65536)
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
            came += client.some(65536)
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
