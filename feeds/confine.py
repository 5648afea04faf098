"""Runs the readers where they can be killed: in a child process with a deadline and a memory limit.

What origins send is hostile until read. feedparser never ends on some two megabytes of attributes; here that costs the child, and
the source gets a ParseError. Run as a module (``python -m feeds.confine``) this is the child.
"""

from __future__ import annotations

import contextlib
import pickle
import resource
import selectors
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta, tzinfo
from typing import IO, Any

from feeds.cleaning import clean, clean_draft
from feeds.errors import ParseError
from feeds.model import Document, Draft, Page, Parsed, Source
from feeds.sources import parse
from feeds.sources.listing import Finding, findings
from feeds.sources.page import read_page

_LENGTH = struct.Struct(">Q")
_LARGEST_ANSWER = 256 * 1024 * 1024


class Confined:
    """Readers in child processes, as many as documents are read at once; a child that misbehaves is killed and replaced."""

    def __init__(self, *, deadline: timedelta = timedelta(seconds=60), memory: int = 1024 * 1024 * 1024) -> None:
        """``deadline`` is for one document; ``memory`` in bytes of address space, beyond what the child starts with."""
        self._deadline = deadline
        self._memory = memory
        self._lock = threading.Lock()
        self._idle: list[subprocess.Popen[bytes]] = []
        self._busy: list[subprocess.Popen[bytes]] = []

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
            _kill(child)

    def _call(self, name: str, url: str, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
        try:
            with self._child() as child:
                result = _ask(child, (name, arguments, options), time.monotonic() + self._deadline.total_seconds())
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
    def _child(self) -> Iterator[subprocess.Popen[bytes]]:
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
                _kill(child)

    def _take(self) -> subprocess.Popen[bytes]:
        while self._idle:
            child = self._idle.pop()
            if child.poll() is None:
                return child
            _kill(child)  # somebody else ended it; its pipes are still ours
        command = [sys.executable, "-m", "feeds.confine", str(self._memory)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603  ourselves


def _ask(child: subprocess.Popen[bytes], request: object, deadline: float) -> Any:
    """Send a request and wait for the answer. Raises TimeoutError, or EOFError when the child died."""
    assert child.stdin is not None
    assert child.stdout is not None
    _send(child.stdin, request)
    length = _LENGTH.unpack(_receive(child.stdout, _LENGTH.size, deadline))[0]
    if length > _LARGEST_ANSWER:
        raise EOFError
    return pickle.loads(_receive(child.stdout, length, deadline))  # noqa: S301  our own child


def _receive(stream: IO[bytes], size: int, deadline: float) -> bytes:
    received = bytearray()
    ready = selectors.PollSelector()  # select() knows no file descriptor beyond 1023
    ready.register(stream, selectors.EVENT_READ)
    while len(received) < size:
        if not ready.select(max(deadline - time.monotonic(), 0)):
            raise TimeoutError
        piece = stream.read1(size - len(received))  # type: ignore[attr-defined]  # a pipe is a BufferedReader
        if not piece:
            raise EOFError
        received += piece
    return bytes(received)


def _send(stream: IO[bytes], message: object) -> None:
    data = pickle.dumps(message)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def _kill(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _parse(source: Source, document: Document, *, zone: tzinfo) -> Parsed:
    return clean(parse(source, document, zone=zone), document.url)


def _read_page(document: Document, *, rules: Page, zone: tzinfo) -> Draft:
    return clean_draft(read_page(document, rules=rules, zone=zone), document.url)


_READERS: Mapping[str, Callable[..., object]] = {"parse": _parse, "read_page": _read_page, "findings": findings}


def _serve(memory: int) -> None:
    """The child: answer requests until the parent closes the pipe, which it also does by dying."""
    for number in (signal.SIGINT, signal.SIGUSR1):  # the parent's business; its end is ours
        signal.signal(number, signal.SIG_IGN)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + memory,) * 2)
    while header := requests.read(_LENGTH.size):
        name, arguments, options = pickle.loads(requests.read(_LENGTH.unpack(header)[0]))  # noqa: S301  our own parent
        try:
            result = _READERS[name](*arguments, **options)
        except Exception as error:  # noqa: BLE001  the parent decides what it means
            result = error
        _send(answers, result)


def _address_space() -> int:
    """The bytes of address space that this process has now; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as statm:  # noqa: PTH123
            return int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
