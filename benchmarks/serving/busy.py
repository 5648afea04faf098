"""A topic's feed at rest, and while the service refreshes a thousand sources and publishes a thousand topics beside it.

The web server has a core, the load another, and the refreshing process none of its own, as ``topicfeeds serve`` starts it. Rest and
work alternate within one run: the refreshing process and all that it started are stopped, and go on. nginx with a copy of the feed
is measured in the same turns: what happens to that is the machine's doing.
"""

from __future__ import annotations

import itertools
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.serving.client import started, told
from benchmarks.serving.load import Measured, Request, as_sent, ask, measure
from benchmarks.serving.servers import Server, cores, nginx_beside, web
from benchmarks.thousand_sources import Host
from feeds.settings import load
from feeds.store import Store
from feeds.store.migrate import open_migrated
from tests.conftest import COMMAND, Running, open_pipeline, running, running_origin, write_config
from tests.fakes import NOW, Item, Time, rss

SOURCES, TOPICS, HOSTS, POSTS = 1000, 1000, 10, 10
FEED = "/feeds/measured.atom"
PACED, EVERY = 64, 0.1
"""The moderate load: connections, and the seconds after which each asks again."""

_SETTLE = 0.5
_BEGINS_WITHIN = 300.0
"""Seconds in which the refreshing process has published a thousand topics without posts, which is before it begins to refresh."""

REQUESTS = (Request("304", accept="gzip", conditional=True, status=304), Request("200 gzip", accept="gzip"))


class Row(NamedTuple):
    """Medians for one server, request and load, at rest and at work."""

    server: str
    request: str
    load: str
    rest: Measured
    busy: Measured

    @property
    def ratio(self) -> float:
        """p99 at work by p99 at rest."""
        return self.busy.p99 / self.rest.p99 if self.rest.p99 else 0.0


class Busy(NamedTuple):
    """What was measured, and what the refreshing process did meanwhile, in how many seconds that it ran."""

    rows: tuple[Row, ...]
    refreshed: int
    published: int
    seconds: float


def compare(folder: Path, *, rounds: int = 3, seconds: int = 3) -> Busy:
    """Measure, in turns."""
    folder.mkdir()
    folder.chmod(0o755)  # the worker of nginx has a user of its own
    with ExitStack() as stack:
        config = _prepared(folder, stack)
        ours = stack.enter_context(web(config, folder, FEED))
        servers = (stack.enter_context(nginx_beside(ours, folder, FEED)), ours)
        store = open_migrated(load(config, environ={}).database_url)
        refresher = stack.enter_context(running([*COMMAND, "clock"], folder, TOPICFEEDS_CONFIG=str(config)))
        _wait(lambda: len(_refreshed(store)) > HOSTS, lambda: refresher.output)
        before = _done(refresher, store)
        found: dict[tuple[str, str, str, bool], list[Measured]] = {}
        worked = 0.0
        turns = itertools.product(range(rounds), REQUESTS, _LOADS.items(), servers, (False, True))
        for _, request, (name, measured), server, at_work in turns:  # short ones: what is stopped must not run out of time
            _let(refresher, at_work)
            began = time.monotonic()
            found.setdefault((server.name, request.name, name, at_work), []).append(measured(server, request, seconds, folder))
            worked += (time.monotonic() - began) * at_work
        after = _done(refresher, store)
        rows = tuple(
            Row(*key, _median(found[*key, False]), _median(found[*key, True]))
            for key in itertools.product([each.name for each in servers], [each.name for each in REQUESTS], _LOADS)
        )
        return Busy(rows, after[0] - before[0], after[1] - before[1], worked)


def _prepared(folder: Path, stack: ExitStack) -> Path:
    """A configuration of many sources and topics, and a store with the measured topic published."""
    origin = stack.enter_context(running_origin())
    posts = [Item(f"/blog/{n}/", f"Post {n}", _TEXT, NOW, tags=("measured",)) for n in range(20)]
    origin.put("/index.xml", rss("https://blog.example", *posts))
    hosts = [stack.enter_context(_host(f"127.0.0.{number}")) for number in range(2, HOSTS + 2)]
    sources = [{"id": "blog", "url": f"{origin.url}/index.xml", "every": "1d"}]
    sources += [{"id": f"source-{n}", "url": f"{hosts[n % HOSTS].url}/{n}", "every": "1d"} for n in range(SOURCES)]
    topics = [{"slug": "measured", "title": "Measured", "tags": ["measured"]}]
    topics += [{"slug": f"topic-{n}", "title": f"Topic {n}", "tags": [f"topic-{n}"]} for n in range(TOPICS)]
    fetch = {"pace": "0s", "timeout": "30s"}
    first = write_config(folder, origin.url, sources=sources[:1], topics=topics[:1], fetch=fetch)
    pipeline = open_pipeline(load(first, environ={}), Time())
    pipeline.refresh("blog")
    pipeline.close()
    return write_config(folder, origin.url, sources=sources, topics=topics, fetch=fetch)


_TEXT = "<p>What the scheduler does while a channel waits for a processor.</p>" * 40


def _document(url: str, path: str, posts: int) -> bytes:
    """The feed of one source: each of its posts is in a topic of its own."""
    number = int(path.strip("/"))
    items = [Item(f"{path}/{n}/", f"Post {n}", _TEXT, NOW, tags=(f"topic-{(number * posts + n) % TOPICS}",)) for n in range(posts)]
    return rss(url, *items).encode()


@contextmanager
def _host(address: str) -> Iterator[Host]:
    host = Host(address, items=lambda _: POSTS, document=_document)
    try:
        yield host
    finally:
        host.shutdown()
        host.server_close()


def _let(refresher: Running, at_work: bool) -> None:  # noqa: FBT001
    """Have the refreshing process and what it started go on, or stop where they are."""
    for process in refresher.tree():
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT if at_work else signal.SIGSTOP)
    time.sleep(_SETTLE)


def _refreshed(store: Store) -> list[str]:
    return [source for source, state in store.sources().items() if state.last_success is not None]


def _done(refresher: Running, store: Store) -> tuple[int, int]:
    """How many sources were refreshed and how many topics published."""
    return len(_refreshed(store)), refresher.output.count('"event": "publish"')


def _wait(condition: Callable[[], bool], said: Callable[[], str]) -> None:
    deadline = time.monotonic() + _BEGINS_WITHIN
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"the refreshing process did not begin to work: {said()[-2000:]}")
        time.sleep(0.2)


def _paced(server: Server, request: Request, seconds: int, folder: Path) -> Measured:  # noqa: ARG001
    """A moderate load at a steady pace."""
    headers = {"Accept-Encoding": request.accept}
    if request.conditional:
        headers["If-None-Match"] = ask(server, FEED, "GET", headers)[1]
    found = told(started(cores(), server.port, as_sent("GET", FEED, headers), seconds=seconds, connections=PACED, every=EVERY))
    return Measured(found.requests / found.seconds, found.p50, found.p99, 0.0, found.errors)


def _full(server: Server, request: Request, seconds: int, folder: Path) -> Measured:
    """As much as it takes."""
    found = measure(server, request, connections=PACED, seconds=seconds, folder=folder)
    assert found is not None
    return found


_LOADS: dict[str, Callable[[Server, Request, int, Path], Measured]] = {
    f"{PACED / EVERY:.0f} requests/s": _paced,
    f"{PACED} connections, all that it takes": _full,
}


def _median(found: list[Measured]) -> Measured:
    return Measured(*(statistics.median(values) for values in zip(*found, strict=True)))
