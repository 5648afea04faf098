"""Weighs what a post holds of a topic's words: what each find counts, what keeps a post out, and whether it is enough."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from feeds.model import Evidence, Field, Limit, Rule, Topic, Verdict
from feeds.topics.classify.phrases import Find, Goal

RULES = "5"
"""Version of the rules of judgement: a change of them has every stored post judged anew."""

THRESHOLD = 2.0
"""The score from which on a post belongs to a topic that sets none of its own."""

WEIGHTS: Mapping[Rule, Mapping[Field, float]] = {
    "override": {"tags": 10.0},
    "named": {"tags": 10.0},
    "tags": {"tags": 4.0},
    "title_terms": {"tags": 3.0, "title": 3.0, "headings": 0.5, "summary": 1.5, "lead": 1.5, "body": 0.4},
    "terms": {"tags": 2.0, "title": 2.0, "headings": 0.5, "summary": 1.0, "lead": 1.0, "body": 0.4},
    "hints": {"tags": 1.0, "title": 1.0, "summary": 0.5, "lead": 0.5},
    "code": {"code": 0.5},
    "against": {"tags": -2.0, "title": -2.0, "headings": -0.5, "summary": -1.0, "lead": -1.0},
}
"""What one distinct word of a rule weighs in a field; a pair that is missing weighs nothing."""

CEILINGS: Mapping[Field, float] = {"headings": 0.5, "body": 0.4, "code": 0.5}
"""What a field counts for at the most, however many words it holds."""

HINTS = 1.0
"""What all hints together count for at the most."""

TIMES: Mapping[Field, int] = {"body": 3, "code": 3}
"""How often a word must stand in a field to count there in full; a single mention counts for that part of it."""


_FULL = {(rule, name): weight for rule, fields in WEIGHTS.items() for name, weight in fields.items()}
_MOST: Mapping[str, float] = {"hints": HINTS, **{str(name): ceiling for name, ceiling in CEILINGS.items()}}
_ROUNDING = 0.01


@dataclass(frozen=True, slots=True)
class Hit:
    """A phrase of a topic, found in a field. ``is_part`` says that it is only a part of a tag."""

    goal: Goal
    field: Field
    find: Find
    is_part: bool = False


def may_belong(topic: Topic, hits: Iterable[Hit]) -> bool:
    """Whether the post can belong at all, by a bound on the score from above: most topics are far from it."""
    fields: dict[Field, float] = {}
    for hit in hits:
        rule, name = hit.goal.rule, hit.field
        if rule == "named":
            return True
        if (weight := _FULL.get((rule, name), 0.0)) > 0:
            fields[name] = fields.get(name, 0.0) + weight
    return sum(min(total, CEILINGS.get(name, total)) for name, total in fields.items()) >= topic.threshold - _ROUNDING


def judge(topic: Topic, hits: Iterable[Hit], *, language: str = "") -> Verdict:
    """The verdict on one topic. Each word counts once, where it weighs most."""
    hits = tuple(hits)
    evidence = _weighed(hits)
    limits = tuple(_limits(evidence))
    score = round(sum(item.weight for item in evidence) + sum(limit.counts - limit.sum for limit in limits), 3)
    decided = any(item.rule == "named" for item in evidence)
    vetoes = () if decided else tuple(_vetoes(topic, hits, language))
    kept_out = tuple(_evidence(hit, 0.0) for hit in sorted(_of(hits, "never"), key=_order))
    belongs = decided or (score >= topic.threshold and not vetoes)
    return Verdict(topic.slug, belongs, score, topic.threshold, evidence + kept_out, vetoes, limits)


def _weighed(hits: Sequence[Hit]) -> tuple[Evidence, ...]:
    best: dict[str, Evidence] = {}
    for hit in sorted(hits, key=_order):
        weight = 0.0 if hit.is_part or _is_within(hit, hits) else _weight(hit)
        known = best.get(hit.goal.words)
        if weight and (known is None or abs(weight) > abs(known.weight)):
            best[hit.goal.words] = _evidence(hit, weight)
    return tuple(sorted(best.values(), key=lambda e: (-abs(e.weight), e.field, e.rule, e.words)))


def _is_within(hit: Hit, hits: Sequence[Hit]) -> bool:
    """Whether a word stands in its field only as a part of a longer phrase that counts itself: kernel in "Linux kernel".

    Tags are names, each a field of its own: kernel is no part of another tag.
    """
    weight, words = abs(_weight(hit)), hit.goal.spaced
    return hit.field != "tags" and any(
        other.field == hit.field
        and len(other.goal.words) > len(hit.goal.words)
        and words in other.goal.spaced
        and other.find.times >= hit.find.times
        and abs(_weight(other)) >= weight
        for other in hits
    )


def _weight(hit: Hit) -> float:
    full = _FULL.get((hit.goal.rule, hit.field), 0.0)
    often = TIMES.get(hit.field, 1)
    return round(full * min(hit.find.times, often) / often, 3)


def _limits(evidence: Iterable[Evidence]) -> Iterator[Limit]:
    """What does not count in full. Hints alone say nothing: they add to what else there is."""
    sums: dict[str, float] = {}
    speaks = False
    for item in evidence:
        of: str = "hints" if item.rule == "hints" else item.field
        sums[of] = sums.get(of, 0.0) + item.weight
        speaks = speaks or (item.weight > 0 and item.rule != "hints")
    for of, total in sorted(sums.items()):
        most = _MOST.get(of, total) if speaks or of != "hints" else 0.0
        if total > most:
            yield Limit(of, round(total, 3), most)


def _vetoes(topic: Topic, hits: Sequence[Hit], language: str) -> Iterable[str]:
    if topic.languages and language not in {_base(tag) for tag in topic.languages}:
        yield f"languages: the post is in {language}, the topic takes {', '.join(topic.languages)}"
    for hit in sorted(_of(hits, "never"), key=_order):
        yield f"never: {hit.goal.words} (in the {hit.field})"
    if topic.needs and not any(hit.find.times >= TIMES.get(hit.field, 1) for hit in _of(hits, "needs")):
        yield f"needs: none of {', '.join(topic.needs)} is in the post, or in its body often enough"


def _of(hits: Iterable[Hit], rule: Rule) -> list[Hit]:
    return [hit for hit in hits if hit.goal.rule == rule]


def _order(hit: Hit) -> tuple[str, str, str]:
    return hit.goal.rule, hit.goal.words, hit.field


def _evidence(hit: Hit, weight: float) -> Evidence:
    return Evidence(hit.goal.rule, hit.field, hit.goal.words, weight, hit.find.words, hit.find.times)


def _base(tag: str) -> str:
    return tag.partition("-")[0].lower()


def overridden(verdict: Verdict, *, belongs: bool, by: str) -> Verdict:
    """The verdict as the owner wants it for this one post."""
    said = Evidence("override", "tags", by, 0.0)
    vetoes = () if belongs else (*verdict.vetoes, f"override: {by}")
    return replace(verdict, belongs=belongs, evidence=(said, *verdict.evidence), vetoes=vetoes)
