"""Cuts text into the steps that phrases are matched by: stems, code-like words as written, prefixes. Knows of no topic.

A chunk is what stands between white space. A position is a plain word within it (a single character of Chinese, Japanese and
Korean), and allows one or more steps: ``=`` a code-like word as written, ``^…*`` a prefix, anything else a stem.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import cache, lru_cache
from itertools import chain

import snowballstemmer

Step = tuple[str, int]
"""What a position allows, and how many positions that spans."""

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+(?:['’][^\W{_CJK}]+)?")
_JOINT = re.compile(r"[-/|–—]")
_POSSESSIVE = re.compile(r"['’]s$")
_RUN = re.compile(rf"[{_CJK}]+|[^{_CJK}]+")
_TRIM = "\"'`“”‘’«»()[]{},;:!?…。、，！？：；（）「」『』《》〈〉【】・"
_SIGIL = re.compile(r"^[&*~]+(?=\w)")
_EMPHASIS = re.compile(r"(?<=\w)[*~]+$")
_HEAD = re.compile(r"[.:<\[({]|(?<=[+#])\d")
"""Where a code-like word may go on after a name that stands by itself: ``sync.Pool`` in sync.Pool[T], ``c++`` in C++17."""

_KEPT = 1 << 16
_LONGEST_KEPT = 64
_STEMMERS = {
    "da": "danish", "de": "german", "en": "english", "es": "spanish", "fi": "finnish", "fr": "french", "hu": "hungarian",
    "it": "italian", "nl": "dutch", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sv": "swedish", "tr": "turkish",
}  # fmt: skip


class Reader:
    """Reads text as steps, in one language and for a given vocabulary: a step that begins or continues no phrase is left out."""

    def __init__(self, vocabulary: Collection[str], language: str) -> None:
        self._vocabulary = frozenset(vocabulary)
        self._prefixes = tuple(sorted({len(step) - 2 for step in self._vocabulary if step[:1] == "^" and step[-1] == "*"}))
        self._language = language
        self._read: dict[str, tuple[tuple[Step, ...], ...]] = {}

    def steps(self, chunk: str) -> tuple[tuple[Step, ...], ...]:
        """Per position of a chunk, the steps that it allows."""
        found = self._read.get(chunk)
        if found is None:
            allowed = (_steps(run, self._language, self._prefixes) for run in _runs(chunk))
            found = tuple(self._known(steps) for steps in chain.from_iterable(allowed))
            if len(chunk) <= _LONGEST_KEPT:
                if len(self._read) >= _KEPT:
                    self._read.clear()
                self._read[chunk] = found
        return found

    def _known(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(step for step in steps if step[0] in self._vocabulary)


def path(phrase: str, language: str) -> Iterator[str]:
    """The steps of a phrase as the owner wrote it."""
    for run in chain.from_iterable(map(_runs, phrase.split())):
        word = _trimmed(run)
        if word.endswith("*") and len(word) > 1:
            yield f"^{word[:-1]}*"
        elif word == "*":  # after a character of a script without spaces, whose words go on as they like
            continue
        elif _is_code(word):
            yield f"={word}"
        else:
            yield from (stem(token, language) for token in _words(word))


@lru_cache(maxsize=_KEPT)
def stem(word: str, language: str) -> str:
    """A word without its endings, by the language's Snowball stemmer; as it is where there is none."""
    stemmer = _stemmer(_STEMMERS.get(language, ""))
    return str(stemmer.stemWord(word)) if stemmer else word


def _runs(chunk: str) -> list[str]:
    """A chunk in one spelling, cut where Chinese, Japanese and Korean, which need no spaces, meet other scripts."""
    return _RUN.findall(chunk.casefold() if chunk.isascii() else unicodedata.normalize("NFKC", chunk).casefold())


def _steps(chunk: str, language: str, prefixes: tuple[int, ...]) -> Iterator[tuple[Step, ...]]:
    word = _EMPHASIS.sub("", _trimmed(chunk))
    parts = [part for part in _JOINT.split(word) if part]
    whole = ((f"={word}", max(sum(len(_words(part)) or 1 for part in parts), 1)),) if _is_code(word) and len(parts) != 1 else ()
    for n, part in enumerate(parts or [word]):
        for m, steps in enumerate(_part_steps(part if len(parts) > 1 else word, language, prefixes)):
            yield (whole + steps) if n == m == 0 else steps


def _part_steps(part: str, language: str, prefixes: tuple[int, ...]) -> Iterator[tuple[Step, ...]]:
    """The same for what stands between two joints of a word: ``io_uring`` and ``based`` of io_uring-based."""
    tokens = _words(part)
    exact = tuple((f"={head}", max(len(_words(head)), 1)) for head in _heads(part) if _is_code(head))
    if not tokens:
        yield from (exact,) if exact else ()
        return
    symbolic = _is_symbolic(part)
    for n, token in enumerate(tokens):
        stems = () if symbolic else ((stem(token, language), 1),)
        yield (exact if n == 0 else ()) + stems + tuple((f"^{token[:length]}*", 1) for length in prefixes if len(token) >= length)


def _heads(part: str) -> Iterator[str]:
    """A word, and what of it may be a name by itself, the longest first."""
    yield part
    for match in reversed(list(_HEAD.finditer(part))):
        yield part[: match.start()]


def _words(chunk: str) -> tuple[str, ...]:
    """The plain words within a chunk: ``memory-model's`` gives memory, model."""
    return tuple(_POSSESSIVE.sub("", token) for token in _TOKEN.findall(chunk))


def unpunctuated(text: str) -> str:
    """A text without the punctuation around it: ``(.NET).`` gives .NET, ``chan<-`` and ``c++`` stay."""
    return text.rstrip(_TRIM + ".").lstrip(_TRIM)


def _trimmed(chunk: str) -> str:
    """A chunk without the punctuation around it and a possessive: ``(sync.Pool's,`` gives sync.Pool, ``.NET).`` gives .NET."""
    return _SIGIL.sub("", _POSSESSIVE.sub("", unpunctuated(chunk)))


def _is_code(word: str) -> bool:
    """Whether a word is matched as written for the signs in it: ``c++``, ``.net``, ``sync.pool``, ``io_uring``, ``chan<-``."""
    inner = word.replace("-", "").replace("'", "").replace("’", "")
    return bool(inner) and not inner.isalnum() and "/" not in inner


def _is_symbolic(word: str) -> bool:
    """Whether the plain word within would mean something else: the C of ``c++`` and C++17, the net of ``.net``."""
    return word.startswith(".") or word.rstrip("0123456789").endswith(("+", "#"))


@cache
def _stemmer(name: str) -> snowballstemmer.stemmer | None:
    return snowballstemmer.stemmer(name) if name else None
