"""Keeps the processes of ``topicfeeds serve`` alive: starts them, restarts what crashes, ends all of them together.

It does none of the work itself, so that it has nothing to die of.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType

import structlog

from feeds.running.handover import READY
from feeds.running.notice import Notice
from feeds.running.restarts import Restarts

log = structlog.get_logger(__name__)

GRACE = 1.0
"""Seconds that a child gets to end by itself, unless it asks for more."""

_COMES_UP = 30.0
"""Seconds that a successor gets until it answers."""

_FIRST_PAUSE = 0.5
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL = 0.1
_GLANCE = 0.02


@dataclass
class Child:
    """A process to keep alive: its name in logs, its command line, whether a successor may run beside it for a while.

    ``grace``: seconds that it gets to end by itself.
    """

    name: str
    command: Sequence[str]
    overlaps: bool = False
    grace: float = GRACE
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    restarts: Restarts = field(default_factory=lambda: Restarts(shortest=_FIRST_PAUSE))
    due: float = field(default=0.0)
    _ends_by: float | None = None
    _ready: int = -1

    def start(self) -> None:
        """Start it in a process group of its own, so that a Ctrl-C on the terminal reaches the supervisor alone.

        Raises OSError where the system has no room for it.
        """
        self._forget()
        self._ready, theirs = os.pipe()
        environment = {**os.environ, READY: str(theirs)}
        try:
            self.process = subprocess.Popen(self.command, start_new_session=True, env=environment, pass_fds=(theirs,))  # noqa: S603
        finally:
            os.close(theirs)
        self.started = time.monotonic()
        log.info("process.started", process=self.name, pid=self.process.pid)

    def look_after(self, now: float) -> None:
        """Restart it after a crash, waiting longer each time that it crashes soon."""
        if self.process is not None:
            if self.process.poll() is None:
                return
            pause = self.restarts.after(now - self.started)
            log.error("process.died", process=self.name, exit=self.process.returncode, restart_in=pause)
            _signal_group(self.process.pid, signal.SIGKILL)  # whatever it left behind
            self._forget()
            self.due = now + pause
        if now >= self.due:
            try:
                self.start()
            except OSError as error:
                self.due = now + self.restarts.after(0.0)
                log.error("process.not_started", process=self.name, error=str(error))  # noqa: TRY400  the system has no room

    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None

    def has_come_up(self) -> bool:
        """Whether it has said that it answers, or has died."""
        return self.process is None or bool(select.select([self._ready], [], [], 0)[0])

    def change_places(self, other: Child) -> None:
        """Have the process of another child, which has this one's."""
        self.process, other.process = other.process, self.process
        self.started, other.started = other.started, self.started
        self._ready, other._ready = other._ready, self._ready

    def ask_to_end(self) -> None:
        """Ask it to end by itself."""
        if self.process is not None and self._ends_by is None:
            self.process.send_signal(signal.SIGTERM)
            self._ends_by = time.monotonic() + self.grace

    def has_ended(self) -> bool:
        """Whether it is no more; by force, if it was asked to end and took too long."""
        late = self._ends_by is not None and time.monotonic() >= self._ends_by
        if self.process is not None and (late or self.process.poll() is not None):
            if self.process.poll() is None:
                log.warning("process.killed", pid=self.process.pid)
            _signal_group(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self._forget()
        return self.process is None

    def _forget(self) -> None:
        """Have no process."""
        self.process = self._ends_by = None
        if self._ready >= 0:
            os.close(self._ready)
        self._ready = -1


@dataclass(frozen=True)
class Reload:
    """What SIGHUP does: ``check`` says by its exit code whether the configuration is sound, ``apply`` takes it into service."""

    check: Sequence[str]
    apply: Sequence[str]


class Supervisor:
    """Runs children until a signal or ``stop``. Without ``reload``, SIGHUP ends them too."""

    def __init__(self, children: Sequence[Child], *, reload: Reload | None = None) -> None:
        self._children = children
        self._reload = reload
        self._stop = Notice()
        self._hung_up = Notice()
        self._leaving: list[Child] = []

    def run(self) -> None:
        """Start the children and look after them; returns once every one of them is gone. Later signals do nothing."""
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)
        try:
            while not self._stop.wait(_POLL):
                self._look_after(self._children)
                self._leaving = [child for child in self._leaving if not child.has_ended()]
                if self._hung_up.is_set() and self._reload is not None and not self._leaving:
                    self._hung_up.clear()
                    self._take_over(self._reload)
        finally:
            _end([*self._children, *self._leaving])
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_IGN)

    def stop(self) -> None:
        """End ``run`` soon."""
        self._stop.set()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP and self._reload is not None:
            self._hung_up.set()
        else:
            self.stop()

    def _look_after(self, children: Sequence[Child]) -> None:
        for child in children:
            child.look_after(time.monotonic())

    def _take_over(self, reload: Reload) -> None:
        """Go on by the configuration as it is now, if that is sound; else as before.

        What works by the old one is ended before the new one is taken into service, so that nothing of the old comes after it.
        """
        log.info("reload.started")
        if not self._succeeds(reload.check, meanwhile=self._children):
            if not self._stop.is_set():
                log.error("reload.refused", detail="the service goes on by the configuration that it has")
            return
        serving = [child for child in self._children if child.overlaps]
        for child in self._children:
            if not child.overlaps:
                _end([child])
        self._succeeds(reload.apply, meanwhile=serving)
        if all(not self._stop.is_set() and self._replace(child) for child in serving):
            log.info("reload.done")

    def _replace(self, child: Child) -> bool:
        """Start a successor beside a child, whose process ends when the successor answers; it stays if that never comes up."""
        successor = Child(child.name, child.command, grace=child.grace)
        successor.look_after(time.monotonic())
        deadline = time.monotonic() + _COMES_UP
        while not successor.has_come_up() and time.monotonic() < deadline and not self._stop.wait(_POLL):
            child.look_after(time.monotonic())
        if succeeded := successor.has_come_up() and successor.is_alive():
            child.change_places(successor)
        elif not self._stop.is_set():
            log.error("reload.failed", process=child.name, detail="the one that was there goes on")
        successor.ask_to_end()
        self._leaving.append(successor)
        return succeeded

    def _succeeds(self, command: Sequence[str], *, meanwhile: Sequence[Child]) -> bool:
        """Run a command to its end, unless this process is to end before."""
        try:
            process = subprocess.Popen(command, start_new_session=True)  # noqa: S603  our own command line
        except OSError as error:
            log.error("process.not_started", command=command[-1], error=str(error))  # noqa: TRY400  the system has no room
            return False
        while process.poll() is None and not self._stop.wait(_POLL):
            self._look_after(meanwhile)
        if process.poll() is None:
            _signal_group(process.pid, signal.SIGKILL)
        return process.wait() == 0


def _end(children: Sequence[Child]) -> None:
    """Ask all to end, and wait until they have."""
    for child in children:
        child.ask_to_end()
    while children := [child for child in children if not child.has_ended()]:
        time.sleep(_GLANCE)


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
