"""Finds all phrases of all topics in a text at once. The phrases are compiled into one trie, so a text is read once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from feeds.model import Rule
from feeds.topics.classify.tokens import Reader, path, unpunctuated

_ENDS = (".", "!", "?")
_BESIDE = 40
"""How many characters more than the phrase the words in a text can be: endings, a compound, what a code-like word goes on with."""

_WEIGHING = {"title_terms", "terms", "hints", "against"}


@dataclass(frozen=True, slots=True)
class Goal:
    """What a phrase stands for: the topic's number, the rule's list, the words as the owner wrote them."""

    topic: int
    rule: Rule
    words: str
    spaced: str = field(init=False, compare=False)
    """The words between spaces, so that it can be seen whether one phrase stands within another."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "spaced", f" {self.words.casefold().replace('-', ' ').replace('_', ' ')} ")

    def repeats(self, other: Goal) -> bool:
        """Whether the topic has the same words, but for their endings, in a list that weighs at least as much."""
        return self.topic == other.topic and (self.rule == other.rule or {self.rule, other.rule} <= _WEIGHING)


@dataclass(slots=True, eq=False)
class Node:
    """A step in the trie: what may follow, and what is complete here."""

    following: dict[str, Node] = field(default_factory=dict)
    goals: list[Goal] = field(default_factory=list)


@dataclass(slots=True)
class Find:
    """A phrase that a text holds: how often, and as which words first. ``whole`` says that once it was all of the text."""

    times: int
    words: str
    whole: bool


def _told(words: str, phrase: str) -> str:
    """The words that were found, or the phrase itself where they stand in a text without spaces."""
    bare = unpunctuated(words)
    return bare if len(bare) <= len(phrase) + _BESIDE else phrase


class Phrases:
    """The phrases of all topics in one language."""

    def __init__(self, phrases: Iterable[tuple[str, Goal]], language: str) -> None:
        self._root = Node()
        vocabulary: set[str] = set()
        for phrase, goal in phrases:
            node = self._root
            for step in path(phrase, language):
                vocabulary.add(step)
                node = node.following.setdefault(step, Node())
            if node is not self._root and not any(goal.repeats(other) for other in node.goals):
                node.goals.append(goal)
        self._reader = Reader(vocabulary, language)

    def find(self, text: str) -> Iterator[tuple[list[Goal], Find]]:
        """The phrases that a text holds, each once."""
        chunks = text.split()
        steps: list[tuple[tuple[str, int], ...]] = []
        begins: list[int] = []
        for chunk, following in zip_longest(chunks, chunks[1:], fillvalue=""):
            begins.append(len(steps))
            steps.extend(self._reader.steps(chunk))
            if chunk.endswith(_ENDS) and following[:1].isupper():
                steps.append(())  # no phrase goes on in another sentence
        found: dict[Node, Find] = {}
        for start, allowed in enumerate(steps):
            if not allowed:
                continue
            for node, end in self._walk(steps, start):
                if (find := found.get(node)) is None:
                    first, last = bisect_right(begins, start) - 1, bisect_right(begins, end - 1) - 1
                    words, whole = " ".join(chunks[first : last + 1]), start == 0 and end == len(steps)
                    found[node] = Find(1, words if whole else _told(words, node.goals[0].words), whole)
                else:
                    find.times += 1
        yield from ((node.goals, find) for node, find in found.items())

    def _walk(self, steps: list[tuple[tuple[str, int], ...]], start: int) -> Iterator[tuple[Node, int]]:
        """Every phrase that begins at a position, with the position after its end."""
        open_ends = [(self._root, start)]
        while open_ends:
            node, position = open_ends.pop()
            if position >= len(steps):
                continue
            for step, width in steps[position]:
                if (following := node.following.get(step)) is not None:
                    if following.goals:
                        yield following, min(position + width, len(steps))
                    if following.following:
                        open_ends.append((following, position + width))
