"""Finds the topics' regular expressions in a text, all at once and in time linear in the text (RE2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import re2

from feeds.terms import pattern_options
from feeds.topics.classify.phrases import Find, Goal

_TOGETHER = 100
"""How many patterns are looked for in one reading of a text; thousands at once take more memory than RE2 is given."""


class Patterns:
    """The patterns of all topics; letters match in either case."""

    def __init__(self, patterns: Sequence[tuple[str, Goal]]) -> None:
        self._goals = [goal for _, goal in patterns]
        self._each = [re2.compile(pattern, pattern_options()) for pattern, _ in patterns]
        numbered = [(number, pattern) for number, (pattern, _) in enumerate(patterns)]
        self._groups = [_Group(numbered[start : start + _TOGETHER]) for start in range(0, len(numbered), _TOGETHER)]

    def find(self, text: str) -> Iterator[tuple[list[Goal], Find]]:
        """The patterns that a text holds, each once. A match of nothing is none."""
        for group in self._groups:
            for number in group.candidates(text):
                words = [match[0] for match in self._each[number].finditer(text) if match[0]]
                if words:
                    yield [self._goals[number]], Find(len(words), words[0], words[0] == text)


class _Group:
    """Some of the patterns, by their numbers.

    The last of the set is the empty pattern, which every text holds: where it is missing, RE2 ran out of memory without a word.
    """

    def __init__(self, patterns: Sequence[tuple[int, str]]) -> None:
        self._numbers = [number for number, _ in patterns]
        self._set: re2.Set | None = re2.Set.SearchSet(pattern_options())
        for _, pattern in patterns:
            self._set.Add(pattern)
        self._set.Add("")
        try:
            self._set.Compile()
        except re2.error:
            self._set = None  # too large together

    def candidates(self, text: str) -> Sequence[int]:
        """The numbers of the patterns that a text may hold, in order."""
        found = sorted(self._set.Match(text) or ()) if self._set is not None else []
        if not found or found[-1] != len(self._numbers):
            return self._numbers
        return [self._numbers[index] for index in found[:-1]]
