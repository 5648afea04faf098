"""Sorts posts into topics: which of the owner's words a post holds, where, and whether that is enough.

Pure and deterministic. All words of all topics are compiled into one trie per language, so that a post is read once however
many topics there are. Every membership carries its evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Literal

import snowballstemmer

from feeds.model import Evidence, Membership, Post, Topic
from feeds.text import plain

Field = Literal["tags", "title", "summary", "body"]
Rule = Literal["tags", "title_terms", "terms", "needs", "never"]

THRESHOLD = 2.0
"""The score from which on a post belongs to a topic."""

WEIGHTS: Mapping[tuple[Rule, Field], float] = {
    ("tags", "tags"): 4.0,
    ("title_terms", "title"): 3.0,
    ("title_terms", "tags"): 3.0,
    ("title_terms", "summary"): 1.0,
    ("title_terms", "body"): 0.5,
    ("terms", "tags"): 2.0,
    ("terms", "title"): 2.0,
    ("terms", "summary"): 1.0,
    ("terms", "body"): 0.5,
}
"""What one distinct word of a rule weighs in a field; a pair that is missing weighs nothing."""

_BODY_CEILING = 2.0
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+(?:['’][^\W{_CJK}]+)?")
_CHUNK = re.compile(r"\S+")
_JOINT = re.compile(r"[-/–—]")
_TRIM = "\"'`“”‘’«»()[]{},;:!?…"
_STEMMERS = {
    "da": "danish", "de": "german", "en": "english", "es": "spanish", "fi": "finnish", "fr": "french", "hu": "hungarian",
    "it": "italian", "nl": "dutch", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sv": "swedish", "tr": "turkish",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Goal:
    """What a complete path through the trie stands for."""

    topic: int
    rule: Rule
    words: str


@dataclass(slots=True)
class _Node:
    """A step in the trie: what may follow, and what is complete here."""

    following: dict[str, _Node] = field(default_factory=dict)
    goals: list[_Goal] = field(default_factory=list)


class Classifier:
    """The topics of a configuration, compiled. Immutable in effect: languages are compiled when first met."""

    def __init__(self, topics: Sequence[Topic], *, language: str) -> None:
        self._topics = tuple(topics)
        self._language = language
        self._tries: dict[str, tuple[_Node, tuple[int, ...]]] = {}

    def classify(self, post: Post) -> tuple[Membership, ...]:
        """The topics that a post belongs to, in the order of the configuration."""
        language = (post.language or self._language).partition("-")[0].lower()
        found: dict[int, set[tuple[Rule, Field, str]]] = {}
        for name, text in _fields(post):
            for goal in self._find(name, text, language):
                found.setdefault(goal.topic, set()).add((goal.rule, name, goal.words))
        judged = (_judge(self._topics[number], hits) for number, hits in sorted(found.items()))
        return tuple(membership for membership in judged if membership is not None)

    def _find(self, name: Field, text: str, language: str) -> Iterator[_Goal]:
        """What a field holds. A tag is a name: a part of it ("Runtime" of "Runtime & Networks") speaks for no topic."""
        if language not in self._tries:
            self._tries[language] = _compile(self._topics, language)
        root, prefixes = self._tries[language]
        steps = tuple(_steps(text, language, prefixes))
        for start in range(len(steps)):
            for goal, end in _walk(root, steps, start):
                if name != "tags" or (start == 0 and end == len(steps)) or goal.rule in ("needs", "never"):
                    yield goal


def _fields(post: Post) -> Iterator[tuple[Field, str]]:
    for tag in post.tags:
        yield "tags", tag
    yield "title", post.title
    yield "summary", plain(post.summary)
    yield "body", plain(post.content)


def _judge(topic: Topic, hits: set[tuple[Rule, Field, str]]) -> Membership | None:
    """Weigh what was found: each word counts once, where it weighs most; the body as a whole counts up to a ceiling."""
    rules = {rule for rule, _, _ in hits}
    if "never" in rules or (topic.needs and "needs" not in rules):
        return None
    best: dict[tuple[Rule, str], Evidence] = {}
    for rule, name, words in sorted(hits):
        weight = WEIGHTS.get((rule, name), 0.0)
        if weight and weight > getattr(best.get((rule, words)), "weight", 0.0):
            best[rule, words] = Evidence(rule, name, words, weight)
    evidence = tuple(sorted(best.values(), key=lambda e: (-e.weight, e.field, e.words)))
    body = sum(e.weight for e in evidence if e.field == "body")
    score = sum(e.weight for e in evidence if e.field != "body") + min(body, _BODY_CEILING)
    return Membership(topic.slug, round(score, 3), evidence) if score >= THRESHOLD else None


def _compile(topics: Sequence[Topic], language: str) -> tuple[_Node, tuple[int, ...]]:
    """The trie over all words of all topics, and the lengths of the prefixes (``goroutine*``) among them."""
    root, prefixes = _Node(), set()
    for number, topic in enumerate(topics):
        rules: dict[Rule, tuple[str, ...]] = {
            "tags": topic.tags,
            "title_terms": topic.title_terms,
            "terms": topic.terms,
            "needs": topic.needs,
            "never": topic.never,
        }
        for rule, phrases in rules.items():
            for phrase in phrases:
                node = root
                for step in _path(phrase, language):
                    if step.endswith("*") and step.startswith("^"):
                        prefixes.add(len(step) - 2)
                    node = node.following.setdefault(step, _Node())
                if node is not root:
                    node.goals.append(_Goal(number, rule, phrase))
    return root, tuple(sorted(prefixes))


def _path(phrase: str, language: str) -> Iterator[str]:
    """A phrase of the owner as steps: ``=`` an exact code-like token, ``^…*`` a prefix, anything else a stem."""
    for chunk in _CHUNK.findall(phrase.casefold()):
        word = _trimmed(chunk)
        if word.endswith("*") and len(word) > 1:
            yield f"^{word[:-1]}*"
        elif _is_code(word):
            yield f"={word}"
        else:
            yield from (_stem(token, language) for token in _words(word))


def _steps(text: str, language: str, prefixes: tuple[int, ...]) -> Iterator[tuple[tuple[str, int], ...]]:
    """Per position of the text the steps that it allows, each with the number of positions it spans."""
    for chunk in _CHUNK.findall(text.casefold()):
        word = _trimmed(chunk)
        parts = [part for part in _JOINT.split(word) if part]
        whole = ((f"={word}", max(sum(len(_words(part)) or 1 for part in parts), 1)),) if _is_code(word) and len(parts) != 1 else ()
        for n, part in enumerate(parts or [word]):
            for m, steps in enumerate(_part_steps(part if len(parts) > 1 else word, language, prefixes)):
                yield (whole + steps) if n == m == 0 else steps


def _part_steps(part: str, language: str, prefixes: tuple[int, ...]) -> Iterator[tuple[tuple[str, int], ...]]:
    """The same for what stands between two joints of a word: ``io_uring`` and ``based`` of io_uring-based."""
    tokens = _words(part)
    exact = ((f"={part}", max(len(tokens), 1)),) if _is_code(part) else ()
    if not tokens:
        yield from (exact,) if exact else ()
        return
    symbolic = _is_symbolic(part)
    for n, token in enumerate(tokens):
        stem = () if symbolic else ((_stem(token, language), 1),)
        yield (exact if n == 0 else ()) + stem + tuple((f"^{token[:length]}*", 1) for length in prefixes if len(token) >= length)


def _walk(root: _Node, steps: Sequence[tuple[tuple[str, int], ...]], start: int) -> Iterator[tuple[_Goal, int]]:
    """Every phrase that begins at a position, with the position after its end."""
    open_ends = [(root, start)]
    while open_ends:
        node, position = open_ends.pop()
        if position >= len(steps):
            continue
        for step, width in steps[position]:
            if (following := node.following.get(step)) is not None:
                yield from ((goal, position + width) for goal in following.goals)
                open_ends.append((following, position + width))


@lru_cache(maxsize=1 << 16)
def _words(chunk: str) -> tuple[str, ...]:
    """The plain words within a chunk: ``memory-model's`` gives memory, model."""
    return tuple(re.sub(r"['’]s$", "", token) for token in _TOKEN.findall(chunk))


