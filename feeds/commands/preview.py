"""``topicfeeds preview`` and ``apply``: what a configuration would change for subscribers, and taking it into service."""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
from importlib import import_module
from typing import Any

import click

from feeds.commands import configured, work
from feeds.running import logs
from feeds.running.priority import give_way
from feeds.settings import Settings

CHANGES = 3
"""Exit code of ``preview`` when subscribers would see something."""

_AS_IT_WAS = "nothing published: every feed and page is as it was"
_NO_POSTS = "No posts are stored yet, so this says nothing of entries: `topicfeeds refresh` comes first."


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@configured
def preview(settings: Settings, *, as_json: bool) -> None:
    """Show what subscribers would see if this configuration were taken into service now.

    Feed by feed: entries that appear, come back, vanish or change their id; feeds that are new, renamed, merged, retired or gone.
    Nothing is fetched and nothing is changed. The exit code is 0 if they would see nothing, 3 if they would.
    """
    logs.configure(level=logging.CRITICAL)
    found = import_module("feeds.topics.preview").preview(settings, work().now())
    seen = any(change.is_seen for change in found)
    if as_json:
        click.echo(
            json.dumps({"changes": seen, "feeds": [dataclasses.asdict(change) for change in found]}, ensure_ascii=False, indent=2)
        )
    else:
        click.echo("\n".join(line for change in found for line in _lines(change)) or "Subscribers would see no change.")
        if not import_module("feeds.topics.look").holds_posts(settings):
            click.echo(_NO_POSTS)
    sys.exit(CHANGES if seen else 0)


@click.command()
@configured
def apply(settings: Settings) -> None:
    """Take this configuration into service: sort the stored posts anew and publish, without fetching anything.

    A service that runs does the same when it is told to reload (SIGHUP); until then it goes on by the configuration that it has.
    """
    logs.configure(level=logging.ERROR)
    give_way()
    count = work().apply(settings)
    click.echo(f"{count} documents published: feeds and pages that are new or have changed" if count else _AS_IT_WAS)


def _lines(change: Any) -> list[str]:
    """A change for people: the feed, then what happens to its entries."""
    arrow = f" → {change.leads_to}" if change.leads_to not in ("", change.slug) else ""
    note = "" if change.is_seen else ": downloaded once more, shown as before"
    lines = [f"{change.slug}{arrow}: {change.status}" if change.status != "kept" else f"{change.slug}{note}"]
    lines += [f"  {name}: {before!r} becomes {after!r}" for name, (before, after) in change.words.items()]
    for sign, entries in (("+ appears", change.appear), ("+ comes back", change.resurface), ("- vanishes", change.vanish),
                          ("~ changes", change.changed)):  # fmt: skip
        lines += [f"  {sign:12}  {entry.title}  {entry.link}" for entry in entries]
    lines += [f"  ! new id      {new.title}  {old.id} becomes {new.id}" for old, new in change.new_ids]
    return lines
