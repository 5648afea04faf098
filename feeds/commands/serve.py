"""``topicfeeds serve`` and its parts, ``clock`` and ``web``, and ``topicfeeds demo``, which serves a blog that it brings along."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import click

from feeds.commands import configured, unusable, work
from feeds.operation import Serving
from feeds.running import lifeline, logs
from feeds.running.handover import ANSWERED
from feeds.running.notice import Notice
from feeds.running.priority import give_way
from feeds.running.supervisor import Child, Reload, Supervisor, own_command, run
from feeds.running.terminal import taken_from_make
from feeds.settings import CONFIG_VARIABLE, Settings, bundled, load


@click.command()
@configured
def serve(settings: Settings) -> None:
    """Refresh on schedule and serve the feeds.

    A small supervisor with two children: one refreshes at low priority, the other serves. A child that crashes is restarted; a
    signal ends all of them. The feeds answer at once, with what was published last. SIGHUP makes it read its configuration anew.
    """
    logs.configure()
    _supervise(settings)


@click.command()
@configured
def clock(settings: Settings) -> None:
    """Refresh on schedule, without serving (serve starts this by itself)."""
    logs.configure()
    lifeline.hold()
    give_way()
    stop = Notice()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    work().run_clock(settings, stop)
    logging.shutdown()
    os._exit(0)  # not waiting for the refreshes that are under way: the store bears their end at any instant


@click.command()
@configured
def web(settings: Settings) -> None:
    """Serve what is published, without refreshing (serve starts this by itself)."""
    logs.configure()
    lifeline.hold()
    try:
        import_module("feeds.running.server").run(settings)
    except OSError as error:
        unusable(error)


@click.command()
@click.option("--port", default=8000, show_default=True, help="Port of the feeds, on 127.0.0.1.")
@click.option("--blog-port", default=0, help="Port of the sample blog, on 127.0.0.1.  [default: any that is free]")
@click.option("--once", is_flag=True, help="Refresh and print the table, then end instead of serving.")
def demo(*, port: int, blog_port: int, once: bool) -> None:
    """Try everything on a bundled sample blog.

    Serves the sample blog on a loopback port, refreshes it, prints the topics with their feeds, and keeps serving until Ctrl-C.
    Nothing is kept, and nothing leaves this machine.
    """
    logs.configure(level=logging.WARNING)
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    with taken_from_make(), suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(prefix="topicfeeds-demo-") as folder:
        _demo(port, blog_port, Path(folder), once=once)


def _demo(port: int, blog_port: int, folder: Path, *, once: bool) -> None:
    from feeds.running.sample import SampleBlog

    if not once and not _is_free("127.0.0.1", port):
        unusable(OSError(f"port {port} is taken; choose another with --port"))
    if not _is_free("127.0.0.1", blog_port):
        unusable(OSError(f"port {blog_port} is taken; choose another with --blog-port"))
    blog = SampleBlog(bundled() / "sample-blog", port=blog_port)
    blog.start()
    os.environ.update(_demo_environment(blog.origin, port, folder))
    settings = load()
    click.echo(f"The sample blog is at {blog.origin}/", err=True)
    run(own_command("refresh"))  # in a process of its own, which Ctrl-C ends at once whatever it is at
    work().print_topics(settings)
    if not once:
        click.echo(f"\nServing at http://127.0.0.1:{port}/  (Ctrl-C ends it)")
        _supervise(settings)


def _demo_environment(origin: str, port: int, folder: Path) -> dict[str, str]:
    """The default publication, pointed at the sample blog."""
    import json

    source = {"id": "blog", "kind": "feed", "url": f"{origin}/index.xml", "every": "30s", "enrich": True}
    return {
        CONFIG_VARIABLE: str(bundled() / "topicfeeds.toml"),
        "TOPICFEEDS_SITE__TITLE": "HarrisonSec (sample)",
        "TOPICFEEDS_SITE__AUTHOR": "Robin Vale",
        "TOPICFEEDS_SITE__HOME": f"{origin}/",
        "TOPICFEEDS_SITE__PUBLIC_URL": f"http://127.0.0.1:{port}/",
        "TOPICFEEDS_SOURCES": json.dumps([source]),
        "TOPICFEEDS_FETCH__PACE": "0s",
        "TOPICFEEDS_SERVE__PORT": str(port),
        "TOPICFEEDS_DATA": str(folder),
    }


def _supervise(settings: Settings) -> None:
    """Check what can be checked before anything starts, then run the processes."""
    _require_free(settings.serve)
    work().prepare(settings)
    children = [Child("clock", own_command("clock")), Child("web", own_command("web"), overlaps=True, grace=ANSWERED + 2)]
    at_terminal = sys.stdin is not None and sys.stdin.isatty()  # whose closing is a hang-up as well
    Supervisor(children, reload=None if at_terminal else Reload(own_command("check"), own_command("apply"))).run()


def _require_free(serve: Serving) -> None:
    """End with exit code 2 where another server listens; the socket file of one that died is in nobody's way."""
    if serve.socket is None:
        if not _is_free(serve.host, serve.port):
            unusable(OSError(f"{serve.host}:{serve.port} is taken; choose another with serve.port or TOPICFEEDS_SERVE__PORT"))
        return
    with socket.socket(socket.AF_UNIX) as probe, suppress(FileNotFoundError, ConnectionRefusedError):
        probe.connect(str(serve.socket))
        unusable(OSError(f"{serve.socket} is taken; choose another with serve.socket or TOPICFEEDS_SERVE__SOCKET"))


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
