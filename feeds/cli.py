"""The command line. Each command reads the configuration and calls what does the work.

Exit codes are 0 for done, 1 for failed, 2 for a configuration or a call that cannot be used.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from feeds import __version__
from feeds.commands import UNUSABLE, configured, work
from feeds.commands.explain import explain
from feeds.commands.export import export
from feeds.commands.preview import apply, preview
from feeds.commands.serve import clock, demo, serve, web
from feeds.commands.topics import topics
from feeds.errors import TopicfeedsError
from feeds.running import logs
from feeds.settings import Settings, locate


def _now() -> datetime:
    """The wall clock, in the whole seconds that feeds are written in."""
    return datetime.now(UTC).replace(microsecond=0)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="topicfeeds")
def main() -> None:
    """Topic feeds for a technical blog.

    topicfeeds watches a blog's sources, sorts its posts into the topics of your configuration, and serves each topic as RSS, Atom
    and JSON Feed. Try it on the bundled sample blog first:

    \b
        topicfeeds demo

    Then write a topicfeeds.toml, and:

    \b
        topicfeeds init URL        look at your site and write a configuration
        topicfeeds check           is the configuration sound?
        topicfeeds refresh         look at every source once, now
        topicfeeds explain URL     why is a post in its topics?
        topicfeeds topics suggest  which topics are missing?
        topicfeeds preview         what would a change mean for subscribers?
        topicfeeds apply           take it into service
        topicfeeds serve           refresh on schedule and serve
        topicfeeds export DIR      write what is published as files
    """  # noqa: D301  the escapes are for click: a paragraph after a backspace is printed as it is


main.add_command(topics)
main.add_command(explain)
main.add_command(export)
main.add_command(preview)
main.add_command(apply)
main.add_command(serve)
main.add_command(clock)
main.add_command(web)
main.add_command(demo)


@main.command()
@configured
def check(settings: Settings) -> None:
    """Say whether the configuration is sound.

    Every mistake is printed with its key path, one per line, and the exit code is 2.
    """
    work().check(settings)
    sources, topics = len(settings.sources), len(settings.topics)
    click.echo(f"{locate()}: sound; {sources} {_plural('source', sources)}, {topics} {_plural('topic', topics)}")


@main.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]…")
@configured
def refresh(settings: Settings, sources: tuple[str, ...]) -> None:
    """Refresh sources now and publish what that changes.

    Names the SOURCEs by their id; without any, all of them. Their schedule is ignored, and starts anew. A source that fails is
    named with its cause and the exit code is 1; the others go on.
    """
    _require_known(settings, sources)
    logs.configure(level=logging.ERROR)  # the outcomes are printed
    sys.exit(1 if work().refresh_all(settings, sources) else 0)


@main.command(name="try")
@click.argument("source")
@configured
def try_source(settings: Settings, source: str) -> None:
    """Print what SOURCE gives now, item by item, without storing anything."""
    _require_known(settings, (source,))
    logs.configure(level=logging.ERROR)
    try:
        work().try_source(settings, source)
    except TopicfeedsError as error:
        click.echo(f"{source}: {error}", err=True)
        sys.exit(1)


@main.command()
@configured
def sources(settings: Settings) -> None:
    """List the sources: state, cause, next check, and the items that were set aside with the reason."""
    logs.configure(level=logging.ERROR)
    work().show_sources(settings)


@main.command()
@click.option("--force", metavar="TOPIC", help="Publish TOPIC although most of its entries would vanish or change their ids.")
@configured
def publish(settings: Settings, force: str | None) -> None:
    """Publish what is pending, without fetching anything.

    A feed that would lose more than half of its entries without proof is kept as it was, and /health says so. If that is what you
    want, --force TOPIC does it. The exit code is 1 while a topic is refused.
    """
    logs.configure()
    sys.exit(0 if work().publish(settings, force or "") else 1)


@main.command(name="explain-id")
@click.argument("name", metavar="URL|GUID|ID")
@configured
def explain_id(settings: Settings, name: str) -> None:
    """Show which post a URL, guid or entry id names, and everything that ever tied to its id."""
    logs.configure(level=logging.ERROR)
    if not work().explain_id(settings, name):
        click.echo(f"nothing is known of {name}", err=True)
        sys.exit(1)


@main.command()
@click.argument("url")
@click.option("--output", "-o", type=click.Path(path_type=Path), default="topicfeeds.toml", show_default=True, help="File, or - .")
@click.option("--yes", "-y", is_flag=True, help="Take the best source without asking.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
def init(*, url: str, output: Path, yes: bool, force: bool) -> None:
    """Look at the site at URL and write a configuration for it.

    Finds the feeds, sitemaps, APIs and listings of the site, shows what each would give, proposes topics from the authors' own
    tags, and writes a commented topicfeeds.toml. A file that exists is not overwritten without --force.
    """
    logs.configure(level=logging.ERROR)
    try:
        work().discover(url, output=output, yes=yes, force=force)
    except TopicfeedsError as error:
        click.echo(str(error), err=True)
        sys.exit(UNUSABLE if getattr(error, "unusable", False) else 1)


def _require_known(settings: Settings, sources: tuple[str, ...]) -> None:
    unknown = sorted(set(sources) - {source.id for source in settings.sources})
    if unknown:
        known = ", ".join(source.id for source in settings.sources)
        click.echo(f"no source is called {', '.join(unknown)}; the configuration has: {known}", err=True)
        sys.exit(UNUSABLE)


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else noun + "s"
