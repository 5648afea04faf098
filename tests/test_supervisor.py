"""The processes of ``topicfeeds serve``: they come up at once, come back after a crash, and end together."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException

import pytest
from lxml import etree

from feeds.running.priority import NICENESS
from feeds.running.supervisor import Child, Supervisor
from tests import fakes
from tests.conftest import COMMAND, TOPICS, ask, eventually, running, session_niceness, write_config
from tests.fakes import refusal
from tests.polling import Readers

END = 6.0
"""Seconds; it takes one where nothing else runs, and what does not end by itself is killed after more than these."""
ORPHANS = 6.0


@pytest.fixture
def config(tmp_path, blog):
    return write_config(tmp_path, blog.url)


def child(service, name):
    """The living processes of the child that runs ``topicfeeds <name>``, its workers included."""
    return service.tree(name)


def test_it_serves_valid_empty_feeds_while_the_blog_cannot_be_reached(tmp_path, blog, serving):
    blog.pages["/index.xml"] = refusal(500)
    service = serving("serve", config=write_config(tmp_path, blog.url))
    service.answers("/livez", within=30)
    service.answers("/readyz", within=20)
    for slug in ("all", "go-concurrency", "distributed-systems"):
        atom = etree.fromstring(ask(service.port, f"/feeds/{slug}.atom")[2])
        assert atom.findall("{*}entry") == []
        assert atom.findtext("{*}id").startswith("tag:blog.example,")
        assert etree.fromstring(ask(service.port, f"/feeds/{slug}.rss")[2]).findall("channel/item") == []
    eventually(lambda: b"answered 500" in ask(service.port, "/health")[2], within=30)
    assert ask(service.port, "/feeds/all.atom")[0] == 200


def test_posts_arrive_without_restart(serving, config):
    service = serving("serve", config=config)
    service.answers()
    eventually(lambda: b"Raft reads" in ask(service.port, "/feeds/distributed-systems.rss")[2], within=15)
    service.answers("/health", within=5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_in_time_with_exit_code_0(serving, config, number):
    service = serving("serve", config=config)
    service.answers()
    assert len(service.tree()) >= 3
    code, seconds = service.interrupt(number)
    assert (code, service.tree()) == (0, [])
    assert seconds < END
    assert "Traceback" not in service.output


def test_a_terminal_that_is_closed_ends_everything(config, tmp_path, free_port):
    ours, theirs = os.openpty()
    variables = {"TOPICFEEDS_CONFIG": str(config), "TOPICFEEDS_SERVE__PORT": str(free_port)}
    with running([*COMMAND, "serve"], tmp_path, port=free_port, stdin=theirs, **variables) as service:
        service.answers()
        assert service.interrupt(signal.SIGHUP)[0] == 0
    os.close(ours)
    os.close(theirs)


# -- SIGHUP ------------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(180)
def test_a_reload_takes_the_new_configuration_into_service_and_goes_on_serving(serving, blog, config, tmp_path):
    service = serving("serve", config=config)
    service.answers()
    eventually(lambda: b"Raft reads" in ask(service.port, "/feeds/distributed-systems.rss")[2], within=20)
    before = service_pids(service)
    write_config(tmp_path, blog.url, topics=[{**TOPICS[1], "slug": "distributed", "aliases": ["distributed-systems"]}, TOPICS[0]])
    service.process.send_signal(signal.SIGHUP)

    def is_taken_over():
        return "reload.done" in service.output and not before & service_pids(service)

    with Readers(service.port) as readers:
        eventually(is_taken_over, within=120)
    assert (readers.dropped, readers.refused) == ([], 0)
    status, headers, _ = ask(service.port, "/feeds/distributed-systems.rss")
    assert (status, headers["location"]) == (301, "https://feeds.example/feeds/distributed.rss")
    assert b"Raft reads" in ask(service.port, "/feeds/distributed.rss")[2]
    assert b"Raft reads" in ask(service.port, "/feeds/all,-go-concurrency.atom")[2]
    assert "Traceback" not in service.output


@pytest.mark.timeout(180)
def test_a_reload_keeps_nobody_waiting_who_connects_while_a_slow_client_is_waited_for(serving, config):
    service = serving("serve", config=config)
    service.answers("/readyz")
    former = set(child(service, "web"))
    with socket.create_connection(("127.0.0.1", service.port)) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        service.process.send_signal(signal.SIGHUP)
        waits = []
        eventually(
            lambda: waits.append(seconds_of(ask, service.port, "/livez")) or not former & set(child(service, "web")), within=60
        )
    kept = [seconds for seconds in waits if seconds >= 1]  # after which an attempt to connect is repeated
    assert len(kept) <= len(waits) / 10, kept


def seconds_of(call, *arguments):
    began = time.monotonic()
    call(*arguments)
    return time.monotonic() - began


def service_pids(service):
    """The processes of the service without the one that keeps them."""
    return pids(service, "clock") | pids(service, "web")


REFUSED = {
    "did you mean 'threshold'": [{**TOPICS[0], "threshhold": 3}, TOPICS[1]],
    "'distributed-systems' was published": [TOPICS[0]],
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_configuration_that_is_not_sound_is_not_taken(serving, blog, config, tmp_path, words):
    service = serving("serve", config=config)
    service.answers()
    eventually(lambda: b"Raft reads" in ask(service.port, "/feeds/distributed-systems.rss")[2], within=20)
    before = service_pids(service)
    write_config(tmp_path, blog.url, topics=REFUSED[words])
    service.process.send_signal(signal.SIGHUP)
    service.wait_output("reload.refused")
    assert words in service.output
    assert pids(service, "clock") | pids(service, "web") == before
    assert ask(service.port, "/feeds/distributed-systems.rss")[0] == 200


def pids(service, name):
    return {process.pid for process in child(service, name)}


def test_a_signal_while_it_starts_ends_it_too(serving, config):
    service = serving("serve", config=config)
    eventually(lambda: child(service, "clock"), within=20)
    code, seconds = service.interrupt(signal.SIGTERM)
    assert code == 0
    assert seconds < END


def test_a_signal_during_a_hanging_fetch_ends_it_too(serving, blog, config):
    blog.pages["/index.xml"] = fakes.hang
    service = serving("serve", config=config)
    service.answers()
    eventually(lambda: blog.requests, within=15)
    code, seconds = service.interrupt(signal.SIGTERM)
    assert code == 0
    assert seconds < END


def test_refreshing_gives_way_to_serving(serving, config):
    """By its own niceness, and by that of its session, which is what counts between sessions where Linux has autogroups."""
    service = serving("serve", config=config)
    service.answers()
    for name, niceness in (("clock", NICENESS), ("web", 0)):
        expected = niceness + os.getpriority(os.PRIO_PROCESS, 0)
        process = min(child(service, name), key=lambda process: process.create_time())
        eventually(lambda process=process, expected=expected: process.nice() == expected, within=20)  # it has to begin first
        eventually(lambda process=process, niceness=niceness: session_niceness(process.pid) in (niceness, None), within=5)


def test_what_cannot_be_started_is_tried_again_and_ends_nobody():
    child = Child("web", ["/nonexistent"])
    child.look_after(0.0)
    assert (child.is_alive(), child.due > 0.0, child.has_come_up()) == (False, True, True)
    assert child.has_ended()


@pytest.mark.parametrize("command", [["/nonexistent"], [sys.executable, "-c", "raise SystemExit(1)"]])
def test_a_successor_that_does_not_come_up_replaces_nobody(command):
    child = Child("web", [sys.executable, "-c", "import time; time.sleep(60)"])
    supervisor = Supervisor([child])
    child.start()
    try:
        former, child.command = child.process, command
        assert not supervisor._replace(child)
        assert child.process is former
        assert child.is_alive()
        eventually(lambda: all(leaving.has_ended() for leaving in supervisor._leaving), within=5)
    finally:
        child.process.kill()
        eventually(child.has_ended, within=5)


def test_kill_9_of_the_supervisor_leaves_no_orphan(serving, config):
    service = serving("serve", config=config)
    service.answers()
    service.process.kill()
    service.process.wait(5)
    eventually(lambda: not service.tree(), within=ORPHANS)


@pytest.mark.parametrize("name", ["clock", "web"])
def test_a_child_that_crashes_comes_back(serving, config, name):
    service = serving("serve", config=config)
    service.answers("/readyz")
    crashed = eventually(lambda: {process.pid for process in child(service, name)}, within=10)
    for pid in crashed:
        os.kill(pid, signal.SIGKILL)
    service.wait_output("process.died")
    eventually(lambda: child(service, name) and not crashed & {process.pid for process in child(service, name)}, within=15)
    service.answers("/readyz")
    eventually(lambda: ask(service.port, "/health")[0] == 200, within=15)


def test_a_worker_that_crashes_comes_back(serving, config):
    """Only a process below that of the web server dies, one that has the application or one that holds connections."""
    service = serving("serve", config=config)
    service.answers("/readyz")
    workers = [process for process in child(service, "web") if process.ppid() != service.process.pid]
    assert len(workers) == 2
    for worker in workers:
        worker.kill()
        eventually(lambda worker=worker: worker not in service.tree(), within=5)
        service.answers("/readyz", within=10)
    assert "process.died" not in service.output


def test_it_says_that_it_drains_before_it_ends(serving, config):
    service = serving("serve", config=config)
    service.answers("/readyz")
    connection, seen = HTTPConnection("127.0.0.1", service.port, timeout=10), set()
    connection.connect()  # before it takes no new ones
    service.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    with closing(connection), suppress(OSError, HTTPException):
        while time.monotonic() - began < END:
            connection.request("GET", "/readyz")
            response = connection.getresponse()
            response.read()
            seen.add(response.status)
    assert 503 in seen
    assert service.process.wait(5) == 0


def test_a_port_that_is_taken_is_one_line_and_exit_code_2(serving, config, origin):
    service = serving("serve", config=config, TOPICFEEDS_SERVE__PORT=str(origin.server_address[1]))
    assert service.process.wait(20) == 2
    assert "is taken" in service.output
    assert "Traceback" not in service.output
    assert len(service.output.strip().splitlines()) == 1


def test_a_database_that_cannot_be_used_is_one_line_and_exit_code_2(serving, config):
    service = serving("serve", config=config, TOPICFEEDS_DATABASE="sqlite:////proc/none/x.db")
    assert service.process.wait(20) == 2
    assert "Traceback" not in service.output


SIGNALLED = """
import os, signal, threading, time
from feeds.running.notice import Notice
notice, said = Notice(), []
signal.signal(signal.SIGUSR1, lambda *_: (said.append(1), notice.set()))
def signals():
    for _ in range(2000):
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.0002)
thread = threading.Thread(target=signals)
thread.start()
while thread.is_alive():
    notice.wait(0)
    notice.clear()
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1)).start()
notice.clear()
assert not notice.wait(0.01) and not notice.is_set()
assert notice.wait() and notice.wait(5) and notice.is_set()
assert len(said) > 100
"""


def test_a_notice_can_be_set_by_a_signal_at_any_instant():
    """With ``threading.Event`` the handler soon interrupts itself where it holds the lock that it wants."""
    done = subprocess.run([sys.executable, "-c", SIGNALLED], check=False, timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
