"""Runs the readers over real files kept outside of this repository, and prints what was met.

``python -m tests.corpus PATH``: PATH holds ``feed-captured/<name>/…`` with ``<name>.facts.jsonl``. Exit code 1 for a missed fact.
"""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from feeds.errors import ParseError
from feeds.intake import Intake, take_in
from feeds.model import Document, Site, Source
from feeds.sources import parse

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SITE = Site(title="Corpus", home="https://corpus.example/", public_url="https://feeds.corpus.example/")
SOURCE = Source(id="corpus", url="https://corpus.example/feed")


def main(corpus: Path) -> int:
    """Check every captured feed against its facts."""
    table = Table("feed", "facts", "posts", "dates", "links", box=None, pad_edge=False)
    missed = checked = 0
    for facts in sorted((corpus / "feed-captured").glob("*.facts.jsonl")):
        folder = facts.with_name(facts.name.removesuffix(".facts.jsonl"))
        for name, wanted, found in _compare(folder, facts):
            checked += 1
            missed += wanted != found
            table.add_row(name, *(_cell(w, f) for w, f in zip(wanted, found, strict=True)))
    if not checked:
        print(f"{corpus}: has no feed-captured/*.facts.jsonl", file=sys.stderr)
        return 2
    Console(width=140).print(table)
    print(f"captured feeds: {checked - missed} of {checked} as their facts say")
    return 1 if missed else 0


def _compare(folder: Path, facts: Path) -> Iterator[tuple[str, tuple[object, ...], tuple[object, ...]]]:
    """Per file its name, what the facts say, and what we found: (is a feed, posts, first dates, first links)."""
    for line in facts.read_text().splitlines():
        fact = json.loads(line)
        readable = fact["n_entries"] is not None
        dates, links = tuple(fact.get("first_dates") or ()), tuple(fact.get("first_links") or ())
        wanted = (readable, fact["n_entries"] or 0, dates, links if all(links) else ())
        try:
            taken = _taken(folder / fact["file"])
        except ParseError:
            yield fact["file"], (readable, 0, (), ()), (False, 0, (), ())
            continue
        posts = [change.post for change in taken.changes]
        found_dates = tuple(f"{post.published:%Y-%m-%dT%H:%M:%SZ}" for post in posts[: len(dates)])
        found_links = tuple(post.url for post in posts[: len(wanted[3])])
        yield fact["file"], wanted, (True, len(posts), found_dates, found_links)


def _taken(file: Path) -> Intake:
    parsed = parse("feed", Document(f"https://corpus.example/{file.name}", file.read_bytes()), zone=UTC)
    return take_in(parsed.drafts, source=SOURCE, site=SITE, now=NOW, ledger={}, stored=lambda _: {}, is_taken=lambda _: False)


def _cell(wanted: object, found: object) -> str:
    shown = len(wanted) if isinstance(wanted, tuple) else wanted
    return f"{shown}" if wanted == found else f"[red]{wanted} ≠ {found}[/red]"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
