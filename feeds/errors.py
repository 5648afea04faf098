"""The error tree: what can go wrong, as data that callers can decide on and as one line that a person can act on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from feeds.redaction import redacted


class TopicfeedsError(Exception):
    """Anything that topicfeeds itself reports. ``str()`` is one line: what happened, where, what to do."""


@dataclass(frozen=True)
class Problem:
    """One mistake in a configuration: its key path (``topics.2.slug``) and what to do about it.

    ``name`` is what a person calls the table that it is in, such as a topic's slug, where that has a name.
    """

    where: str
    message: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.where} ({self.name}): {self.message}" if self.name else f"{self.where}: {self.message}"


class SettingsError(TopicfeedsError):
    """The configuration as a whole is unusable; carries every problem that was found in it."""

    def __init__(self, origin: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(redacted("\n".join(f"{origin}: {problem}" for problem in problems)))
        self.origin = origin
        self.problems = problems


class PurgeError(TopicfeedsError):
    """A cache could not be told that a topic changed. No error tells a secret that stands in a URL."""

    def __init__(self, message: str) -> None:
        super().__init__(redacted(message))


class FetchError(TopicfeedsError):
    """A source could not be fetched.

    ``cause`` is a stable word (``status``, ``timeout``, ``too-large``, ``refused``, ``connection``, ``encoding``,
    ``redirects``, ``truncated``, ``robots``, ``busy``) for logs and metrics; ``retry_after`` is what the origin asked for.
    ``postponed``: the host will not have us now (429, 503, its turn does not come), which says nothing of the document.
    No error tells a secret that stands in a URL.
    """

    def __init__(
        self,
        url: str,
        detail: str,
        *,
        cause: str,
        status: int | None = None,
        retry_after: timedelta | None = None,
        permanent: bool = False,
        postponed: bool = False,
    ) -> None:
        super().__init__(redacted(f"{url}: {detail}"))
        self.url = redacted(url)
        self.detail = redacted(detail)
        self.cause = cause
        self.postponed = postponed or cause == "busy" or status in (429, 503)
        self.status = status
        self.retry_after = retry_after
        self.permanent = permanent


class ParseError(TopicfeedsError):
    """What a source answered is not what its kind promises. Nothing of it is used."""

    def __init__(self, url: str, detail: str) -> None:
        super().__init__(redacted(f"{url}: {detail}"))
        self.url = redacted(url)
        self.detail = redacted(detail)
        self.cause = "parse"

    def __reduce__(self) -> tuple[type[ParseError], tuple[str, str]]:
        """Errors cross from the confined reader by their data."""
        return ParseError, (self.url, self.detail)


class GateError(TopicfeedsError):
    """A build was refused before publication; the bytes in service stay.

    ``rule`` names the rule that was broken, ``entries`` the ids of the posts that broke it (empty: the feed as a whole).
    """

    def __init__(self, path: str, rule: str, detail: str, *, entries: tuple[str, ...] = ()) -> None:
        super().__init__(f"{path}: {rule}: {detail}")
        self.path = path
        self.rule = rule
        self.detail = detail
        self.entries = entries


class SelectionError(TopicfeedsError):
    """An address combines topics in a way that selects nothing; ``retired`` are the topics without which it does not."""

    def __init__(self, message: str, *, retired: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.retired = retired


class BusyError(TopicfeedsError):
    """Something cannot be made at this moment, but soon: too much is being made already, or the database is away."""


class StoreError(TopicfeedsError):
    """The database cannot be used: unreachable, not migrated, or newer than this program."""


class ExportError(TopicfeedsError):
    """The files cannot be written: nothing is published yet, or the folder is somebody else's or cannot be written to."""
