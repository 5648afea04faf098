"""Processes of the web server that die, or that cannot be started."""

import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.conftest import ask, eventually
from tests.polling import FEED
from tests.server.world import COMBINED, fronts, poll, started, workers, workers_left


def test_a_process_that_holds_connections_is_started_again(config):
    with started(config) as service:
        service.answers()
        (front,) = fronts(service)
        os.kill(front, signal.SIGKILL)
        service.wait_output("front.died", within=5)
        service.answers(FEED, within=5)
        service.answers(within=5)
        assert len(fronts(service) - {front}) == 1


def test_the_death_of_a_worker_fails_no_request(config):
    with started(config) as service, ThreadPoolExecutor() as pool:
        service.answers(COMBINED)
        over = threading.Event()
        polls = [pool.submit(poll, service.port, target, over) for target in ("/livez", "/livez", FEED, COMBINED)]
        try:
            time.sleep(0.3)
            (worker,) = workers(service) - fronts(service)
            os.kill(worker, signal.SIGKILL)
            eventually(lambda: worker not in workers(service) and len(workers(service)) == 2, within=20)
            service.answers()
        finally:
            over.set()
        assert [set(each.result(20)) for each in polls] == [{200}] * 4


def test_workers_that_die_again_and_again_end_nothing(config):
    """Granian would give up after the second."""
    with started(config) as service:
        service.answers()
        for _ in range(3):
            (worker,) = workers(service) - fronts(service)
            os.kill(worker, signal.SIGKILL)
            eventually(lambda worker=worker: worker not in workers(service) and len(workers(service)) == 2, within=20)
            assert ask(service.port, FEED)[0] == 200
        service.answers()


def test_workers_that_die_together_are_started_together(config):
    with started(config, TOPICFEEDS_SERVE__WORKERS="3") as service:
        service.answers()
        died = workers(service) - fronts(service)
        service.process.send_signal(signal.SIGSTOP)  # it sees all of them at once
        for worker in died:
            os.kill(worker, signal.SIGKILL)
        service.process.send_signal(signal.SIGCONT)
        eventually(lambda: not died & workers(service) and len(workers(service)) == 6, within=20)
        assert service.output.count('"worker.died"') == 1
        service.answers()


def test_a_worker_that_dies_while_it_is_replaced_is_not_replaced_again(config):
    with started(config) as service:
        service.answers()
        (former,) = workers(service) - fronts(service)
        service.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(workers(service)) == 3, within=10, every=0.01)
        (successor,) = workers(service) - fronts(service) - {former}
        os.kill(former, signal.SIGKILL)
        service.wait_output("reload.done")
        eventually(lambda: workers(service) - fronts(service) == {successor}, within=20)
        assert "worker.died" not in service.output


NO_ROOM = """
import itertools
from feeds.running import fronts, logs, server
from feeds.settings import load

def refused(call, *times):
    count = itertools.count(1)
    def called(*arguments, **options):
        if next(count) in times:
            raise BlockingIOError("no room")
        return call(*arguments, **options)
    return called

server._Server._spawn_worker = refused(server._Server._spawn_worker, 2, 3)
fronts.Front = refused(fronts.Front, 2)
logs.configure()
server.run(load())
"""


def test_where_the_system_has_no_room_for_another_process_that_is_tried_again(config):
    """The first worker that dies is replaced at the third attempt; a reload fails, and the next one does not."""
    with started(config, command=[sys.executable, "-c", NO_ROOM]) as service:
        service.answers()
        (worker,) = workers(service) - fronts(service)
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: worker not in workers(service) and len(workers(service)) == 2, within=20)
        assert service.output.count("worker.not_started") == 2
        for outcome in ("reload.failed", "reload.done"):
            service.process.send_signal(signal.SIGHUP)
            service.wait_output(outcome)
            service.answers()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == 0


def test_a_process_that_holds_connections_does_not_wait_for_an_application_that_is_stuck(config):
    with started(config) as service:
        service.answers(FEED)
        (front,) = fronts(service)
        (worker,) = workers(service) - {front}
        os.kill(worker, signal.SIGSTOP)
        os.kill(front, signal.SIGKILL)
        service.wait_output("front.died", within=5)
        service.answers(FEED, within=5)
        os.kill(worker, signal.SIGCONT)
        service.answers()


def test_nothing_outlives_a_server_that_is_killed(config):
    for _ in range(3):
        with started(config) as service:
            service.wait_output("front.started", within=10)
            left = workers(service)
            service.process.kill()
            eventually(lambda left=left: not left & {each.pid for each in service.tree()}, within=10)


def test_a_temporary_folder_with_a_long_path(config, tmp_path):
    long = tmp_path / ("long" * 20)
    long.mkdir()
    with started(config, TMPDIR=str(long)) as service:
        service.answers()
        assert not list(long.glob("topicfeeds-web-*"))


def test_what_a_killed_server_leaves_the_next_one_removes(config, short):
    for _ in range(2):
        with started(config, TMPDIR=str(short)) as service:
            service.answers()
            (folder,) = short.glob("topicfeeds-web-*")
            service.process.kill()
            eventually(lambda service=service: not workers_left(service), within=10)
    with started(config, TMPDIR=str(short)) as service:
        service.answers()
        assert folder.name not in {each.name for each in short.glob("topicfeeds-web-*")}
        with started(config, TMPDIR=str(short)) as other:
            other.answers()
            assert len(list(short.glob("topicfeeds-web-*"))) == 2
        service.answers()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(15) == 0
    assert len(list(short.glob("topicfeeds-web-*"))) <= 1  # that of the other one, which was killed
