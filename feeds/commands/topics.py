"""``topicfeeds topics``: what the topics hold, and commands about their rules. Each command imports its work when it runs."""

from __future__ import annotations

import json
import logging
from importlib import import_module
from pathlib import Path

import click

from feeds.commands import config_option, configured, take, unusable, work
from feeds.errors import TopicfeedsError
from feeds.running import logs
from feeds.settings import Settings


@click.group(invoke_without_command=True)
@config_option
@click.pass_context
def topics(context: click.Context, config: Path | None) -> None:
    """List the topics with their posts; with a subcommand, look into their rules."""
    take(config)
    logs.configure(level=logging.ERROR)
    if context.invoked_subcommand is None:
        context.invoke(listing)


@topics.command(name="list")
@configured
def listing(settings: Settings) -> None:
    """List the topics: posts, newest, feeds, the share of posts in none (what ``topicfeeds topics`` alone does)."""
    work().print_topics(settings)


@topics.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, with every suggestion and post.")
@configured
def suggest(settings: Settings, *, as_json: bool) -> None:
    """Suggest topics for posts that are in none, and for authors' tags that no topic has.

    Each is printed as TOML to paste into the configuration, with the posts that it would gather. `topicfeeds preview` then says
    what subscribers would see.
    """
    work().print_suggestions(settings, as_json=as_json)


@topics.command()
@click.argument("labels", type=click.Path(dir_okay=False, path_type=Path), metavar="LABELS.jsonl")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@configured
def evaluate(settings: Settings, labels: Path, *, as_json: bool) -> None:
    """Measure the topics' rules on posts that a person judged.

    A line of LABELS.jsonl is a JSON object: a post (title, summary, lead, content, author_tags, lang; or the url of a stored one),
    the topics that it belongs to (pos) and those that it does not (neg). Prints precision, recall, F1 and counts per topic, and
    every miss.
    """
    try:
        scores, unknown = import_module("feeds.topics.look").measure(settings, labels)
    except TopicfeedsError as error:
        unusable(error)
    if unknown:
        click.echo(f"{labels}: not counted, as there are no such topics: {', '.join(unknown)}", err=True)
    verdicts = import_module("feeds.topics.verdicts")
    if as_json:
        click.echo(json.dumps(verdicts.measured_json(scores), ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(verdicts.measured(scores)))
