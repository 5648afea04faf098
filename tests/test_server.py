"""What the web server promises whatever clients do: limits, slow clients, ends and reloads without a dropped request."""

import os
import re
import signal
import socket
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest

from feeds.settings import load
from tests.conftest import (
    COMMAND,
    ask,
    eventually,
    find_port,
    open_pipeline,
    running,
    running_origin,
    sent,
    topicfeeds,
    write_config,
)
from tests.fakes import BLOG, Time, rss
from tests.polling import FEED, Readers

COMBINED = "/feeds/distributed-systems,go-concurrency.atom"
SLOW = 200
HEAD = b"Host: feeds.example\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with running_origin() as origin:
        origin.put("/index.xml", rss(origin.url, *BLOG))
        config = write_config(folder, origin.url, serve={"header_timeout": "2s"})
        with closing(open_pipeline(load(config, environ={}), Time())) as pipeline:
            pipeline.refresh("blog")
    return config


@pytest.fixture(scope="module")
def web(config):
    with started(config) as service:
        yield service


def started(config, *, command=(*COMMAND, "web"), **variables):
    port = find_port()
    named = {"TOPICFEEDS_CONFIG": str(config), "TOPICFEEDS_SERVE__PORT": str(port), **variables}
    return running(list(command), config.parent, port=port, **named)


def raw(port, request):
    """The first line of the answer to bytes; what came of it when the connection was closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        with suppress(OSError):  # the answer may come before all of it is sent
            connection.sendall(request)
        answered = b""
        with suppress(ConnectionResetError):
            while b"\r\n" not in answered and (more := connection.recv(4096)):
                answered += more
    return int(answered.split(b" ", 2)[1]) if answered else 0


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /livez HTTP/1.1\r\n" + HEAD + b"\r\n", 200),
        (b"GET /livez HTTP/1.0\r\n\r\n", 200),
        (b"GET /" + b"a" * 8000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 404),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 431),
        (b"GET /livez HTTP/1.1\r\n" + HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n", 431),
        (b"GET /livez HTTP/1.1\r\n" + HEAD + b"".join(b"X-%d: a\r\n" % n for n in range(200)) + b"\r\n", 431),
        (b"GET /livez HTTP/1.1\r\n" + HEAD + b"no colon\r\n\r\n", 400),
        (b"HELLO\r\n\r\n", 400),
        (b"POST /livez HTTP/1.1\r\n" + HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (b"POST /livez HTTP/1.1\r\n" + HEAD + b"Content-Length: 100000000\r\n\r\n" + b"a" * 1_000_000, 405),
        (b"POST " + FEED.encode() + b" HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000\r\n\r\nhalf", 405),
        (b"GET " + FEED.encode() + b" HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000\r\n\r\nhalf", 200),
    ],
)
def test_limits(web, request_, status):
    web.answers()
    assert raw(web.port, request_) == status
    assert ask(web.port, "/livez")[0] == 200


def test_slow_clients_keep_nobody_waiting(web):
    """Heads that never end, and bodies that never come."""
    web.answers()
    beginnings = [
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
    ]
    with ExitStack() as held:
        for n in range(SLOW):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", web.port)))
            connection.sendall(beginnings[n % 2])
        for target in ("/livez", FEED, "/health", "/", "/feeds/none.atom"):
            began = time.monotonic()
            assert ask(web.port, target)[0] in (200, 404, 503)
            assert time.monotonic() - began < 1


def test_a_connection_that_asks_for_nothing_is_closed(web):
    web.answers()
    with closing(HTTPConnection("127.0.0.1", web.port, timeout=10)) as connection:
        connection.request("GET", "/livez")
        assert connection.getresponse().read() == b"ok\n"
        began = time.monotonic()
        assert connection.sock.recv(4096) == b""
        assert 1 < time.monotonic() - began < 8


def test_a_hit_waits_for_nothing_that_is_being_made(config):
    """The only thread beside the one for hits waits for a renderer that has been stopped."""
    with started(config, TOPICFEEDS_SERVE__BLOCKING_THREADS="1") as service, ThreadPoolExecutor() as pool:
        service.answers(FEED)
        service.answers(COMBINED)
        (renderer,) = service.tree("feeds.serving.combine")
        renderer.suspend()
        waiting = pool.submit(ask, service.port, "/feeds/all,-go-concurrency.atom")
        for method in ("GET", "HEAD", "GET"):
            assert ask(service.port, FEED, method=method)[0] == 200
        assert not waiting.done()
        renderer.resume()
        assert waiting.result(timeout=20)[0] == 200


def test_connections_beyond_those_that_a_worker_may_hold_wait(config):
    with started(config, TOPICFEEDS_SERVE__CONNECTIONS="2") as service, ExitStack() as held:
        service.answers()
        first, second, third = (held.enter_context(_polling(service.port)) for _ in range(3))
        assert [_answered(first), _answered(second), _answered(third, within=0.5)] == [200, 200, 0]
        first.close()
        assert _answered(third) == 200


def _polling(port):
    """A connection that asks once, and stays open."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    return connection


