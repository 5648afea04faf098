"""Tells a person at a terminal what is known: of sources, topics, topics that suggest themselves, the history of an id."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from feeds.addresses import feed_urls, revised_urls
from feeds.asking.gather import Gathered
from feeds.console.starter import topic_table
from feeds.model import ALL, Draft, Source
from feeds.publishing.publish import every_topic
from feeds.redaction import redacted
from feeds.refreshing.intake import wanted
from feeds.refreshing.pipeline import Listed
from feeds.settings import Settings
from feeds.sources.listing import Finding
from feeds.store import SourceState, Store, TopicCount
from feeds.store.selections import count_unclaimed, newest_with_topics
from feeds.text import excerpt, one_line
from feeds.topics import lifecycle
from feeds.topics.look import keys_of
from feeds.topics.propose import MOST_TOPICS
from feeds.topics.suggest import Known, Suggestion, suggest

_NEWEST = 5000
"""So many posts are looked at for suggestions."""

_SHOWN = 20


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
            click.echo(redacted(f"  {item.key}  {item.title}\n      {item.reason}"))


def topics(settings: Settings, store: Store) -> None:
    """A table of the topics: posts, when the newest was published, feeds; then the share of posts that are in none."""
    counts, states = store.counts(), store.topics()
    table = Table(box=None, pad_edge=False)
    table.add_column("topic", no_wrap=True)
    table.add_column("posts", justify="right")
    table.add_column("newest", no_wrap=True)
    table.add_column("feeds", overflow="fold")
    for topic in every_topic(settings):
        count, phase = counts.get(topic.slug, TopicCount()), states[topic.slug].phase if topic.slug in states else "open"
        where = [*feed_urls(settings.site, topic.slug).values(), *revised_urls(settings.site, topic).values()]
        urls = "" if phase == "gone" else "\n".join(where)
        name = topic.title if phase == "open" else f"{topic.title} ({phase})"
        table.add_row(name, str(count.posts), f"{count.newest:%Y-%m-%d}" if count.newest else "", urls)
    _console().print(table)
    if total := counts[ALL].posts:
        free = count_unclaimed(store)
        click.echo(f"{free} of {total} posts ({100 * free / total:.0f} %) are in no topic")


def suggestions(settings: Settings, store: Store, *, as_json: bool) -> None:
    """Topics that unclaimed posts and tags call for, each as a table to paste with the posts that it would gather."""
    posts = newest_with_topics(store, limit=_NEWEST)
    slugs = {ALL, *store.standings(), *lifecycle.standings(settings.topics, settings.site, now=datetime.now(UTC))}
    known = Known(posts, settings.topics, slugs, settings.site.slugs, settings.site.language)
    found = suggest(known) if posts else ()
    if as_json:
        click.echo(json.dumps([_suggestion_json(suggestion) for suggestion in found], ensure_ascii=False, indent=2))
        return
    free = sum(not within for _, within in posts)
    click.echo(f"# {free} of the newest {len(posts)} posts are in no topic; {len(found)} topics suggest themselves.")
    for suggestion in found[:MOST_TOPICS]:
        click.echo("\n" + "\n".join(_suggestion_lines(suggestion)))
    if len(found) > MOST_TOPICS:
        click.echo(f"\n# {len(found) - MOST_TOPICS} more, which gather fewer of the posts that are in none (--json lists all)")


def _suggestion_lines(suggestion: Suggestion) -> Iterator[str]:
    """A table to paste, the posts as comments before it."""
    posts = sorted(suggestion.posts, key=lambda post: post.id not in suggestion.unclaimed)
    yield f"# {len(posts)} posts, {len(suggestion.unclaimed)} of which (marked *) are in no topic now:"
    for post in posts[:_SHOWN]:
        yield f"#  {'*' if post.id in suggestion.unclaimed else ' '} {one_line(post.title)}  {one_line(post.url)}"
    if len(posts) > _SHOWN:
        yield f"#    and {len(posts) - _SHOWN} more (--json lists all)"
    yield from topic_table(suggestion.topic, remark=suggestion.remark)


def _suggestion_json(suggestion: Suggestion) -> dict[str, Any]:
    listed = [{"id": p.id, "title": p.title, "url": p.url, "unclaimed": p.id in suggestion.unclaimed} for p in suggestion.posts]
    text = "\n".join(topic_table(suggestion.topic, remark=suggestion.remark))
    return {"slug": suggestion.topic.slug, "title": suggestion.topic.title, "toml": text, "posts": listed}


def tried(source: Source, gathered: Gathered) -> None:
    """What a source gives, post by post, with what was found in each field."""
    taken = wanted(gathered.drafts, source)
    for draft in taken:
        click.echo("\n".join(_draft_lines(draft)))
    for item in gathered.set_aside:
        click.echo(redacted(f"set aside: {item.key}: {item.reason}"))
    left = len(gathered.drafts) - len(taken)
    note = f", {left} left out by include and exclude" if left else ""
    click.echo(f"{source.id}: {len(taken)} posts{note}, {len(gathered.set_aside)} set aside; nothing was stored")


def listed(source: Source, page: Listed) -> None:
    """What each selector of a listing found, item by item, and what was made of it."""
    assert source.listing is not None  # else the page could not be read
    click.echo(redacted(page.url))
    for number, finding in enumerate(page.findings, 1):
        click.echo("\n".join(_finding_lines(number, finding, source)))
    taken = [finding for finding in page.findings if _is_wanted(finding, source)]
    aside = sum(bool(finding.reason) for finding in page.findings)
    left = len(page.findings) - len(taken) - aside
    click.echo(f"next page: {redacted(page.next) or 'none'} (listing.next = {_quoted(source.listing.next)})")
    note = f", {left} left out by include and exclude" if left else ""
    click.echo(f"{source.id}: {len(taken)} posts{note}, {aside} set aside; nothing was stored")


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
    return (name, str(store.count_of_source(source.id)), _moment(state.last_success), due, redacted(state.error))


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


def _finding_lines(number: int, finding: Finding, source: Source) -> list[str]:
    """Each selector with the words that it found, and what they were understood as."""
    rules = source.listing
    assert rules is not None
    date = f"{_said(finding.date)} → {_moment(finding.published)} UTC" if finding.published else f"{_said(finding.date)} → no date"
    found = {
        "title": (rules.title or rules.link, _said(finding.title)),
        "link": (rules.link, f"{_said(finding.link)} → {finding.url or 'no URL'}"),
        "date": (rules.date or "time[datetime]", date if finding.date else "nothing"),
        "summary": (rules.summary, _said(one_line(finding.summary))),
    }
    lines = [f"{number:3} {name:8}{_quoted(selector)}: {value}" for name, (selector, value) in found.items()]
    if finding.reason:
        lines.append(f"    set aside: {finding.reason}")
    elif not _is_wanted(finding, source):
        lines.append("    left out by include and exclude")
    return [redacted(line if n == 0 else f"    {line[4:]}") for n, line in enumerate(lines)]


def _is_wanted(finding: Finding, source: Source) -> bool:
    return not finding.reason and bool(wanted([Draft(url=finding.url)], source))


def _said(words: str) -> str:
    return f'"{excerpt(words, 120)}"' if words else "nothing"


def _quoted(selector: str | None) -> str:
    return f"'{selector}'" if selector else "not set"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "never"


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 200)
