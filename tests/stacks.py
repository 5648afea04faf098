"""Every way to run the service over the same publications: in this process, under servers, behind nginx, and as files."""

import os
import random
import shutil
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection, RemoteDisconnected
from urllib.parse import unquote

import pytest

from app import create_app
from feeds.settings import load
from tests.conftest import COMMAND, ROOT, TOPICS, find_port, open_pipeline, running, running_origin, sent, topicfeeds, write_config
from tests.fakes import BLOG, NOW, Item, Time, rss

IN_PROCESS = ("wrapped", "bare")
NGINX = pytest.mark.system("nginx-light", program="nginx")
SERVERS = (*IN_PROCESS, "gunicorn", "granian")
WHOLE = (*SERVERS, pytest.param("nginx", marks=NGINX))
"""Those that serve everything: ``nginx`` has the service behind it, for what is no file."""

EVERY = (*WHOLE, pytest.param("files", marks=NGINX))
"""``files`` is nginx alone."""


@dataclass(frozen=True)
class Ways:
    """Where the ways to run the service differ: each field is what the service does."""

    tags: str = "content"
    lenient: bool = True
    if_none_match_alone: bool = True
    if_match_alone: bool = True
    order: tuple[str, ...] = ()
    refused: int = 404


OF_NGINX = Ways(
    tags="file",  # it makes them of time and size, whatever is configured; a file has one only, so the form for browsers has none
    lenient=False,  # it compares tags as they are written: no lost quote, no suffix of a proxy's
    if_none_match_alone=False,  # If-Modified-Since is evaluated as well where If-None-Match matches
    if_match_alone=False,  # likewise If-Unmodified-Since, and what is no date does not hold
    order=("br", "zstd", "gzip", "identity"),  # among codings that a client likes alike: it does not look at sizes
    refused=400,  # paths with NUL or above the root are refused before any configuration counts
)
"""All that nginx cannot do as the service does, and why; docs/export.md tells it to owners."""


class Stack:
    """A way to run the application: ``stack("GET", path, accept_encoding="gzip")`` gives status, headers and body."""

    def __init__(self, send, *, port=0, ways=Ways()):
        self._send = send
        self.port = port
        self.ways = ways

    def __call__(self, method, target, **headers):
        status, answered, body = self._send(method, target, headers)
        if "allow" in answered:
            answered["allow"] = ", ".join(sorted(answered["allow"].replace(" ", "").split(",")))  # a set, in any order
        dull = ("date", "server", "connection", "keep-alive", "transfer-encoding")
        return status, {name: value for name, value in answered.items() if name not in dull}, body

    def get(self, target, **headers):
        return self("GET", target, **headers)


@contextmanager
def open_stack(name, config, folder):
    if name in IN_PROCESS:
        yield Stack(in_process(create_app(load(config, environ={})), wrapped=name == "wrapped"))
    elif name == "files":
        with nginx(config, folder) as port:
            yield over_sockets(port, ways=OF_NGINX)
    elif name == "nginx":
        with (
            service("granian", config, folder) as behind,
            nginx(config, folder, "--upstream", f"http://127.0.0.1:{behind}") as port,
        ):
            yield over_sockets(port, ways=OF_NGINX)
    else:
        with service(name, config, folder) as port:
            yield over_sockets(port)


def over_sockets(port, *, ways=Ways()):
    """Requests over one connection that is kept open: what one answer has too much or too little spoils the next."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)

    def send(method, target, headers):
        try:
            return sent(connection, method, target, headers)
        except (RemoteDisconnected, ConnectionError):  # the server has closed it meanwhile
            connection.close()
            return sent(connection, method, target, headers)

    return Stack(send, port=port, ways=ways)


@contextmanager
def service(name, config, folder):
    """The port of the service under a server."""
    port = find_port()
    gunicorn = [
        sys.executable,
        "-m",
        "gunicorn",
        "app:create_app()",
        "--chdir",
        str(ROOT),
        "-b",
        f"127.0.0.1:{port}",
        "--threads=4",
    ]
    command = gunicorn if name == "gunicorn" else [*COMMAND, "web"]
    with running(command, folder, port=port, TOPICFEEDS_CONFIG=str(config), TOPICFEEDS_SERVE__PORT=str(port)) as process:
        process.answers()
        yield port


@contextmanager
def nginx(config, folder, *options):
    """The port of nginx over an export."""
    port = find_port()
    exported = folder / f"exported-{port}"
    done = topicfeeds("export", str(exported), "-c", str(config), "--listen", f"127.0.0.1:{port}", *options, folder=folder)
    assert done.returncode == 0, done.stderr
    with serving_files(exported, port):
        yield port


@contextmanager
def serving_files(exported, port):
    """nginx over an export, by the configuration that is in it."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    user = "user root;" if os.geteuid() == 0 else ""  # the folders of tests are closed to others
    with running(
        [program, "-p", str(exported), "-c", "nginx.conf", "-g", f"daemon off; {user}"], exported.parent, port=port
    ) as process:
        process.answers("/")
        try:
            yield process
        finally:  # it forgets its environment, and so the mark by which others are found
            process.process.terminate()
            process.process.wait(10)


def in_process(app, *, wrapped):
    if not wrapped:
        app.wsgi_app = app.wsgi_app._application
    client = app.test_client()

    def send(method, target, headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        path, _, query = target.partition("?")
        exactly = {"PATH_INFO": unquote(path, "latin-1"), "QUERY_STRING": query}  # the client would tidy the path up
        response = client.open(method=method, headers=named, environ_overrides=exactly)
        return response.status_code, {name.lower(): value for name, value in response.headers.items()}, response.get_data()

    return send


def some_text(seed):
    """Text that compresses as text does: no two codings of it are of one size."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("aeionrstlmdg", k=chance.randint(2, 9))) for _ in range(400)]
    return "A quorum of nodes. " + " ".join(chance.choices(words, k=700))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The configuration of a service that has published a blog."""
    folder = tmp_path_factory.mktemp("published")
    with running_origin() as origin:
        posts = [Item(f"/blog/{n}/", f"Raft {n}", some_text(n), NOW - timedelta(days=9 + n)) for n in range(9)]
        origin.put("/index.xml", rss("https://blog.example", *BLOG, *posts))
        topics = [{**topic, "revised": topic["slug"] == "distributed-systems"} for topic in TOPICS]
        config = write_config(folder, origin.url, site={"items": 5, "archive_items": 3}, topics=topics)
        pipeline = open_pipeline(load(config, environ={}), Time())
        pipeline.refresh("blog")
        pipeline.store.close()
    return config


@pytest.fixture(scope="module")
def stacks(published):
    """Every stack over the same publications, started when first asked for."""
    with ExitStack() as running_stacks:
        started = {}

        def stack(name):
            if name not in started:
                started[name] = running_stacks.enter_context(open_stack(name, published, published.parent))
            return started[name]

        yield stack
