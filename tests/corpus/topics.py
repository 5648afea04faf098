"""The default topics against posts that two people judged: with title, summary and lead alone, and with tags and body as well.

The rules are words that people wrote, not weights that were fitted, so a table per blog takes the place of cross-validation: where
a topic does well on one blog and badly on another, its rules know an author and not a subject.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from feeds.settings import bundled, load
from feeds.topics.classify import Classifier
from feeds.topics.evaluation import Label, Miss, Score, evaluate
from feeds.topics.labels import read
from tests.corpus_folder import BLOGS, read_blog

LEAST = 25
"""Topics with fewer posts than this are told by their counts."""

WANTED = {"title, summary, lead": (0.90, 0.85), "with tags and body": (0.92, 0.90)}
"""Least precision and F1 of a topic with enough posts."""


def check(corpus: Path) -> list[tuple[str, int, int, list[str]]]:
    """One row per way of reading: topics that do well enough, of those with enough posts. The tables are printed."""
    file = corpus / "topics_gold.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    if not rows:
        return []
    settings = load(bundled() / "topicfeeds.toml", environ={})
    classifier = Classifier(settings.topics, language=settings.site.language)
    found = []
    for name, labels in (("title, summary, lead", _leads(file)), ("with tags and body", _wholes(corpus, file, rows))):
        scores = evaluate(labels, classifier.explain)
        _print(name, scores, {blog: _of(blog, rows, labels, classifier) for blog in BLOGS})
        judged = [score for score in scores if score.found + len(score.missed) >= LEAST]
        misses = [_miss(score, *WANTED[name]) for score in judged if not _is_met(score, *WANTED[name])]
        found.append((f"topics: {name}", len(judged) - len(misses), len(judged), misses))
    return found


def _leads(file: Path) -> list[Label]:
    """The posts as the labels tell them, less the authors' tags."""
    return [replace(label, post=replace(label.post, tags=())) for label in read(file, lambda _: None)]


def _wholes(corpus: Path, file: Path, rows: Sequence[dict[str, Any]]) -> list[Label]:
    """The posts with their authors' tags, and summary and text from the Markdown files."""
    drafts = {blog: read_blog(corpus / "markdown" / blog, blog) for blog in BLOGS}
    return [
        _whole(label, drafts[row["source"]].get(row["path"])) for label, row in zip(read(file, lambda _: None), rows, strict=True)
    ]


def _whole(label: Label, draft: Any) -> Label:
    return replace(label, post=replace(label.post, summary=draft.summary, content=draft.content)) if draft else label


def _of(blog: str, rows: Sequence[dict[str, Any]], labels: Sequence[Label], classifier: Classifier) -> tuple[Score, ...]:
    return evaluate((label for label, row in zip(labels, rows, strict=True) if row["source"] == blog), classifier.explain)


def _is_met(score: Score, precision: float, f1: float) -> bool:
    return (score.precision or 0) >= precision and (score.f1 or 0) >= f1


def _miss(score: Score, precision: float, f1: float) -> str:
    wrong = ", ".join(_title(miss) for miss in score.wrong)
    missed = ", ".join(_title(miss) for miss in score.missed)
    return f"{score.topic}: P {score.precision}, F1 {score.f1}, wanted {precision} and {f1}; wrongly in: {wrong}; missing: {missed}"


def _title(miss: Miss) -> str:
    return miss.post.title


def _print(name: str, scores: Sequence[Score], blogs: dict[str, tuple[Score, ...]]) -> None:
    print(f"topics, {name}: right/wrong/missed per blog")
    for number, score in enumerate(scores):
        shares = " ".join(f"{label} {share:.3f}" if share is not None else f"{label}   –  " for label, share in _shares(score))
        each = "  ".join(f"{blog} {_counts(found[number])}" for blog, found in blogs.items())
        print(f"  {score.topic:20} {shares}  all {_counts(score)}  {each}")


def _shares(score: Score) -> Iterator[tuple[str, float | None]]:
    yield from (("P", score.precision), ("R", score.recall), ("F1", score.f1))


def _counts(score: Score) -> str:
    return f"{score.found}/{len(score.wrong)}/{len(score.missed)}"
