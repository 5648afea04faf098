"""A child process that answers questions over its pipes, for work that must not be done within this process.

Knows how questions and answers travel, and how a child is ended; nothing of what is asked.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import selectors
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import IO, Any

_LENGTH = struct.Struct(">Q")
_LARGEST_ANSWER = 256 * 1024 * 1024


class Child:
    """``python -m module arguments…``, whose main program is ``answer_parent``. For one thread at a time."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603  ourselves

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self._process.poll() is None

    def ask(self, question: object, *, within: timedelta) -> Any:
        """The answer, which is an exception where answering raised one.

        Raises TimeoutError, and EOFError or another OSError when the child died; it is then of no use and must be killed.
        """
        deadline = time.monotonic() + within.total_seconds()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        _send(self._process.stdin, question)
        length = _LENGTH.unpack(_receive(self._process.stdout, _LENGTH.size, deadline))[0]
        if length > _LARGEST_ANSWER:
            raise EOFError
        return pickle.loads(_receive(self._process.stdout, length, deadline))  # noqa: S301  our own child

    def kill(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def answer_parent(answer: Callable[[Any], object]) -> None:
    """The child: answer questions until the parent closes the pipe, which it also does by dying, whatever either is at."""
    while (question := _asked(sys.stdin.buffer)) is not None:
        try:
            result = answer(pickle.loads(question))  # noqa: S301  our own parent
        except Exception as error:  # noqa: BLE001  the parent decides what it means
            result = error
        try:
            _send(sys.stdout.buffer, result)
        except BrokenPipeError:
            os._exit(0)  # nobody is there any more, also for what Python would still flush


def _asked(stream: IO[bytes]) -> bytes | None:
    """The next question; None when there is none, or when the parent died while it wrote one."""
    header = stream.read(_LENGTH.size)
    size = _LENGTH.unpack(header)[0] if len(header) == _LENGTH.size else -1
    question = stream.read(size) if size >= 0 else b""
    return question if len(question) == size else None


def ignore_signals(*numbers: signal.Signals) -> None:
    """Leave signals to the parent, whose end is the child's as well."""
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


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
