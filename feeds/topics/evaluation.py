"""Measures classification against posts that a person judged: precision, recall and F1 per topic, with every miss. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from feeds.model import Post, Verdict


@dataclass(frozen=True, slots=True)
class Label:
    """A post with a person's judgement: the topics that it belongs to, and those that it does not; others are undecided."""

    post: Post
    belongs: frozenset[str]
    not_: frozenset[str]


@dataclass(frozen=True, slots=True)
class Miss:
    """A post on which rules and person differ; the verdict says why the rules judge as they do."""

    post: Post
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Score:
    """How well the rules of one topic do: posts rightly in, wrongly in, wrongly out, rightly out."""

    topic: str
    found: int
    wrong: tuple[Miss, ...]
    missed: tuple[Miss, ...]
    left: int

    @property
    def precision(self) -> float | None:
        """Share of the posts in the topic that belong there; None where there are none."""
        return _share(self.found, self.found + len(self.wrong))

    @property
    def recall(self) -> float | None:
        """Share of the posts that belong in the topic which are there; None where there are none."""
        return _share(self.found, self.found + len(self.missed))

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None where nothing was and nothing ought to be found."""
        return _share(2 * self.found, 2 * self.found + len(self.wrong) + len(self.missed))


def evaluate(labels: Iterable[Label], explain: Callable[[Post], Sequence[Verdict]]) -> tuple[Score, ...]:
    """A score per topic, in the order of the verdicts."""
    kinds: dict[str, dict[tuple[bool, bool], list[Miss]]] = {}
    for label in labels:
        for verdict in explain(label.post):
            kind = kinds.setdefault(verdict.topic, {})
            if verdict.topic in label.belongs | label.not_:
                kind.setdefault((verdict.belongs, verdict.topic in label.belongs), []).append(Miss(label.post, verdict))
    return tuple(_score(topic, kind) for topic, kind in kinds.items())


def _score(topic: str, kind: dict[tuple[bool, bool], list[Miss]]) -> Score:
    wrong, missed = (tuple(kind.get(which, ())) for which in ((True, False), (False, True)))
    return Score(topic, len(kind.get((True, True), ())), wrong, missed, len(kind.get((False, False), ())))


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
