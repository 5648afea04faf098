"""Finds the topics' regular expressions in a text, all at once and in time linear in the text (RE2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import re2

from feeds.topics.classify.phrases import Find, Goal


class Patterns:
    """The patterns of all topics; letters match in either case."""

    def __init__(self, patterns: Sequence[tuple[str, Goal]]) -> None:
        options = re2.Options()
        options.case_sensitive = False
        self._goals = [goal for _, goal in patterns]
        self._each = [re2.compile(pattern, options) for pattern, _ in patterns]
        self._all = re2.Set.SearchSet(options)
        for pattern, _ in patterns:
            self._all.Add(pattern)
        if patterns:
            self._all.Compile()

    def find(self, text: str) -> Iterator[tuple[list[Goal], Find]]:
        """The patterns that a text holds, each once. A match of nothing is none."""
        for number in sorted(self._all.Match(text) or ()) if self._goals else ():
            words = [match[0] for match in self._each[number].finditer(text) if match[0]]
            if words:
                yield [self._goals[number]], Find(len(words), words[0], words[0] == text)
