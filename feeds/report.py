"""Tells a person at a terminal what is known: of sources, of one source tried out, of the history of an id."""

from __future__ import annotations

import sys
from datetime import datetime

import click
from rich.console import Console
from rich.table import Table

from feeds.gather import Gathered
from feeds.intake import wanted
from feeds.look import keys_of
from feeds.model import Draft, Source
from feeds.settings import Settings
from feeds.store import SourceState, Store


def sources(settings: Settings, store: Store) -> None:
    """A table of the sources: state, cause, next check; then the items that were set aside, each with its reason."""
    states, aside = store.sources(), store.set_aside()
    table = Table(box=None, pad_edge=False)
    for column in ("source", "kind", "state", "posts", "last success", "next check", "cause"):
        table.add_column(column, overflow="fold")
    for source in settings.sources:
        state = states.get(source.id)
        table.add_row(source.id, source.kind, *_state_cells(store, source, state))
    _console().print(table)
    for name, items in aside.items():
        click.echo(f"\n{name}: {len(items)} set aside")
        for item in items:
            click.echo(f"  {item.key}  {item.title}\n      {item.reason}")


def tried(source: Source, gathered: Gathered) -> None:
    """What a source gives, post by post, with what was found in each field."""
    taken = wanted(gathered.drafts, source)
    for draft in taken:
        click.echo("\n".join(_draft_lines(draft)))
    for item in gathered.set_aside:
        click.echo(f"set aside: {item.key}: {item.reason}")
    left = len(gathered.drafts) - len(taken)
    note = f", {left} left out by include and exclude" if left else ""
    click.echo(f"{source.id}: {len(taken)} posts{note}, {len(gathered.set_aside)} set aside; nothing was stored")


def history(store: Store, name: str) -> bool:
    """Which post a URL, guid or id names, and everything that ever tied to it; false when it names none."""
    post, ties, withdrawn = store.history(keys_of(store, name))
    if post is None:
        return False
    click.echo(f"id          {post.id}")
    click.echo(f"title       {post.title}")
    click.echo(f"now at      {post.url}")
    click.echo(f"source      {post.source}, first seen {_moment(post.first_seen)}")
    click.echo(f"published   {_moment(post.published)}" + (f" (written as {post.published_raw!r})" if post.published_raw else ""))
    click.echo(f"updated     {_moment(post.updated)}")
    if withdrawn:
        click.echo(f"withdrawn   {_moment(withdrawn)}; its id stays reserved")
    click.echo("tied to it by")
    for key, since in ties:
        click.echo(f"  {_moment(since)}  {key}")
    return True


def _state_cells(store: Store, source: Source, state: SourceState | None) -> tuple[str, ...]:
    if state is None:
        return ("new", "0", "never", "at the next start", "")
    name = (
        "stopped" if state.stopped else f"failing ({state.failures})" if state.failures else "ok" if state.last_success else "new"
    )
    due = "never" if state.stopped else _moment(state.next_check)
    return (name, str(store.count_of_source(source.id)), _moment(state.last_success), due, state.error)


def _draft_lines(draft: Draft) -> list[str]:
    """The fields of a draft that hold something."""
    text = draft.content or draft.summary
    fields = {
        "url": draft.url,
        "guid": draft.guid,
        "date": _moment(draft.published) if draft.published else f"none (written as {draft.published_raw!r})",
        "tags": ", ".join(draft.tags),
        "author": ", ".join(person.name for person in draft.authors),
        "text": f"{len(text)} characters" + (" of content" if draft.content else " of summary") if text else "",
        "page": "its page is read for the rest" if draft.partial else "",
    }
    return [draft.title or "(no title)", *(f"    {name:7}{value}" for name, value in fields.items() if value)]


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "never"


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 200)
