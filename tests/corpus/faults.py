"""Sources that misbehave in every way that a fault origin knows, each beside nine that are well; nothing without such an origin.

``<corpus>/../judges/origin.py PORT`` serves them on 127.0.0.1 and lists them at ``/``. Each source was well before, and has posts.
"""

import logging
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import structlog

from feeds.asking.confine import Confined
from feeds.asking.courtesy import Courtesy
from feeds.asking.fetch import Fetcher
from feeds.formats import FORMATS
from feeds.refreshing.outcome import Outcome
from feeds.refreshing.pipeline import Pipeline
from feeds.settings import load
from feeds.store.migrate import open_migrated
from tests.conftest import eventually, find_port, write_config
from tests.executable import pieces, running
from tests.fakes import Item, Origin, Time, rss

Row = tuple[str, int, int, list[str]]
READABLE = (
    "good 301 308 xxe-file latin1-lie utf16 bom leading-ws ctrl surrogate-json dup-guid no-guid guid-churn future no-date "
    "junk-date xss crlf long-title many redos-title html-in-rss-title rel-links bad-ct cookie etag-weak age smuggle-etag "
    "double-gzip flip vanish retitle reurl "
)
"""What is a feed all the same. All the others have to fail with a cause."""
DEADLINE = 45.0
"""Seconds in which a source that waits, trickles or never ends has to be given up, many times its own bounds."""
WORK = 900.0
"""The same for fifty thousand posts, which are all read, stored, published and archived: an end, not a speed (see benchmarks)."""
MEMORY = 700 * 1024 * 1024
"""What this process, which holds all the tests as well, may have taken at the end."""


def check(corpus: Path) -> Iterator[Row]:
    """One row: the faults whose source was marked as it should be, in time, while nobody else noticed."""
    program = corpus.resolve().parent / "judges" / "origin.py"
    if not program.exists():
        return
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # the figures are the output
    misses, faults = [], []
    with _serving(program) as url, Origin() as well, closing(Confined()) as confined:
        for n in range(9):
            well.put(f"/{n}.xml", rss(well.url, Item(f"/well/{n}/", f"Raft {n}")))
        listed = urllib.request.urlopen(url, timeout=10).read().decode()
        faults = [path for path in listed.split() if path not in ("/hits", "/secret")]
        for fault in faults:
            with tempfile.TemporaryDirectory() as folder:
                misses += [f"{fault}: {miss}" for miss in _misses(fault, url, well.url, Path(folder), confined)]
    wrong = {miss.partition(":")[0] for miss in misses}
    yield "faults beside nine that are well", len(faults) - len(wrong), len(faults), misses


def _misses(fault: str, url: str, well: str, folder: Path, confined: Confined) -> Iterator[str]:
    """What a fault did that it should not, to its source or to others."""
    sources = [{"id": f"well-{n}", "url": f"{well}/{n}.xml"} for n in range(9)]
    before = _open(folder, [{"id": "fault", "url": f"{url}/good"}, *sources[:4]], confined)
    for name in ("fault", *(str(source["id"]) for source in sources[:4])):
        before.refresh(name)
    kept = _ids(before)
    before.store.close()
    pipeline = _open(folder, [{"id": "fault", "url": url + fault}, *sources], confined)
    began = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        outcomes = {o.source: o for o in pool.map(pipeline.refresh, ["fault", *(str(s["id"]) for s in sources)])}
    seconds, bad = time.monotonic() - began, outcomes.pop("fault")
    yield from _misjudged(fault, bad, pipeline)
    if any(outcome.result not in ("changed", "unchanged") for outcome in outcomes.values()):
        yield f"a neighbour noticed: {[(o.source, o.result) for o in outcomes.values()]}"
    if seconds > (WORK if fault == "/many" else DEADLINE):
        yield f"took {seconds:.0f} s"
    if fault != "/many" and not kept <= _ids(pipeline):  # whose posts fill the whole feed
        yield f"took posts out of service: {sorted(kept - _ids(pipeline))[:3]}"
    pipeline.publish()
    yield from (f"could run: {found}" for found in _running(pipeline))
    pipeline.store.close()
    if (memory := psutil.Process().memory_info().rss) > MEMORY:
        yield f"took {memory >> 20} MiB"


def _running(pipeline: Pipeline) -> list[str]:
    """What could run of what is published."""
    _, _, publications = pipeline.store.publications()
    bodies = {publication.path: publication.codings["identity"] for publication in publications}
    return running(pieces({suffix: bodies[f"/feeds/all.{suffix}"] for suffix in FORMATS}, bodies["/topics/all/"]))


def _misjudged(fault: str, outcome: Outcome, pipeline: Pipeline) -> Iterator[str]:
    readable = f"{fault.strip('/').partition('?')[0]} " in READABLE
    if outcome.result == "failed" and (readable or not pipeline.store.sources()["fault"].error):
        yield f"failed: {outcome.error}"
    if outcome.result != "failed" and not readable:
        yield f"was taken for a feed: {outcome.result}, {outcome.new} new"


def _open(folder: Path, sources: list[dict[str, str]], confined: Confined) -> Pipeline:
    """A pipeline with readers that outlive it: to start those takes longer than all the rest."""
    config = write_config(folder, "http://127.0.0.1", sources=sources, fetch={"pace": "0s", "timeout": "5s"})
    settings = load(config, environ={})
    store = open_migrated(settings.database_url)
    fetcher = Fetcher(settings.fetch, cache=settings.data / "http-cache.sqlite", own=[source.url for source in settings.sources])
    courtesy = Courtesy(fetcher, store, settings.fetch, now=lambda: datetime.now(UTC))
    pipeline = Pipeline(settings, store, courtesy, confined, now=Time())
    pipeline.prepare()
    return pipeline


def _ids(pipeline: Pipeline) -> set[str]:
    """The posts in service, in the feed of all."""
    return {post.id for post in pipeline.store.newest("all", limit=50)}


@contextmanager
def _serving(program: Path) -> Iterator[str]:
    port = find_port()
    process = subprocess.Popen([sys.executable, str(program), str(port)], stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: _answers(f"http://127.0.0.1:{port}/"), within=20)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(url, timeout=5).read())
    except OSError:
        return False
