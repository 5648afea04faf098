"""Ends of the web server, at any moment, without a request that is dropped."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection

import pytest

from tests.conftest import ask, eventually, sent
from tests.polling import FEED, Readers
from tests.server.world import answered, living, polling, started, workers


@pytest.mark.parametrize("pause", [0, 0.005, 0.02, 0.3, 2.2])
def test_an_end_that_comes_while_it_reloads(config, pause):
    with started(config) as service:
        service.answers()
        service.process.send_signal(signal.SIGHUP)
        time.sleep(pause)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == 0


def test_an_end_waits_for_no_worker_that_was_to_be_replaced(config):
    with started(config, TOPICFEEDS_SERVE__WORKERS="4") as service:
        service.answers()
        service.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(workers(service)) == 9, within=10)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == 0
        assert time.monotonic() - began < 6  # eight and more if each was replaced first


def test_an_end_that_comes_while_it_starts(config):
    with started(config) as service:
        eventually(lambda: workers(service), within=10, every=0.001)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == 0


def test_who_waits_to_be_accepted_is_answered_at_the_end(config):
    with started(config, TOPICFEEDS_SERVE__CONNECTIONS="3") as service, ExitStack() as held:
        service.answers()
        connections = [held.enter_context(polling(service.port)) for _ in range(9)]
        assert [answered(connection) for connection in connections[:3]] == [200, 200, 200]
        service.process.send_signal(signal.SIGTERM)
        assert [answered(connection) for connection in connections[3:]] == [200] * 6
        assert service.process.wait(15) == 0


@pytest.mark.parametrize("fields", [{}, {"Content-Length": "0"}])
def test_an_end_tells_those_who_never_stop_asking_over_one_connection(config, fields):
    """Also those whose requests go through a tunnel, as they announce a body."""
    with started(config) as service, ThreadPoolExecutor() as pool:
        service.answers()
        polls = [pool.submit(poll_until_told, service.port, target, fields) for target in ("/livez", FEED) * 2]
        time.sleep(0.3)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert all(poll.result(20) for poll in polls)
        assert service.process.wait(10) == 0
        assert time.monotonic() - began < 8


def poll_until_told(port, target, fields):
    """Ask over one connection until an answer says that it was the last."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.connect()
        connection.auto_open = 0
        while (answer := sent(connection, "GET", target, fields))[1].get("connection") != "close":
            assert answer[0] == 200
    return answer[0] == 200


def test_an_end_drops_no_request(config):
    with started(config) as service:
        service.answers()
        with Readers(service.port) as readers:
            eventually(lambda: readers.answers > 50, within=10)
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(10) == 0
            eventually(lambda: readers.refused > 8, within=10)
        assert readers.dropped == []


def test_an_answer_that_is_being_made_is_given_before_the_end(config):
    """A combination takes a second for the first time, and may take ten."""
    with started(config) as service, ThreadPoolExecutor(1) as pool:
        service.answers()
        answer = pool.submit(ask, service.port, "/feeds/all,-go-concurrency.atom")
        eventually(lambda: any("feeds.serving.combine" in c.cmdline() for c in living(service)), within=10)
        service.process.send_signal(signal.SIGTERM)
        assert answer.result(20)[0] == 200
        assert service.process.wait(15) == 0
