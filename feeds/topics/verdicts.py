"""Tells a person, or a program, why a post is in its topics and how well the rules do: text for a terminal, values for JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from feeds.model import Evidence, Limit, Post, Verdict
from feeds.topics.evaluation import Miss, Score

_SHOWN = 12
NO_TEXT = (
    "no text beyond the summary is stored: headings, lead, body and code were not looked at; "
    "sources.page.content says where the text is on a post's page"
)
"""What is said of a post of which nothing but a summary is known."""


def explained(post: Post, verdicts: Sequence[Verdict], retired: Collection[str] = ()) -> Iterator[str]:
    """Lines of text: every topic with its verdict and evidence, the topics that the post is in first, then the nearest misses.

    ``retired`` are the topics that are closing or closed.
    """
    yield f"{post.title}"
    yield f"{post.url}"
    if not post.content:
        yield NO_TEXT
    near = nearest(verdicts)
    for verdict in sorted(verdicts, key=lambda verdict: (not verdict.belongs, -_share(verdict))):
        yield ""
        mark = "in" if verdict.belongs else "not in"
        note = "  (the nearest miss)" if near is not None and verdict.topic == near.topic else ""
        name = f"{verdict.topic} (retired)" if verdict.topic in retired else verdict.topic
        yield f"{mark} {name}: {verdict.score:g} of {verdict.threshold:g}{note}"
        yield from (f"  {'kept out':>8}  {veto}" for veto in verdict.vetoes)
        told = [item for item in verdict.evidence if item.rule != "never" or not verdict.vetoes]  # which name it
        yield from (_line(item) for item in told[:_SHOWN])
        if rest := told[_SHOWN:]:
            yield f"  {sum(item.weight for item in rest):+8.3g}  {len(rest)} more"
        yield from (_limit(limit) for limit in verdict.limits)


def explained_json(post: Post, verdicts: Sequence[Verdict], retired: Collection[str] = ()) -> dict[str, Any]:
    """The same as one object; ``has_text`` says whether more of the post is stored than its summary."""
    near = nearest(verdicts)
    told = {"id": post.id, "url": post.url, "title": post.title, "tags": list(post.tags), "language": post.language}
    return {
        "post": told | {"has_text": bool(post.content)},
        "topics": [asdict(verdict) | {"retired": verdict.topic in retired} for verdict in verdicts],
        "nearest_miss": near.topic if near is not None else None,
    }


def nearest(verdicts: Sequence[Verdict]) -> Verdict | None:
    """Of the topics that a post is not in, the one that it came closest to; None where nothing speaks for any."""
    out = [verdict for verdict in verdicts if not verdict.belongs and verdict.score > 0]
    return max(out, key=_share, default=None)


def measured(scores: Sequence[Score]) -> Iterator[str]:
    """Lines of text: a table of the topics, then every miss."""
    yield f"{'topic':24} {'precision':>9} {'recall':>7} {'F1':>6} {'right':>6} {'wrong':>6} {'missed':>6} {'rest':>6}"
    for score in scores:
        shares = (f"{_percent(share):>{width}}" for share, width in ((score.precision, 9), (score.recall, 7), (score.f1, 6)))
        counts = f"{score.found:6} {len(score.wrong):6} {len(score.missed):6} {score.left:6}"
        yield f"{score.topic:24} {' '.join(shares)} {counts}"
    for score in scores:
        for what, misses in (("wrongly in", score.wrong), ("missing from", score.missed)):
            if misses:
                yield f"\n{what} {score.topic}"
                yield from (_miss(miss) for miss in misses)


def measured_json(scores: Sequence[Score]) -> dict[str, Any]:
    """The same as one object."""
    return {
        "topics": [
            {
                "topic": score.topic,
                "precision": score.precision,
                "recall": score.recall,
                "f1": score.f1,
                "right": score.found,
                "wrong": [_named(miss) for miss in score.wrong],
                "missed": [_named(miss) for miss in score.missed],
                "rest": score.left,
            }
            for score in scores
        ]
    }


def _line(item: Evidence) -> str:
    said = f' "{item.found}"' if item.found and item.found.casefold() != item.words.casefold() else ""
    times = f", {item.times} times" if item.times > 1 else ""
    return f"  {item.weight:+8.3g}  {item.rule}: {item.words} in the {item.field}{said}{times}"


def _limit(limit: Limit) -> str:
    what = "hints alone count nothing" if not limit.counts else f"{limit.of}: {limit.counts:g} at the most, of {limit.sum:g}"
    return f"  {limit.counts - limit.sum:+8.3g}  {what}"


def _miss(miss: Miss) -> str:
    verdict = miss.verdict
    told = (
        "; ".join(verdict.vetoes) or ", ".join(f"{item.words} {item.weight:+g}" for item in verdict.evidence[:4]) or "nothing found"
    )
    return f"  {verdict.score:g} of {verdict.threshold:g}  {miss.post.title or miss.post.url}  ({told})"


def _named(miss: Miss) -> dict[str, Any]:
    return {"title": miss.post.title, "url": miss.post.url, "score": miss.verdict.score, "vetoes": list(miss.verdict.vetoes)}


def _share(verdict: Verdict) -> float:
    return verdict.score / verdict.threshold


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.3f}"
