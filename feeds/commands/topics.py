"""``topicfeeds topics``: what the topics hold, and commands about their rules. Each command imports its work when it runs."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from feeds import logs
from feeds.commands import config_option, configured, take, work
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
    """List the topics with their posts and feeds (what ``topicfeeds topics`` alone does)."""
    work().print_topics(settings)