def _answered(connection, *, within=10):
    connection.settimeout(within)
    try:
        return int(connection.recv(4096).split(b" ")[1])
    except TimeoutError:
        return 0


def test_http_2_without_tls(web):
    web.answers()
    empty_settings = b"\0\0\0\x04\0\0\0\0\0"
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + empty_settings)
        frame = connection.recv(9)
    assert frame[3] == 4  # SETTINGS (RFC 9113 §6.5)


def test_a_unix_socket(config, tmp_path):
    path = tmp_path / "web.sock"
    for _ in range(2):  # the second time with the file that the first left behind
        with started(config, TOPICFEEDS_SERVE__SOCKET=str(path)) as service:
            eventually(lambda: _over_unix(path) == 200, within=20)
            assert path.stat().st_mode & 0o777 == 0o660
            elsewhere = {"TOPICFEEDS_SERVE__SOCKET": str(path), "TOPICFEEDS_DATA": str(tmp_path / "var")}
            taken = topicfeeds("serve", "-c", str(config), folder=tmp_path, **elsewhere)
            assert (taken.returncode, "is taken" in taken.stderr) == (2, True)
            for process in service.tree():
                process.kill()


@pytest.mark.parametrize("where", ["port", "socket"])
def test_an_address_that_cannot_be_had_is_told(config, tmp_path, where):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        named = {"port": str(taken.getsockname()[1]), "socket": str(tmp_path / "none" / "web.sock")}
        variables = {f"TOPICFEEDS_SERVE__{where.upper()}": named[where]}
        done = topicfeeds("web", "-c", str(config), folder=tmp_path, **variables)
    assert (done.returncode, "cannot listen at" in done.stderr, named[where] in done.stderr) == (2, True, True)
    assert "Traceback" not in done.stderr


def _over_unix(path):
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
            connection.sendall(b"GET " + FEED.encode() + b" HTTP/1.1\r\n" + HEAD + b"\r\n")
            return int(connection.recv(4096).split(b" ")[1])
        except OSError:  # nobody listens yet, or who was killed has not let go of the socket
            return 0


def workers(service):
    """The processes that a web server keeps: as many with connections as with the application."""
    return {child.pid for child in psutil.Process(service.process.pid).children()}


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
        descriptors = []
        for n in range(1, 4):
            service.process.send_signal(signal.SIGHUP)
            eventually(lambda n=n: service.output.count('"reload.done"') == n, within=20)
            eventually(lambda: len(workers(service)) == 2, within=20)
            descriptors.append(psutil.Process(service.process.pid).num_fds())
        assert len(set(descriptors)) == 1


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


def fronts(service):
    """Those of them that hold connections; the others have the application."""
    started = {int(pid) for pid in re.findall(r'"pid": (\d+), "event": "front.started"', service.output)}
    return workers(service) & started


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


@pytest.fixture
def short():
    """A folder with a path that is short enough for a socket's."""
    with tempfile.TemporaryDirectory(prefix="t-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


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


def workers_left(service):
    return [each for each in service.tree("feeds") if each.pid != service.process.pid and each.status() != "zombie"]


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
        connections = [held.enter_context(_polling(service.port)) for _ in range(9)]
        assert [_answered(connection) for connection in connections[:3]] == [200, 200, 200]
        service.process.send_signal(signal.SIGTERM)
        assert [_answered(connection) for connection in connections[3:]] == [200] * 6
        assert service.process.wait(15) == 0


def poll(port, target, over):
    """What comes of requests over one connection."""
    answers = []
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        while not over.is_set():
            answers.append(sent(connection, "GET", target, {})[0])
    return answers


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


def living(service):
    return [child for child in psutil.Process(service.process.pid).children(recursive=True) if child.status() != "zombie"]
