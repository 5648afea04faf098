"""Runs the readers where they can be killed: in a child process with a deadline and a memory limit.

What origins send is hostile until read. feedparser never ends on some two megabytes of attributes; here that costs the child, and
the source gets a ParseError. Run as a module (``python -m feeds.asking.confine``) this is the child.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta, tzinfo
from typing import Any

from feeds.asking.cleaning import clean, clean_draft
from feeds.errors import ParseError
from feeds.model import Document, Draft, Page, Parsed, Source
from feeds.running.child import Child, answer_parent, ignore_signals
from feeds.sources import parse
from feeds.sources.listing import Finding, findings
from feeds.sources.page import read_page


class Confined:
    """Readers in child processes, as many as documents are read at once; a child that misbehaves is killed and replaced."""

    def __init__(self, *, deadline: timedelta = timedelta(seconds=60), memory: int = 1024 * 1024 * 1024) -> None:
        """``deadline`` is for one document; ``memory`` in bytes of address space, beyond what the child starts with."""
        self._deadline = deadline
        self._memory = memory
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._busy: list[Child] = []

    def parse(self, source: Source, document: Document, *, zone: tzinfo) -> Parsed:
        """``feeds.sources.parse``, confined, with harmless HTML. Raises ParseError, also when it takes too long or too much."""
        answer: Parsed = self._call("parse", document.url, (source, document), {"zone": zone})
        return answer

    def read_page(self, document: Document, *, rules: Page, zone: tzinfo) -> Draft:
        """``feeds.sources.page.read_page``, confined, with harmless HTML. Raises ParseError when it takes too long or too much."""
        answer: Draft = self._call("read_page", document.url, (document,), {"rules": rules, "zone": zone})
        return answer

    def findings(self, source: Source, document: Document, *, zone: tzinfo) -> tuple[Finding, ...]:
        """``feeds.sources.listing.findings``, confined. Raises ParseError, also when it takes too long or too much."""
        answer: tuple[Finding, ...] = self._call("findings", document.url, (document, source, zone), {})
        return answer

    def close(self) -> None:
        """End all children."""
        with self._lock:
            children = [*self._idle, *self._busy]
            self._idle.clear()
            self._busy.clear()
        for child in children:
            child.kill()

    def _call(self, name: str, url: str, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
        try:
            with self._child() as child:
                result = child.ask((name, arguments, options), within=self._deadline)
                if isinstance(result, MemoryError | RecursionError):
                    raise EOFError  # noqa: TRY004, TRY301  what is left of that child is not to be trusted
        except TimeoutError:
            raise ParseError(url, f"takes longer than {self._deadline.total_seconds():g}s to read") from None
        except (EOFError, OSError):
            raise ParseError(url, "takes more memory to read than it may have, or is nested too deep") from None
        if isinstance(result, ParseError):
            raise result
        if isinstance(result, Exception):
            raise ParseError(url, f"cannot be read: {result!r}")
        return result

    @contextlib.contextmanager
    def _child(self) -> Iterator[Child]:
        """A child that nobody else uses. One that did not end its work is killed."""
        with self._lock:
            child = self._take()
            self._busy.append(child)
        sound = False
        try:
            yield child
            sound = True
        finally:
            with self._lock:
                ours = child in self._busy  # else all of them were ended meanwhile
                if ours:
                    self._busy.remove(child)
                if ours and sound:
                    self._idle.append(child)
            if not sound:
                child.kill()

    def _take(self) -> Child:
        while self._idle:
            child = self._idle.pop()
            if child.alive:
                return child
            child.kill()  # somebody else ended it; its pipes are still ours
        return Child("feeds.asking.confine", str(self._memory))


def _parse(source: Source, document: Document, *, zone: tzinfo) -> Parsed:
    return clean(parse(source, document, zone=zone), document.url)


def _read_page(document: Document, *, rules: Page, zone: tzinfo) -> Draft:
    return clean_draft(read_page(document, rules=rules, zone=zone), document.url)


_READERS: Mapping[str, Callable[..., object]] = {"parse": _parse, "read_page": _read_page, "findings": findings}


def _answer(question: tuple[str, tuple[Any, ...], Mapping[str, Any]]) -> object:
    name, arguments, options = question
    return _READERS[name](*arguments, **options)


def _address_space() -> int:
    """The bytes of address space that this process has now; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as statm:  # noqa: PTH123
            return int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


if __name__ == "__main__":
    ignore_signals(signal.SIGINT, signal.SIGUSR1)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + int(sys.argv[1]),) * 2)
    answer_parent(_answer)
