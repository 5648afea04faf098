"""What `topicfeeds init URL` does: surveys the site, lets the owner choose a source, proposes topics, writes the configuration."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import click
from rich.console import Console

from feeds.asking.fetch import Fetcher
from feeds.console.discovery import Survey, Visit, learn, survey
from feeds.console.findings import Finding, zone_of
from feeds.console.starter import Starter, language_of, write_toml
from feeds.errors import FetchError, ParseError, TopicfeedsError
from feeds.redaction import redacted
from feeds.settings import load
from feeds.topics.propose import propose_topics

STDOUT = Path("-")


class InitError(TopicfeedsError):
    """No configuration was written. ``unusable``: the call cannot be carried out as it is, rather than that it failed."""

    def __init__(self, message: str, *, unusable: bool = False) -> None:
        super().__init__(message)
        self.unusable = unusable


def address_of(url: str) -> str:
    """The URL that a person means who leaves out the scheme."""
    return url if "://" in url else f"https://{url}"


def init(
    url: str,
    *,
    output: Path,
    yes: bool,
    force: bool,
    fetcher: Fetcher,
    console: Console,
    pace: timedelta = timedelta(milliseconds=500),
    interactive: bool | None = None,
) -> Starter:
    """Discover the sources of the site at ``url`` and write a configuration to ``output`` (``-``: standard output).

    Asks which source to take where there is a choice and somebody at a terminal, unless ``yes``. Raises InitError when the file
    exists and ``force`` is not given, when the site cannot be reached, and when it has no source.
    """
    if output != STDOUT and output.exists() and not force:
        raise InitError(f"{output} exists and stays as it is; --force overwrites it, --output names another file", unusable=True)
    visit = Visit(fetcher, pace)
    _say(console, f"Looking at {redacted(url)}")
    try:
        found = survey(address_of(url), visit)
    except (FetchError, ParseError) as error:
        raise InitError(f"the site cannot be looked at: {error}") from error
    _show(console, found)
    usable = [finding for finding in found.findings if not finding.error]
    if not usable:
        raise InitError(f"{redacted(url)}: no source was found; if you know one, write topicfeeds.toml by hand")
    chosen = _choose(usable, console, ask=not yes and (sys.stdin.isatty() if interactive is None else interactive), yes=yes)
    starter = _starter(found, chosen, visit, console)
    _write(write_toml(starter), output, force=force)
    if output != STDOUT:
        _say(console, f"Wrote {output}: 1 source, {len(starter.topics)} topics. Read it, then: topicfeeds check")
    return starter


def _starter(found: Survey, chosen: Finding, visit: Visit, console: Console) -> Starter:
    others = [finding for finding in found.findings if finding is not chosen]
    drafts, pages = learn(chosen, others, visit)
    language = language_of(found.home, drafts)
    topics = propose_topics(drafts, language=language)
    for proposal in topics:
        _say(console, f"  topic {proposal.topic.title}: {len(proposal.posts)} posts")
    return Starter(
        home=found.home,
        chosen=chosen,
        others=others,
        drafts=drafts,
        topics=topics,
        zone=zone_of(chosen.posts, language),
        pages=pages,
        remarks=found.remarks,
    )


def _show(console: Console, found: Survey) -> None:
    for number, finding in enumerate(found.findings, 1):
        _say(console, f"  {'-' if finding.error else number} {finding}")
    for remark in found.remarks:
        _say(console, remark)


def _choose(usable: Sequence[Finding], console: Console, *, ask: bool, yes: bool) -> Finding:
    """The owner's choice; the best where nobody is asked. Usable findings come first, so their numbers are as shown."""
    if len(usable) > 1 and ask:
        number = click.prompt("Which source", type=click.IntRange(1, len(usable)), default=1, err=True)
        return usable[number - 1]
    if len(usable) > 1 and not yes:
        _say(console, "Not a terminal: taking the first.")
    return usable[0]


def _write(text: str, output: Path, *, force: bool) -> None:
    """Write the file, once it is known to be sound."""
    with tempfile.TemporaryDirectory(prefix="topicfeeds-init-") as folder:
        draft = Path(folder) / "topicfeeds.toml"
        draft.write_text(text, encoding="utf-8")
        load(draft, environ={})
    if output == STDOUT:
        click.echo(text, nl=False)
        return
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InitError(f"{output} cannot be written: {error.strerror or error}", unusable=True) from error


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
