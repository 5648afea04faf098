"""A thousand sources on ten hosts, all due at once: is any lost, does every host keep its pace, what does it take.

Then one feed of 50,000 items beside nine others: does the clock go on ticking.
``python -m benchmarks.thousand_sources [--sources N] [--items N]`` runs the clock as it is deployed against hosts on the loopback
addresses 127.0.0.2 to 127.0.0.11, and ends with exit code 1 where a promise is not kept. Run by ``make bench``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil

from feeds.running.health import CLOCK_ALLOWANCE
from feeds.settings import load
from feeds.store import Store
from feeds.store.migrate import open_migrated
from tests.conftest import COMMAND, running, write_config
from tests.fakes import Item, rss

HOSTS, POSTS, PACE, MEBIBYTE = 10, 10, 1, 1 << 20
BOUND = 400 * MEBIBYTE
"""What the refreshing process may take, its readers not counted: they are bounded one by one."""
_GLANCE = 0.1
_LONGEST = 1800.0


def document(url: str, path: str, number: int) -> bytes:
    """The feed at a path, with a number of posts."""
    return rss(url, *(Item(f"{path}/{n}/", f"Post {n}", "A goroutine waits.") for n in range(number))).encode()


@dataclass
class Host(ThreadingHTTPServer):
    """A server that notes when it is asked: the beginning and the end of each answer, by ``time.monotonic``."""

    address: str
    items: Callable[[str], int]
    document: Callable[[str, str, int], bytes] = document
    asked: list[tuple[float, float]] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__((self.address, 0), Answer)
        self.daemon_threads = True
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.address}:{self.server_address[1]}"

    def gaps(self) -> list[float]:
        """Seconds between the end of each answer and the next request; negative where two overlap."""
        return [after[0] - before[1] for before, after in zip(self.asked, self.asked[1:], strict=False)]


class Answer(BaseHTTPRequestHandler):
    """A feed, for any path."""

    server: Host
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer, and note when."""
        began, number = time.monotonic(), self.server.items(self.path)
        body = self.server.document(self.server.url, self.path, number)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/rss+xml")
        self.end_headers()
        self.server.asked.append((began, time.monotonic()))
        self.server.paths.add(self.path)
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass
class Watched:
    """What a run took: seconds, bytes at the most, the longest time without a heartbeat, and the sources that did not succeed."""

    seconds: float = 0.0
    peak: int = 0
    readers: int = 0
    silent: float = 0.0
    lost: tuple[str, ...] = ()


def main() -> int:
    """Measure, print, and say whether what is promised was kept."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="topicfeeds-sources-") as name, _hosts(lambda _: POSTS) as hosts:
        run = _run(Path(name), [f"{hosts[n % HOSTS].url}/{n}" for n in range(asked.sources)])
        gaps = [gap for host in hosts for gap in host.gaps()]
        print(f"{asked.sources} sources of {POSTS} posts on {HOSTS} hosts, a pause of {PACE} s: {_told(run)}")
        print(f"  {sum(len(host.asked) for host in hosts)} requests; pause between two at a host: {min(gaps):.3f} s at the least")
    sound = not run.lost and min(gaps) >= PACE and run.peak < BOUND and run.silent < CLOCK_ALLOWANCE.total_seconds()
    with tempfile.TemporaryDirectory(prefix="topicfeeds-sources-") as name, _hosts(_one_long(asked.items)) as hosts:
        long = _run(Path(name), [f"{host.url}/{n}" for n, host in enumerate(hosts)])
        print(f"one source of {asked.items} posts beside {HOSTS - 1} of {POSTS}: {_told(long)}")
    return 0 if sound and not long.lost and long.silent < CLOCK_ALLOWANCE.total_seconds() else 1


def _one_long(items: int) -> Callable[[str], int]:
    return lambda path: items if path == "/0" else POSTS


def _run(folder: Path, urls: list[str]) -> Watched:
    sources = [{"id": f"source-{n}", "url": url, "every": "1d"} for n, url in enumerate(urls)]
    fetch = {"pace": f"{PACE}s", "timeout": "30s"}
    config = write_config(folder, "http://127.0.0.2", sources=sources, fetch=fetch)
    store = open_migrated(load(config, environ={}).database_url)
    with running([*COMMAND, "clock"], folder, TOPICFEEDS_CONFIG=str(config)) as clock:
        watched, began = Watched(), time.monotonic()
        while _asked(store) < len(urls) and time.monotonic() - began < _LONGEST and clock.process.poll() is None:
            _look(watched, psutil.Process(clock.process.pid), store)
            time.sleep(_GLANCE)
    watched.seconds = time.monotonic() - began
    states = store.sources()
    watched.lost = tuple(str(source["id"]) for source in sources if not states[str(source["id"])].last_success)
    return watched


def _asked(store: Store) -> int:
    return sum(state.last_attempt is not None for state in store.sources().values())


def _look(watched: Watched, process: psutil.Process, store: Store) -> None:
    watched.peak = max(watched.peak, process.memory_info().rss)
    readers = 0
    for child in process.children(recursive=True):
        try:
            readers += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    watched.readers = max(watched.readers, readers)
    if beat := store.heartbeat():
        watched.silent = max(watched.silent, (datetime.now(UTC) - beat) / timedelta(seconds=1))


@contextmanager
def _hosts(items: Callable[[str], int]) -> Iterator[list[Host]]:
    hosts = [Host(f"127.0.0.{number}", items) for number in range(2, HOSTS + 2)]
    try:
        yield hosts
    finally:
        for host in hosts:
            host.shutdown()
            host.server_close()


def _told(run: Watched) -> str:
    memory = f"{run.peak / MEBIBYTE:.0f} MiB and {run.readers / MEBIBYTE:.0f} MiB in readers"
    lost = f"{len(run.lost)} LOST ({', '.join(run.lost[:5])} …)" if run.lost else "none lost"
    return f"{lost}, {run.seconds:.0f} s, {memory}, heartbeat at most {run.silent:.1f} s old"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Refresh many sources that are due at once.")
    parser.add_argument("--sources", type=int, default=1_000)
    parser.add_argument("--items", type=int, default=50_000, help="of the long feed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
