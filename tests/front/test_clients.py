"""Readers' connections, whatever clients do."""

import os
import resource
import socket
import struct
import threading
import time
from contextlib import suppress

import pytest

from feeds.front import loop as loops
from feeds.front.doors import Door, accept
from tests.conftest import eventually
from tests.front.world import BODY, END, FEED, LARGE, LARGE_BODY, MISS, Client, get, told


@pytest.mark.usefixtures("either")
def test_a_client_that_reads_slowly_gets_all_and_keeps_nobody_waiting(opened):
    """It takes longer than a connection may be idle."""
    front, piece = opened(patience=0.8, buffer=16_384), len(LARGE_BODY) // 8
    with front.connect(buffer=16_384) as slow, front.connect() as other:
        slow.send(get(LARGE) + get(FEED))
        came = b""
        for n in range(1, 9):
            while len(came) < n * piece:
                came += slow.some(n * piece - len(came))
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
    front, go_on = opened(patience=2.0), threading.Event()
    application.on["/slow"] = lambda *asked: go_on.wait(10) and told(*asked)
    with front.connect() as client:
        client.send(get("/slow"))
        eventually(lambda: application.heads, within=5, every=0.002)
        client.send(get(FEED)[:9])
        time.sleep(2.5)
        go_on.set()
        assert client.answer()[2] == b"told of /slow"
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
    with front.connect() as there, Client(socket.socket()) as client:
        assert there.ask(FEED)[2] == BODY
        with socket.socket() as free:
            lowest = free.fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            client.socket.connect(front.address)
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
