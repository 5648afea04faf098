"""Keeps the processes of ``topicfeeds serve`` alive: starts them, restarts what crashes, ends all of them together.

It does none of the work itself, so that it has nothing to die of.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType

import structlog

log = structlog.get_logger(__name__)

GRACE = 1.0
"""Seconds that children get to end by themselves."""

DRAIN = signal.SIGUSR1
"""Tells a child that it is about to be ended: web workers then say on ``/readyz`` that they want no new requests."""

_DRAINING = 0.3
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_HEALTHY_AFTER = 60.0
_POLL = 0.1


@dataclass
class Child:
    """A process to keep alive: its name in logs and its command line."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = _FIRST_PAUSE
    due: float = field(default=0.0)

    def start(self) -> None:
        """Start it in a process group of its own, so that a Ctrl-C on the terminal reaches the supervisor alone."""
        self.process = subprocess.Popen(self.command, start_new_session=True)  # noqa: S603  our own command line
        self.started = time.monotonic()
        log.info("process.started", process=self.name, pid=self.process.pid)

    def look_after(self, now: float) -> None:
        """Restart it after a crash, waiting longer each time that it crashes soon."""
        if self.process is not None:
            if self.process.poll() is None:
                return
            self.pause = _FIRST_PAUSE if now - self.started > _HEALTHY_AFTER else min(self.pause * 2, _LONGEST_PAUSE)
            log.error("process.died", process=self.name, exit=self.process.returncode, restart_in=self.pause)
            _signal_group(self.process.pid, signal.SIGKILL)  # whatever it left behind
            self.process, self.due = None, now + self.pause
        if now >= self.due:
            self.start()


class Supervisor:
    """Runs children until a signal or ``stop``."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._children = children
        self._stop = threading.Event()

    def run(self) -> None:
        """Start the children and look after them; returns once every one of them is gone."""
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            while not self._stop.wait(_POLL):
                for child in self._children:
                    child.look_after(time.monotonic())
        finally:
            self._end_all()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """End ``run`` soon."""
        self._stop.set()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stop()

    def _end_all(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            _signal_group(process.pid, DRAIN)
        time.sleep(_DRAINING)
        for process in running:
            _signal_group(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        for process in running:
            try:
                process.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                log.warning("process.killed", pid=process.pid)
        for process in running:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()


def run(command: Sequence[str]) -> int:
    """Run a process to its end; its exit code. An exception, such as that of Ctrl-C, ends it and whatever it started at once."""
    with subprocess.Popen(command, start_new_session=True) as process:  # noqa: S603  our own command line
        try:
            return process.wait()
        finally:
            _signal_group(process.pid, signal.SIGKILL)


def own_command(*arguments: str) -> list[str]:
    """The command line that runs this program again, in the same interpreter."""
    return [sys.executable, "-m", "feeds", *arguments]


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
