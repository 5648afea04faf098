"""Starts each server on the core that it is measured on, and names the paths of its feeds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.serving.content import COMBINATION, FEEDS, MISS, Content
from tests.conftest import environment, find_port

PEERS = Path(__file__).parent / "peers"
_CORE = "0"
_WEB = [sys.executable, "-m", "feeds", "web"]


@dataclass(frozen=True)
class Server:
    """A server that runs. ``feeds`` are its paths by number of entries."""

    name: str
    port: int
    feeds: Mapping[int, str]
    process: psutil.Process
    miss: str = ""
    combination: str = ""

    def cpu(self) -> float:
        """Seconds of processor time that its processes have used."""
        return sum(self._cpu(process) for process in (self.process, *self.process.children(recursive=True)))

    def memory(self) -> int:
        """Bytes that its processes hold."""
        return sum(process.memory_info().rss for process in (self.process, *self.process.children(recursive=True)))

    @staticmethod
    def _cpu(process: psutil.Process) -> float:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            return times.user + times.system
        return 0.0


@contextmanager
def nginx(content: Content, folder: Path) -> Iterator[Server]:
    """The yardstick: static files and their compressed siblings."""
    root = folder / "static"
    _write_files(content, root)
    with _nginx("nginx static", folder, f"root {root}; location / {{ }}") as server:
        yield server


@contextmanager
def behind_nginx(content: Content, folder: Path) -> Iterator[Server]:
    """The way it is deployed: files in front, topicfeeds for what is none."""
    with wrapper(content, folder) as app:
        proxy = f"location @app {{ proxy_pass http://127.0.0.1:{app.port}; }}"
        inside = f"root {folder / 'static'}; location / {{ try_files $uri @app; }} {proxy}"
        with _nginx("topicfeeds behind nginx", folder, inside) as server:
            yield server


@contextmanager
def wrapper(content: Content, folder: Path) -> Iterator[Server]:
    """Topicfeeds as it is started."""
    with _running("topicfeeds", _WEB, folder, FEEDS, config=content.config, miss=MISS, combination=COMBINATION) as server:
        yield server


@contextmanager
def nginx_beside(server: Server, folder: Path, feed: str) -> Iterator[Server]:
    """The yardstick for a feed of another server's: a copy of what that one serves."""
    root = folder / "copied"
    file = root / feed.lstrip("/")
    file.parent.mkdir(parents=True)
    for name, coding in ((file.name, "identity"), (f"{file.name}.gz", "gzip")):
        url = f"http://127.0.0.1:{server.port}{feed}"
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept-Encoding": coding})) as answer:
            file.with_name(name).write_bytes(answer.read())
    with _nginx("nginx static", folder, f"root {root}; location / {{ }}", feeds={20: feed}) as static:
        yield static


@contextmanager
def web(config: Path, folder: Path, feed: str) -> Iterator[Server]:
    """Topicfeeds over another store than the one that all compare."""
    with _running("topicfeeds", _WEB, folder, {20: feed}, config=config) as server:
        yield server


@contextmanager
def view(content: Content, folder: Path) -> Iterator[Server]:
    """The same application under the same server, without the wrapper."""
    target = "benchmarks.serving.peers.unwrapped:app"
    granian = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--port",
        "{port}",
        "--no-log",
        "--blocking-threads",
        "8",
        target,
    ]
    with _running("topicfeeds, Flask view", granian, folder, FEEDS, config=content.config) as server:
        yield server


def peer(name: str, module: str, path: str) -> Callable[[Content, Path], Iterator[Server]]:
    """A peer under gunicorn with eight threads, and room for a thousand connections that are kept open."""

    @contextmanager
    def start(content: Content, folder: Path) -> Iterator[Server]:  # noqa: ARG001
        bound = ["--worker-connections", "4000", "--backlog", "4096", "--keep-alive", "30", "-b", "127.0.0.1:{port}"]
        gunicorn = [str(peers_python()), "-m", "gunicorn", module, "--chdir", str(PEERS), "--threads", "8", *bound]
        feeds = {count: path.format(count) for count in FEEDS}
        with _running(name, gunicorn, folder, feeds, ENTRIES=str(folder / "entries.json")) as server:
            yield server

    return start


def peers_python() -> Path:
    """The interpreter of the peers' own environment, which is made at the first call."""
    home = Path(__file__).parents[2] / "var" / "peers"
    python = home / "bin" / "python"
    if not (home / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        lock = ["--require-hashes", "-r", str(PEERS / "requirements.lock")]
        subprocess.run([str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install", *lock], check=True)
        (home / "done").touch()
    return python


SERVERS = {
    "nginx": nginx,
    "topicfeeds": wrapper,
    "behind": behind_nginx,
    "view": view,
    "caching": peer("Flask-Caching", "caching:app", "/cached/{}.atom"),
    "django": peer("Django syndication, cached", "django_peer:application", "/feeds/{}.atom"),
    "naive": peer("Flask and feedgen per request", "naive:app", "/feeds/{}.atom"),
}


FAST = ("nginx static", "topicfeeds", "topicfeeds behind nginx", "topicfeeds, Flask view")
"""Names of those that answer more than a few thousand requests per second."""


def _write_files(content: Content, root: Path) -> None:
    for path, publication in content.publications.items():
        if path.startswith("/feeds/") and "/archive/" not in path and "?" not in path:
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(publication.codings["identity"])
            file.with_name(file.name + ".gz").write_bytes(publication.codings["gzip"])


@contextmanager
def _nginx(name: str, folder: Path, inside: str, *, feeds: Mapping[int, str] = FEEDS) -> Iterator[Server]:
    config = folder / f"{name.replace(' ', '-')}.conf"
    config.write_text(
        f"daemon off; worker_processes 1; pid {config}.pid; error_log {config}.log; events {{ worker_connections 20000; }}\n"
        "http { types { application/atom+xml atom; } access_log off; tcp_nopush on; gzip_static on;\n"
        f"keepalive_requests 1000000000; open_file_cache max=1000; server {{ listen 127.0.0.1:PORT backlog=4096; {inside} }} }}\n",
        encoding="utf-8",
    )
    script = f"sed -i s/PORT/{{port}}/ {config}; exec nginx -c {config}"
    with _running(name, ["sh", "-c", script], folder, feeds, miss=MISS) as server:
        yield server


@contextmanager
def _running(
    name: str,
    command: list[str],
    folder: Path,
    feeds: Mapping[int, str],
    *,
    config: Path | None = None,
    miss: str = "",
    combination: str = "",
    **variables: str,
) -> Iterator[Server]:
    port = find_port()
    if config is not None:
        variables |= {"TOPICFEEDS_CONFIG": str(config), "TOPICFEEDS_SERVE__PORT": str(port)}
    pinned = ["taskset", "-c", _CORE, *(part.replace("{port}", str(port)) for part in command)]
    with (folder / "servers.log").open("ab") as log:
        process = psutil.Popen(pinned, cwd=Path(__file__).parents[2], env=environment(**variables), stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}{feeds[20]}", name)
        yield Server(name, port, feeds, process, miss=miss, combination=combination)
    finally:
        for each in (process, *process.children(recursive=True)):  # it would start another for one that dies
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait(10)


def _wait(url: str, name: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).read()  # noqa: S310
        except OSError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not answer {url}: {error}") from error
            time.sleep(0.1)
        else:
            return


def cores() -> str:
    """The core that the load comes from: another one than the servers', where there is one."""
    return "1" if (os.cpu_count() or 1) > 1 else _CORE
