"""What the commands do, once the configuration is known: open the store, wire the pipeline, show progress."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy.exc import SQLAlchemyError

from feeds.asking.confine import Confined
from feeds.asking.courtesy import Courtesy
from feeds.asking.fetch import Fetcher
from feeds.console import report
from feeds.console.init_command import address_of, init
from feeds.errors import Problem, PurgeError, SettingsError, StoreError
from feeds.operation import Fetching
from feeds.publishing.publish import every_topic, publish_by_force, publish_pending
from feeds.publishing.purge import keep_purging, purge_pending
from feeds.refreshing.outcome import Outcome
from feeds.refreshing.pipeline import Pipeline
from feeds.refreshing.sorting import Sorting
from feeds.running.clock import Clock
from feeds.running.notice import Notice
from feeds.settings import Settings, locate
from feeds.store import Store, open_store
from feeds.store.migrate import open_migrated
from feeds.topics import lifecycle

log = structlog.get_logger(__name__)

_INTERRUPTED = 130
_AT_ONCE = 4


def now() -> datetime:
    """The wall clock, in the whole seconds that feeds are written in."""
    return datetime.now(UTC).replace(microsecond=0)


def assemble(settings: Settings) -> tuple[Pipeline, Fetcher]:
    """A pipeline over the configured store, ready to refresh. Raises SettingsError or StoreError."""
    store = open_migrated(settings.database_url)
    _refuse_lost_topics(settings, store)
    fetcher = Fetcher(settings.fetch, cache=settings.data / "http-cache.sqlite", own=[source.url for source in settings.sources])
    courtesy = Courtesy(fetcher, store, settings.fetch, now=lambda: datetime.now(UTC))
    pipeline = Pipeline(settings, store, courtesy, Confined(), now=now)
    pipeline.prepare()
    return pipeline, fetcher


def prepare(settings: Settings) -> Store:
    """Bring the store in line with the configuration and publish, without fetching anything. Raises StoreError."""
    pipeline, _ = assemble(settings)
    pipeline.publish()
    return pipeline.store


def publish(settings: Settings, force: str) -> bool:
    """Publish what is pending, and one topic by force if it is named; whether no topic is refused. Raises StoreError."""
    if force and force not in {topic.slug for topic in every_topic(settings)}:
        raise StoreError(f"no topic is called {force}; there are: {', '.join(topic.slug for topic in every_topic(settings))}")
    pipeline, _ = assemble(settings)
    pipeline.publish()
    if force:
        if pipeline.store.topics()[force].phase not in lifecycle.SERVING:
            raise StoreError(f"{force} is retired: its addresses answer 410, and have nothing that could be published")
        publish_by_force(settings, pipeline.store, force, now())
    _tell_caches(settings, pipeline.store)
    refused = {slug: state.error for slug, state in pipeline.store.topics().items() if state.error}
    for slug, error in refused.items():
        print(f"{slug}: {error}", file=sys.stderr)  # noqa: T201  a command's output
    pipeline.close()
    return not refused


def apply(settings: Settings) -> int:
    """Take a configuration into service over the stored posts; how many documents that published. Raises as ``assemble``."""
    store = open_migrated(settings.database_url)
    _refuse_lost_topics(settings, store)
    sorting = Sorting(settings, store)
    sorting.align(now())
    sorting.release(now())
    replaced = publish_pending(settings, store, now())
    _tell_caches(settings, store)
    return replaced


def _tell_caches(settings: Settings, store: Store) -> None:
    try:
        purge_pending(settings.purge, store)
    except PurgeError as error:
        log.warning("purge.failed", error=str(error))


def check(settings: Settings) -> None:
    """Compare a configuration that is sound in itself with what was published. Raises SettingsError."""
    store = open_store(settings.database_url)
    try:
        _refuse_lost_topics(settings, store)
    except SQLAlchemyError:
        pass  # there is none yet, or whoever needs it says what is wrong with it
    finally:
        store.close()


def _refuse_lost_topics(settings: Settings, store: Store) -> None:
    """Raise SettingsError, with what to do, for each topic that was published and is in the configuration no more."""
    states = {slug: state for slug, state in store.topics().items() if slug}
    configured = lifecycle.standings(settings.topics, settings.site, now=now())
    standings = lifecycle.settled(configured, {slug: state.remembered for slug, state in states.items()})
    lost = [slug for slug, standing in standings.items() if standing.phase == "lost"]
    if lost:
        advice = (lifecycle.advice(slug, states[slug].title, today=now().date()) for slug in lost)
        raise SettingsError(str(locate()), tuple(Problem("topics", text) for text in advice))


def run_clock(settings: Settings, stop: Notice) -> None:
    """Refresh on schedule until ``stop`` is set."""
    pipeline, fetcher = assemble(settings)
    pipeline.publish()
    clock = Clock(pipeline, fetcher, now=now)
    clock.start()
    threading.Thread(target=keep_purging, args=(settings.purge, pipeline.store, stop), name="purge", daemon=True).start()
    log.info("clock.started", sources=len(settings.sources), topics=len(settings.topics))
    stop.wait()
    clock.stop()


def refresh_all(settings: Settings, sources: Sequence[str]) -> list[Outcome]:
    """Refresh sources (none named: all), showing progress; the outcomes that failed."""
    pipeline, _ = assemble(settings)
    names = list(sources) or [source.id for source in settings.sources]
    console = Console(stderr=True)
    with _progress(console) as progress:
        try:
            outcomes = _refresh(pipeline, names, progress)
        except KeyboardInterrupt:  # not waiting for what is under way: the store bears its end at any instant
            progress.stop()
            os._exit(_INTERRUPTED)
    pipeline.publish()
    _tell_caches(settings, pipeline.store)
    return [outcome for outcome in outcomes if outcome.error is not None]


def _refresh(pipeline: Pipeline, names: Sequence[str], progress: Progress) -> list[Outcome]:
    task = progress.add_task("refreshing", total=len(names))
    pool = ThreadPoolExecutor(_AT_ONCE)
    outcomes = []
    for done in as_completed([pool.submit(pipeline.refresh, name) for name in names]):
        outcomes.append(done.result())
        progress.advance(task)
        progress.console.print(_line(outcomes[-1]), highlight=False, markup=False, soft_wrap=True)
    return outcomes


def print_topics(settings: Settings) -> None:
    """A table of the topics with their posts and feeds, on standard output."""
    report.topics(settings, open_migrated(settings.database_url))


def print_suggestions(settings: Settings, *, as_json: bool) -> None:
    """The topics that unclaimed posts and tags call for, on standard output."""
    report.suggestions(settings, open_migrated(settings.database_url), as_json=as_json)


def try_source(settings: Settings, source_id: str) -> None:
    """Print what a source gives now, storing nothing. Raises FetchError or ParseError."""
    source = next(source for source in settings.sources if source.id == source_id)
    with tempfile.TemporaryDirectory(prefix="topicfeeds-try-") as folder:
        pipeline, _ = assemble(settings.model_copy(update={"data": Path(folder), "database": ""}))
        if source.kind == "listing":
            report.listed(source, pipeline.look_closely(source))
        else:
            report.tried(source, pipeline.look(source))
        pipeline.close()


def show_sources(settings: Settings) -> None:
    """Print every source with its state, and the items set aside."""
    report.sources(settings, open_migrated(settings.database_url))


def explain_id(settings: Settings, name: str) -> bool:
    """Print the history of the post that a URL, guid or id names; whether there is one."""
    return report.history(open_migrated(settings.database_url), name)


def discover(url: str, *, output: Path, yes: bool, force: bool) -> None:
    """Look at a site and write a configuration for it. Raises InitError."""
    with tempfile.TemporaryDirectory(prefix="topicfeeds-init-") as folder:
        address = address_of(url)
        fetcher = Fetcher(Fetching(), cache=Path(folder) / "http-cache.sqlite", own=[address])
        init(address, output=output, yes=yes, force=force, fetcher=fetcher, console=Console(stderr=True))


def _progress(console: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _line(outcome: Outcome) -> str:
    if outcome.error is not None:
        return f"{outcome.source}: {outcome.result} ({outcome.error.cause}): {outcome.error}"
    pages = f", {outcome.pages} pages read" if outcome.pages else ""
    aside = f", {outcome.set_aside} set aside" if outcome.set_aside else ""
    seconds = outcome.duration.total_seconds()
    return f"{outcome.source}: {outcome.result}; {outcome.new} new, {outcome.changed} changed{aside}{pages} ({seconds:.1f}s)"
