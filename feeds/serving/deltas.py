"""Keeps a few earlier editions of each feed, and a bounded number of the deltas that clients asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping

from feeds.serving.delta import Edition, as_answer, base_of, between, is_feed, is_wanted
from feeds.serving.representation import Answer, Representation, matches

REMEMBERED = 3
"""Earlier editions of a feed from which a client is brought up to date."""

_ANSWERS = 128
"""Deltas that are kept."""


class Deltas:
    """Of the feeds of one shelf. ``answer`` may be called by any thread."""

    def __init__(self) -> None:
        self._editions: dict[str, tuple[Edition, ...]] = {}
        self._answers: OrderedDict[tuple[str, str, str], Answer | None] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, path: str, edition: Edition) -> None:
        """Keep an edition that is no longer in service, in the place of the oldest."""
        if is_feed(path):
            self._editions[path] = (edition, *self._editions.get(path, ()))[:REMEMBERED]

    def forget(self, path: str = "") -> None:
        """Let go of what is kept of a path, or of all."""
        if path:
            self._editions.pop(path, None)
        else:
            self._editions = {}

    def answer(self, representation: Representation, request: Mapping[str, str]) -> Answer | None:
        """The delta that a request asks for, by A-IM and If-None-Match; None where the ordinary answer is due."""
        if not is_wanted(request.get("HTTP_A_IM", "")) or request.get("REQUEST_METHOD") != "GET":
            return None
        condition = request.get("HTTP_IF_NONE_MATCH", "")
        base = None if matches(condition, representation.tag) else base_of(condition, self._editions.get(representation.path, ()))
        if base is None or request.get("HTTP_SEC_FETCH_DEST") == "document":
            return None
        key = (representation.path, base.tag, representation.tag)
        with self._lock:
            if key not in self._answers:
                body = between(representation.path, base.body, representation.variants.bodies["identity"])
                self._answers[key] = None if body is None else as_answer(representation, base, body)
                if len(self._answers) > _ANSWERS:
                    self._answers.popitem(last=False)
            self._answers.move_to_end(key)
            return self._answers[key]
