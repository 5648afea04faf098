"""What a flood of different combinations costs those who read topic feeds: their latency, and the worker's memory.

A reader polls one topic feed at a steady pace: at rest; while wrk floods the service with addresses that do not exist; while it
floods it with combinations that nobody asked for before; and while two ask for such without end. In turns, and all of the service
on one core. Ends with exit code 1 where the reader is not answered, or memory grows beyond what combinations may take.
"""

from __future__ import annotations

import http.client
import itertools
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import click
import psutil

from feeds.operation import Serving
from feeds.running import logs
from feeds.settings import load
from tests.conftest import COMMAND, Running, find_port, open_pipeline, running, running_origin, write_config
from tests.fakes import NOW, Item, Time, rss

TOPICS, POSTS = 60, 600
PACE = 0.005
TOPIC = "/feeds/t1.atom"
_MISSING = "string.format('/feeds/x%d,x%d.atom', math.random(1000), math.random(1000))"
_COMBINED = "string.format('/feeds/t%d,t%d,t%d.atom', math.random(10, 25), math.random(26, 41), math.random(42, 58))"


class Flood(NamedTuple):
    """What is asked for, in Lua, and over how many connections."""

    path: str
    connections: int


_FLOODS = {
    "at rest": None,
    "flood of 404s": Flood(_MISSING, 64),
    "flood of combinations": Flood(_COMBINED, 64),
    "two ask without end": Flood(_COMBINED, 2),
}
"""A flood is mostly refused; two at a time are all served, so that every combination is made."""

_SCRIPT = """
init = function() math.randomseed(%d) end
request = function() return wrk.format("GET", %s) end
made = 0
local thread
setup = function(started) thread = started end
response = function(status) if status == 200 then made = made + 1 end end
done = function() io.write(string.format("\\nmade %%d\\n", thread:get("made"))) end
"""
_SLACK = 16 << 20
"""Bytes that a process may take beside the combinations that it keeps: what is in hand at a moment."""


@dataclass
class Phase:
    """What was measured: latencies in seconds, requests of the flood per second and how many of them were answered with 200."""

    latencies: list[float] = field(default_factory=list)
    flood: list[float] = field(default_factory=list)
    made: int = 0


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=4, show_default=True, help="of each phase")
def main(*, rounds: int, seconds: int) -> None:
    """Measure and print."""
    logs.configure(level=logging.ERROR)
    phases, memory = {name: Phase() for name in _FLOODS}, []
    with tempfile.TemporaryDirectory(prefix="topicfeeds-bench-") as made, served(Path(made)) as service:
        _poll(service.port, seconds=2)
        memory.append(_memory(service))
        for number in range(rounds):
            for name, phase in phases.items():
                _measure(service.port, name, phase, Path(made), seconds=seconds, seed=number)
            memory.append(_memory(service))
    _report(phases, memory, rounds=rounds, seconds=seconds)
    bounds = {"worker": Serving().combinations_bytes + _SLACK, "renderer": _SLACK}
    for name, bound in bounds.items():
        if memory[-1][name] - memory[0][name] > bound:
            sys.exit(f"the memory of the {name} grew by more than {bound / 2**20:.0f} MiB")


@contextmanager
def served(folder: Path) -> Iterator[Running]:
    """A worker over a store of many topics, three to a post."""
    items = [_item(n) for n in range(POSTS)]
    topics = [{"slug": f"t{n}", "title": f"T{n}", "tags": [f"t{n}"]} for n in range(TOPICS)]
    with running_origin() as origin:
        origin.put("/index.xml", rss("https://blog.example", *items))
        config = write_config(folder, origin.url, topics=topics)
        pipeline = open_pipeline(load(config, environ={}), Time())
        pipeline.refresh("blog")
        pipeline.close()
    port = find_port()
    pinned = ["taskset", "-c", "0", *COMMAND, "web"]
    with running(pinned, folder, port=port, TOPICFEEDS_CONFIG=str(config), TOPICFEEDS_SERVE__PORT=str(port)) as service:
        service.answers(TOPIC)
        service.answers("/feeds/t1,t2.atom")
        yield service


def _item(n: int) -> Item:
    tags = tuple(f"t{(n * step) % TOPICS}" for step in (1, 7, 11))
    return Item(f"/blog/{n}/", f"Post {n}", "What the scheduler does. " * 60, NOW - timedelta(hours=n), tags=tags)


def _measure(port: int, name: str, phase: Phase, folder: Path, *, seconds: int, seed: int) -> None:
    """Poll during one flood, or at rest."""
    flood = _FLOODS[name]
    if flood is None:
        phase.latencies += _poll(port, seconds=seconds - 1)
        return
    script = folder / "flood.lua"
    script.write_text(_SCRIPT % (seed, flood.path), encoding="utf-8")
    wrk = ["wrk", "-t1", f"-c{flood.connections}", f"-d{seconds}s", "-s", str(script), f"http://127.0.0.1:{port}"]
    with subprocess.Popen(["taskset", "-c", "1", *wrk], stdout=subprocess.PIPE, text=True) as process:
        time.sleep(0.5)
        phase.latencies += _poll(port, seconds=seconds - 1)
        said = process.communicate(timeout=60)[0].splitlines()
    phase.flood += [float(line.split()[1]) for line in said if line.startswith("Requests/sec")]
    phase.made += sum(int(line.split()[1]) for line in said if line.startswith("made"))


def _poll(port: int, *, seconds: float) -> list[float]:
    """Latencies of a topic feed, asked for once per pace on one connection."""
    connection, found = http.client.HTTPConnection("127.0.0.1", port, timeout=30), []
    end = time.monotonic() + seconds
    for turn in itertools.count():
        due = end - seconds + turn * PACE
        if due > end:
            break
        time.sleep(max(due - time.monotonic(), 0))
        began = time.perf_counter()
        connection.request("GET", TOPIC, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            sys.exit(f"{TOPIC} was answered with {answer.status}")
        found.append(time.perf_counter() - began)
    connection.close()
    return found


def _memory(service: Running) -> dict[str, int]:
    """Private bytes of the worker and of the process that renders beside it."""
    found = {"worker": 0, "renderer": 0}
    for process in service.tree():
        name = "renderer" if "feeds.serving.combine" in process.cmdline() else "worker"
        found[name] = max(found[name], _private(process))
    return found


def _private(process: psutil.Process) -> int:
    return int(process.memory_full_info().uss)


def _report(phases: dict[str, Phase], memory: list[dict[str, int]], *, rounds: int, seconds: int) -> None:
    rest = phases["at rest"].latencies
    print(f"{TOPIC} every {PACE * 1000:g} ms, {rounds} rounds of {seconds} s in turns, the service on one core")
    print(f"{'':24}{'p50 ms':>9}{'p99 ms':>9}{'ratio p50':>11}{'ratio p99':>11}{'flood/s':>10}{'made':>8}")
    for name, phase in phases.items():
        p50, p99 = _percentile(phase.latencies, 50), _percentile(phase.latencies, 99)
        ratios = f"{p50 / _percentile(rest, 50):11.2f}{p99 / _percentile(rest, 99):11.2f}"
        rate = statistics.median(phase.flood) if phase.flood else 0
        print(f"{name:24}{p50 * 1000:9.2f}{p99 * 1000:9.2f}{ratios}{rate:10,.0f}{phase.made:8,}")
    for name in memory[0]:
        sizes = " ".join(f"{taken[name] / 2**20:.1f}" for taken in memory)
        print(f"memory of the {name}, MiB, before and after each round: {sizes}")


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


if __name__ == "__main__":
    main()
