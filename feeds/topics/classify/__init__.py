"""Sorts posts into topics: which of the owner's words a post holds, where, and whether that is enough.

Pure and deterministic: the same post and configuration give the same verdicts with the same evidence. All words of all topics are
compiled into one trie per language, so that a post is read once however many topics there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from feeds.configuration import Override
from feeds.model import Membership, Post, Rule, Topic, Verdict
from feeds.refreshing.keys import post_key
from feeds.terms import pattern_in
from feeds.topics.classify.fields import fields
from feeds.topics.classify.judge import THRESHOLD, WEIGHTS, Hit, judge, may_belong, overridden
from feeds.topics.classify.patterns import Patterns
from feeds.topics.classify.phrases import Goal, Phrases

__all__ = ["THRESHOLD", "WEIGHTS", "Classifier", "topics_of"]

_NAMES: tuple[Rule, ...] = ("named", "tags")
_ANYWHERE: tuple[Rule, ...] = ("needs", "never")


class Classifier:
    """The topics of a configuration, compiled. Immutable in effect: languages are compiled when first met."""

    def __init__(self, topics: Sequence[Topic], *, language: str, overrides: Iterable[Override] = ()) -> None:
        self._topics = tuple(topics)
        self._language = _base(language) or "en"
        self._overrides: dict[str, list[Override]] = {}
        for override in overrides:
            self._overrides.setdefault(post_key(override.post), []).append(override)
        terms = list(_terms(self._topics))
        self._words = [(words, goal) for words, goal in terms if _pattern(words, goal) is None]
        self._phrases: dict[str, Phrases] = {}
        self._patterns = Patterns([(pattern, goal) for words, goal in terms if (pattern := _pattern(words, goal)) is not None])

    def classify(self, post: Post) -> tuple[Membership, ...]:
        """The topics that a post belongs to, in the order of the configuration."""
        language, found = self._find(post)
        named = self._overrides_of(post)
        numbers = range(len(self._topics)) if named else sorted(n for n, hits in found.items() if may_belong(self._topics[n], hits))
        verdicts = (self._verdict(number, found.get(number, []), language, named) for number in numbers)
        return tuple(Membership(v.topic, v.score, v.evidence) for v in verdicts if v.belongs)

    def explain(self, post: Post) -> tuple[Verdict, ...]:
        """The verdict on every topic, in the order of the configuration."""
        language, found = self._find(post)
        named = self._overrides_of(post)
        return tuple(self._verdict(number, found.get(number, []), language, named) for number in range(len(self._topics)))

    def _verdict(self, number: int, hits: list[Hit], language: str, overrides: Sequence[Override]) -> Verdict:
        verdict = judge(self._topics[number], hits, language=language)
        for override in overrides:
            wanted = override.wants(verdict.topic)
            if wanted is not None:
                verdict = overridden(verdict, belongs=wanted, by=override.post)
        return verdict

    def _overrides_of(self, post: Post) -> list[Override]:
        """What the owner wants of a post: first all of its topics, then single ones, which have the last word."""
        found = {post_key(name): None for name in (post.url, post.id)} if self._overrides else ()
        named = [override for key in found for override in self._overrides.get(key, ())]
        return sorted(named, key=lambda override: override.topics is None)

    def _find(self, post: Post) -> tuple[str, dict[int, list[Hit]]]:
        """The post's language, and per topic what the post holds of its words.

        A tag is a name: a part of it ("Runtime" of "Runtime & Networks") speaks for no topic.
        """
        language = _base(post.language) or self._language
        if language not in self._phrases:
            self._phrases[language] = Phrases(self._words, language)
        found: dict[int, list[Hit]] = {}
        for name, text in fields(post):
            for finder in (self._phrases[language], self._patterns):
                for goals, find in finder.find(text):
                    is_part = name == "tags" and not find.whole
                    for goal in goals:
                        if not is_part or goal.rule in _ANYWHERE:
                            found.setdefault(goal.topic, []).append(Hit(goal, name, find, is_part))
        return language, found


def _base(tag: str) -> str:
    """The language of a tag such as en-CA or en_US; nothing where it is none ("English")."""
    base = tag.replace("_", "-").partition("-")[0].lower()
    return base if base.isascii() and base.isalpha() and len(base) in (2, 3) else ""


def topics_of(memberships: Iterable[Membership]) -> frozenset[str]:
    """The slugs of the topics."""
    return frozenset(membership.topic for membership in memberships)


def _pattern(words: str, goal: Goal) -> str | None:
    """The regular expression that a term is. A name is none: authors do have tags such as ``/r/rust/``."""
    return None if goal.rule in _NAMES else pattern_in(words)


def _terms(topics: Sequence[Topic]) -> Iterator[tuple[str, Goal]]:
    for number, topic in enumerate(topics):
        rules: dict[Rule, tuple[str, ...]] = {
            "named": (topic.slug, topic.title),
            "tags": topic.tags,
            "title_terms": topic.title_terms,
            "terms": topic.terms,
            "hints": topic.hints,
            "code": topic.code,
            "against": topic.against,
            "needs": topic.needs,
            "never": topic.never,
        }
        for rule, phrases in rules.items():
            for phrase in dict.fromkeys(phrases):
                yield phrase, Goal(number, rule, phrase)
