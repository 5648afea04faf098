"""Runs the kind ``folder`` over four real blogs' Markdown kept outside of this repository, and compares every fact.

``python -m tests.corpus_folder PATH``: PATH holds ``markdown/<blog>.jsonl`` beside ``markdown/<blog>/…``. Exit code 1 when a
fact is missed.
"""

import json
import sys
from datetime import UTC
from pathlib import Path
from typing import Any

from feeds.asking.folder import read
from feeds.model import Draft, Source
from feeds.sources import parse
from feeds.sources.dates import parse_date

BLOGS = {
    "goblog": ("_content/blog", "https://go.dev/blog/", "/:filename"),
    "llvm": ("content", "https://blog.llvm.org/", "/:sections/:filename/"),
    "pingcap": ("", "https://www.pingcap.com/", "https://www.pingcap.com/blog/:filename"),
    "skeeto": ("", "https://nullprogram.com/", "/blog/:year/:month/:day/"),
}
"""Blog -> the folder within, the site's URL, the pattern of its posts' URLs; absolute where it outranks the front matter."""


def check(corpus: Path) -> tuple[int, int, list[str]]:
    """Facts met, facts checked, and what was missed; a post's title, day, tags and URL are four facts."""
    met = checked = 0
    misses: list[str] = []
    for blog in BLOGS:
        drafts = read_blog(corpus / "markdown" / blog, blog)
        for line in (corpus / "markdown" / f"{blog}.jsonl").read_text(encoding="utf-8").splitlines():
            fact = json.loads(line)
            wrong = compare(fact, drafts.get(fact["path"]))
            checked += 4
            met += 4 - len(wrong)
            misses += [f"{blog}/{fact['path']}: {miss}" for miss in wrong]
    return met, checked, misses


def read_blog(folder: Path, blog: str) -> dict[str, Draft]:
    """Path within the corpus -> the draft that the file gives."""
    below, url, permalink = BLOGS[blog]
    source = Source(id=blog, kind="folder", url=url, path=str(folder / below), permalink=permalink)
    prefix = f"{below}/" if below else ""
    found = {}
    for document in read(folder / below, max_files=10_000, max_bytes=100_000_000):
        parsed = parse(source, document, zone=UTC)
        for item in parsed.set_aside:
            sys.stderr.write(f"{blog}: {item.key}: {item.reason}\n")
        for draft in parsed.drafts:
            found[prefix + document.url.removeprefix("file:")] = draft
    return found


def compare(fact: dict[str, Any], draft: Draft | None) -> list[str]:
    """What of a fact the draft does not meet. Every tag of the fact must be there; categories may stand beside them."""
    if draft is None:
        return ["no post"] * 4
    wanted = parse_date(_padded(fact["date"]), UTC) if fact["date"] else None
    day, found = (f"{moment:%Y-%m-%d}" if moment else None for moment in (wanted, draft.published))
    pairs = (
        ("title", " ".join(fact["title"].split()), draft.title, " ".join(fact["title"].split()) == draft.title),
        ("day", day, found, day == found),
        ("tags", fact["tags"], draft.tags, set(fact["tags"]) <= set(draft.tags)),
        ("url", fact["url"], draft.url, fact["url"] == draft.url),
    )
    return [f"{name}: {want!r} ≠ {got!r}" for name, want, got, is_met in pairs if not is_met]


def _padded(day: str) -> str:
    return "-".join(part.zfill(2) for part in day.split("-")) if len(day) < 11 else day


def main(corpus: Path) -> int:
    """Print what was met."""
    met, checked, misses = check(corpus)
    sys.stdout.writelines(f"{miss}\n" for miss in misses)
    sys.stdout.write(f"Markdown blogs: {met} of {checked} facts (title, day, tags, URL) met\n")
    return 1 if misses or not checked else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
