"""What a thousand topics cost the web workers: their own memory once everything was asked for, and how soon they answer.

Three formats of sixty kilobytes a topic, in every coding; two workers, started with an empty shelf and then with the one that the
first start left. Run by ``make bench``.
"""

from __future__ import annotations

import http.client
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from feeds.configuration import Compression
from feeds.formats import FORMATS
from feeds.publishing.compression import encode
from feeds.serving.representation import opaque_tag
from feeds.settings import load
from feeds.store import Publication
from feeds.store.migrate import open_migrated
from tests.conftest import COMMAND, environment, find_port, write_config
from tests.fakes import NOW

TOPICS, WORKERS, SIZE = 1000, 2, 60_000
MEBIBYTE = 1 << 20


def main() -> None:
    """Print both."""
    with tempfile.TemporaryDirectory(prefix="topicfeeds-memory-") as name:
        folder = Path(name)
        topics = [{"slug": f"topic-{n}", "title": f"Topic {n}"} for n in range(TOPICS)]
        config = write_config(folder, "http://127.0.0.1:9", topics=topics, data=str(folder / "var"), serve={"workers": WORKERS})
        total = _fill(config)
        print(f"import app: {_import_time():.2f} s in a new interpreter")
        print(f"{TOPICS} topics x {len(FORMATS)} formats, all codings: {total / MEBIBYTE:.0f} MiB; {WORKERS} workers")
        for start in ("empty shelf", "shelf of before", "shelf of before"):
            _measure(config, start)


def _import_time() -> float:
    """Seconds that a new interpreter takes to import the application, beyond those that it takes to start; median of five."""

    def run(statement: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        return time.perf_counter() - began

    return statistics.median(run("import app") - run("pass") for _ in range(5))


def _fill(config: Path) -> int:
    """Put the feeds into service; their bytes, over all codings."""
    chance, total = random.Random(4), 0  # noqa: S311  the same text in every run
    words = [f"{chance.getrandbits(24):x}" for _ in range(3000)]
    store = open_migrated(load(config, environ={}).database_url)
    for n in range(TOPICS):
        with store.writing() as transaction:
            for suffix in FORMATS:
                text = " ".join(chance.choices(words, k=SIZE // 7)).encode()
                codings = encode(text, Compression())
                path, headers = f"/feeds/topic-{n}.{suffix}", [("Cache-Control", "max-age=300")]
                transaction.publish(
                    Publication(path, f"topic-{n}", opaque_tag(text), "application/atom+xml; charset=utf-8", NOW, headers, codings)
                )
                total += sum(map(len, codings.values()))
    store.close()
    return total


def _measure(config: Path, start: str) -> None:
    began = time.monotonic()
    with _web(config) as (process, port):
        first = _first_answer(port) - began
        workers = process.children(recursive=True)
        later = min(worker.create_time() for worker in workers) - process.create_time()
        _ask_for_everything(port)
        own = [_own(worker) / MEBIBYTE for worker in workers]
        shared = [worker.memory_full_info().pss / MEBIBYTE for worker in workers]
        print(f"{start:16} first feed {first:5.2f} s after the start, {first - later:5.2f} s after that of its worker")
        print(f"{'':16} private memory of a process {max(own):.1f} MiB at the most, of all {sum(own):.0f} MiB")
        print(f"{'':16} with its share of the file {statistics.mean(shared):.0f} MiB")


def _own(process: psutil.Process) -> int:
    """Bytes that a process holds and no other does; pages of the shared file are the system's, which may let go of them."""
    return sum(each.private_dirty for each in process.memory_maps(grouped=True))


def _first_answer(port: int) -> float:
    """The moment at which a feed was answered."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if _ask(http.client.HTTPConnection("127.0.0.1", port, timeout=5), "/feeds/topic-7.atom") == 200:
                return time.monotonic()
        except OSError:
            pass
        time.sleep(0.01)
    raise RuntimeError("no answer within a minute")


def _ask_for_everything(port: int) -> None:
    """Each feed often enough, over connections of their own, that every worker has served it in some coding."""
    for _ in range(4 * WORKERS):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        for n in range(TOPICS):
            for suffix in FORMATS:
                _ask(connection, f"/feeds/topic-{n}.{suffix}")
        connection.close()


def _ask(connection: http.client.HTTPConnection, path: str) -> int:
    connection.request("GET", path, headers={"Accept-Encoding": "br"})
    response = connection.getresponse()
    response.read()
    return response.status


@contextmanager
def _web(config: Path) -> Iterator[tuple[psutil.Process, int]]:
    port = find_port()
    variables = {"TOPICFEEDS_CONFIG": str(config), "TOPICFEEDS_SERVE__PORT": str(port)}
    process = psutil.Popen([*COMMAND, "web"], cwd=config.parent, env=environment(**variables))
    try:
        yield process, port
    finally:
        process.terminate()
        process.wait(10)


if __name__ == "__main__":
    main()
