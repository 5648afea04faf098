"""Reads posts that a person judged: JSON lines with a post and the topics that it belongs to (``pos``) and does not (``neg``)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from feeds.errors import TopicfeedsError
from feeds.model import Post
from feeds.topics.evaluation import Label

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class LabelsError(TopicfeedsError):
    """A file of labels cannot be used; the message says where and why."""


def read(file: Path, stored: Callable[[str], Post | None]) -> Iterator[Label]:
    """The labels of a file. A line without a title is the stored post that its ``url`` names. Raises LabelsError."""
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")  # a JSON string may hold other line separators
    except (OSError, UnicodeDecodeError) as error:
        raise LabelsError(f"{file}: cannot be read: {error}") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _label(_whole(json.loads(line)), stored)
            except (ValueError, TypeError, AttributeError, RecursionError) as error:
                raise LabelsError(f"{file}:{number}: is no label: {error}") from None


def _whole(row: Any) -> Any:
    """The value, if it can be written: half a surrogate pair, which JSON can spell, is no character. Raises ValueError."""
    json.dumps(row, ensure_ascii=False).encode()
    return row


def _label(row: Any, stored: Callable[[str], Post | None]) -> Label:
    if not isinstance(row, dict):
        raise TypeError("it must be a JSON object")
    belongs, others = (_words(row, key) for key in ("pos", "neg"))
    if both := sorted(set(belongs) & set(others)):
        raise ValueError(f"{both[0]!r} is both in pos and in neg")
    if row.get("title"):
        return Label(_post(row), frozenset(belongs), frozenset(others))
    post = stored(str(row.get("url") or ""))
    if post is None:
        raise ValueError(f"it has no title, and no stored post has the url {row.get('url')!r}")
    return Label(post, frozenset(belongs), frozenset(others))


def _post(row: dict[str, Any]) -> Post:
    """A post as the line tells it: ``summary`` and ``lead`` are plain text, ``content`` is HTML."""
    content = str(row.get("content") or "") or escape(str(row.get("lead") or ""))
    url = str(row.get("url") or "")
    return Post(
        id=url, source="", url=url, title=str(row["title"]), summary=escape(str(row.get("summary") or "")), content=content,
        authors=(), tags=_words(row, "author_tags"), published=_EPOCH, updated=_EPOCH, first_seen=_EPOCH, published_raw="",
        language=str(row.get("lang") or ""), image="", enclosures=(), digest="",
    )  # fmt: skip


def _words(row: dict[str, Any], key: str) -> tuple[str, ...]:
    words = row.get(key) or ()
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise TypeError(f"{key} must be a list of words")
    return tuple(words)