@lru_cache(maxsize=1 << 16)
def _trimmed(chunk: str) -> str:
    """A chunk without the punctuation around it and a possessive: ``(sync.Pool's,`` gives sync.Pool, ``.NET).`` gives .NET."""
    word = chunk.rstrip(_TRIM + ".").lstrip(_TRIM)
    return re.sub(r"['’]s$", "", word)


@lru_cache(maxsize=1 << 16)
def _is_code(word: str) -> bool:
    """Whether a word is matched as written for the signs in it: ``c++``, ``.net``, ``sync.pool``, ``io_uring``, ``chan<-``."""
    inner = word.replace("-", "").replace("'", "").replace("’", "")
    return bool(inner) and not inner.isalnum() and "/" not in inner


def _is_symbolic(word: str) -> bool:
    """Whether the plain word within would mean something else: the C of ``c++``, the net of ``.net``."""
    return word.startswith(".") or word.endswith(("+", "#"))


@lru_cache(maxsize=1 << 16)
def _stem(word: str, language: str) -> str:
    stemmer = _stemmer(_STEMMERS.get(language, ""))
    return str(stemmer.stemWord(word)) if stemmer else word


@cache
def _stemmer(name: str) -> snowballstemmer.stemmer | None:
    return snowballstemmer.stemmer(name) if name else None


def topics_of(memberships: Iterable[Membership]) -> frozenset[str]:
    """The slugs of the topics."""
    return frozenset(membership.topic for membership in memberships)
