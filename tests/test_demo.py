"""The first minute: ``topicfeeds demo`` over the bundled sample blog."""

import os
import re
import signal
import time

import pytest
from lxml import etree

from tests.conftest import ask, eventually, topicfeeds

END = 6.0
"""Seconds; it takes one where nothing else runs."""
TOPICS = ["go-concurrency", "distributed-systems", "kernel-internals", "runtime"]


@pytest.fixture
def demo(serving, free_port):
    service = serving("demo", "--port", str(free_port))
    service.answers("/readyz", within=40)
    return service


def test_it_shows_the_topics_serves_them_and_ends_with_ctrl_c(demo, tmp_path):
    output = demo.wait_output("Serving at")
    for slug in TOPICS:
        for suffix in ("rss", "atom", "json"):
            assert f"http://127.0.0.1:{demo.port}/feeds/{slug}.{suffix}" in output
    counts = {name.strip(): int(count) for name, count in re.findall(r"^(\w[\w &-]+?) {2,}(\d+) ", output, re.MULTILINE)}
    assert counts["All posts"] >= 24
    assert min(counts.values()) >= 1
    feed = etree.fromstring(ask(demo.port, "/feeds/all.rss")[2])
    assert len(feed.findall("channel/item")) == min(counts["All posts"], 50)
    assert b"Kernel internals" in ask(demo.port, "/")[2]
    eventually(lambda: ask(demo.port, "/health")[0] == 200, within=15)

    began = time.monotonic()
    os.killpg(demo.process.pid, signal.SIGINT)  # as the terminal does
    assert demo.process.wait(10) == 0
    eventually(lambda: not demo.tree(), within=5, every=0.01)
    assert time.monotonic() - began < END
    assert "Traceback" not in demo.output


def test_ctrl_c_while_it_refreshes(serving, free_port):
    service = serving("demo", "--port", str(free_port))
    service.wait_output("The sample blog is at")
    began = time.monotonic()
    os.killpg(service.process.pid, signal.SIGINT)
    assert service.process.wait(10) == 0
    assert time.monotonic() - began < END
    eventually(lambda: not service.tree(), within=10)
    assert "Traceback" not in service.output


def test_once_it_prints_and_ends(tmp_path):
    done = topicfeeds("demo", "--once", "--port", "8765", folder=tmp_path)
    assert done.returncode == 0
    assert "http://127.0.0.1:8765/feeds/all.rss" in done.stdout
    assert "blog: changed" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_sample_blog_is_where_it_is_wanted(tmp_path, free_port):
    done = topicfeeds("demo", "--once", "--blog-port", str(free_port), folder=tmp_path)
    assert done.returncode == 0
    assert f"The sample blog is at http://127.0.0.1:{free_port}/" in done.stderr


@pytest.mark.parametrize("option", ["--port", "--blog-port"])
def test_a_port_that_is_taken(tmp_path, origin, option):
    done = topicfeeds("demo", option, str(origin.server_address[1]), folder=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"is taken; choose another with {option}" in line
