"""Reloads of the web server, without a request that is dropped or refused."""

import signal
import socket
import time
from contextlib import ExitStack

import psutil

from tests.conftest import ask, eventually
from tests.polling import FEED, Readers
from tests.server.world import fronts, started, workers


def test_a_reload_drops_no_request_and_refuses_none(config):
    with started(config, TOPICFEEDS_SERVE__WORKERS="2") as service:
        service.answers()
        before = workers(service)
        with Readers(service.port) as readers:
            time.sleep(0.5)
            service.process.send_signal(signal.SIGHUP)
            eventually(lambda: not before & workers(service) and len(workers(service)) == 4, within=30)
            reached = readers.answers
            eventually(lambda: readers.answers > reached + 50, within=10)
        assert before
        assert (readers.dropped, readers.refused) == ([], 0)


def test_a_reload_waits_for_no_client_that_is_slow(config):
    """Who holds its connection goes on until that has ended, beside the successor."""
    with started(config, TOPICFEEDS_SERVE__HEADER_TIMEOUT="60s") as service, ExitStack() as held:
        service.answers()
        before = fronts(service)
        slow = held.enter_context(socket.create_connection(("127.0.0.1", service.port)))
        slow.sendall(b"GET")
        service.process.send_signal(signal.SIGHUP)
        service.wait_output("reload.done")
        assert before < fronts(service)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == 0


def test_reloads_leave_nothing_open(config):
    with started(config) as service:
        service.answers()
        there = psutil.Process(service.process.pid)
        before = there.num_fds()
        for n in range(1, 4):
            service.process.send_signal(signal.SIGHUP)
            eventually(lambda n=n: service.output.count('"reload.done"') == n, within=20)
            eventually(lambda: there.num_fds() <= before, within=20)


def test_a_reload_of_what_is_not_sound_changes_nothing(config, tmp_path):
    other = tmp_path / "topicfeeds.toml"
    other.write_text(config.read_text())
    with started(other) as service:
        service.answers()
        before = workers(service)
        other.write_text(config.read_text() + "[nonsense]\n")
        service.process.send_signal(signal.SIGHUP)
        service.wait_output("reload.refused")
        assert (ask(service.port, FEED)[0], workers(service)) == (200, before)
        other.write_text(config.read_text())
        service.process.send_signal(signal.SIGHUP)
        service.wait_output("reload.done", within=30)
        eventually(lambda: not before & workers(service), within=20)
        assert ask(service.port, FEED)[0] == 200
