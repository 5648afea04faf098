"""``topicfeeds explain``: why a post is in its topics, and why not in the others."""

from __future__ import annotations

import json
import logging
import sys
from importlib import import_module

import click

from feeds.commands import configured
from feeds.running import logs
from feeds.settings import Settings


@click.command()
@click.argument("name", metavar="URL|ID")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@configured
def explain(settings: Settings, name: str, *, as_json: bool) -> None:
    """Show why a post is in its topics, and why not in the others.

    Per topic the verdict, the score against the threshold, every word that was found with its list, field and weight, what keeps
    the post out, and the nearest miss. The stored post is judged by the configuration as it is now.
    """
    logs.configure(level=logging.ERROR)
    look = import_module("feeds.topics.look")
    found = look.explain(settings, name)
    if found is None:
        click.echo(f"nothing is known of {name}; give a post's URL, guid or entry id", err=True)
        sys.exit(1)
    verdicts = import_module("feeds.topics.verdicts")
    if as_json:
        click.echo(json.dumps(verdicts.explained_json(*found), ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(verdicts.explained(*found)))
