"""Says what a term of a topic is: words, prefixes of words, or between slashes a regular expression (RE2)."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

_MEMORY = 32 << 20
"""Bytes that RE2 may use for what is looked for at once (its own default is 8 MiB)."""


def term(value: str) -> str:
    """The term, where it is one. Raises ValueError for what would match nothing or is no regular expression."""
    if (pattern := pattern_in(value)) is None:
        if lost := [word for word in value.split() if re.fullmatch(r".*\w.*\*", word) and not re.fullmatch(r"\w+\*", word)]:
            raise ValueError(f"{lost[0]!r} matches nothing: a prefix is letters and digits before *; else write a /pattern/")
        return value
    re2 = import_module("re2")  # a configuration without patterns does without it
    try:
        re2.compile(pattern, pattern_options())
    except re2.error as error:
        raise ValueError(f"must hold a regular expression as RE2 knows them between its slashes: {_said(error)}") from None
    return value


def pattern_in(term: str) -> str | None:
    """The regular expression in a term that is written ``/between slashes/``; None where the term is words."""
    return term[1:-1] if len(term) > 2 and term[0] == term[-1] == "/" else None


def pattern_options() -> Any:
    """How RE2 reads and finds patterns: letters match in either case."""
    options = import_module("re2").Options()
    options.case_sensitive = options.log_errors = False
    options.max_mem = _MEMORY
    return options


def _said(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
