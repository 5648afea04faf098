"""``topicfeeds export``: the published files in a folder, for a web server."""

from __future__ import annotations

import logging
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click
from sqlalchemy.exc import SQLAlchemyError

from feeds.commands import configured
from feeds.errors import ExportError
from feeds.running import logs
from feeds.running.notice import Notice
from feeds.settings import Settings


def _upstream(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """What nginx calls the server at a URL."""
    parts = urlsplit(value)
    if value and (parts.scheme != "http" or not parts.netloc or parts.path.strip("/") or parts.query):
        raise click.BadParameter("must be an address such as http://127.0.0.1:8000")
    return parts.netloc


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--watch", is_flag=True, help="Keep running, and write whatever comes into service.")
@click.option(
    "--upstream", default="", callback=_upstream, metavar="URL", help="The service behind nginx, for all that is no file."
)
@click.option("--listen", default="8080", show_default=True, help="Where nginx listens: a port, address:port or unix:path.")
@click.option("--root", default="", metavar="PATH", help="Where nginx finds FOLDER, if it runs elsewhere.")
@click.option("--reload", default="", metavar="COMMAND", help="Run when the configuration of nginx has changed.")
@configured
def export(settings: Settings, *, folder: Path, watch: bool, upstream: str, listen: str, root: str, reload: str) -> None:
    """Write everything that is published into FOLDER, for nginx.

    FOLDER/public gets every page, feed and archive document, with .gz, .br and .zst files beside it; FOLDER/nginx.conf serves them
    as the service would. What has not changed is not touched, and what is no longer published is deleted.
    """
    logs.configure(level=logging.INFO if watch else logging.ERROR)
    from feeds.publishing import nginx
    from feeds.publishing.export import FILES, Export
    from feeds.publishing.tree import owned
    from feeds.store import open_store

    server = nginx.Server(listen, str(Path(root or folder.absolute()) / FILES), upstream)
    writer = Export(
        settings, open_store(settings.database_url), folder, server=server, reload=_command(reload), now=lambda: datetime.now(UTC)
    )
    try:
        with owned(folder):
            if watch:
                writer.follow(_until_ended())
            else:
                done = writer.write()
                click.echo(f"{folder}: {done.resources} resources, {done.replaced} written; {done.deleted} files deleted")
    except (ExportError, SQLAlchemyError) as error:
        click.echo(str(getattr(error, "orig", None) or error), err=True)
        sys.exit(1)


def _command(line: str) -> Callable[[], None]:
    def run() -> None:
        if line and (code := subprocess.run(shlex.split(line), check=False).returncode):  # noqa: S603  the owner's own command
            raise ExportError(f"'{line}' ended with {code}; nginx may still serve by the former configuration")

    return run


def _until_ended() -> Notice:
    ended = Notice()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    return ended
