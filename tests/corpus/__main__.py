"""``python -m tests.corpus PATH``: prints what was met, kind by kind. Exit code 1 when a fact is missed without a written reason.

PATH holds ``feed-captured/``, ``feed-cases/``, ``html-posts/`` …, each corpus a folder beside its ``<name>.facts.jsonl``.
"""

import importlib
import importlib.util
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

KINDS = {
    "captured feeds": "tests.corpus.captured",
    "feedparser's cases": "tests.corpus.feedparser_cases",
    "what could run": "tests.corpus.sanitiser",
    "posts of any Unicode": "tests.corpus.any_unicode",
    "crawlers": "tests.corpus.crawl",
    "other feed cases": "tests.corpus.other_feeds",
    "post pages": "tests.corpus.pages",
    "Markdown folders": "tests.corpus_folder",
    "topics": "tests.corpus.topics",
    "rendered sites": "tests.corpus.sites",
    "faults": "tests.corpus.faults",
}
"""What is checked -> the module whose ``check(corpus)`` yields or returns (met, checked, misses)."""


def main(corpus: Path) -> int:
    """Check every kind that the corpus has, and print the numbers."""
    console = Console(width=160, soft_wrap=True)
    table = Table("kind", "met", "checked", "share", "seconds", box=None, pad_edge=False)
    unexplained: list[str] = []
    total = 0
    for name, module in KINDS.items():
        if importlib.util.find_spec(module) is None:
            continue
        begun = time.monotonic()
        for label, met, checked, misses in _rows(name, importlib.import_module(module).check(corpus)):
            total += checked
            share = f"{met / checked:.1%}" if checked else "–"
            table.add_row(label, str(met), str(checked), share, f"{time.monotonic() - begun:.1f}")
            unexplained += [f"{label}: {miss}" for miss in misses]
    console.print(table)
    for miss in unexplained:
        console.print(miss, markup=False, highlight=False)
    if not total:
        sys.stderr.write(f"{corpus}: holds no corpus that is known here\n")
        return 2
    return 1 if unexplained else 0


def _rows(name: str, answer: object) -> list[tuple[str, int, int, list[str]]]:
    """A module answers with one (met, checked, misses), or with a list of them under labels of their own."""
    if isinstance(answer, tuple):
        met, checked, misses = answer
        return [(name, met, checked, list(misses))]
    return [(label, met, checked, list(misses)) for label, met, checked, misses in answer]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
