"""How processes give way, are told to end, and are started again when they have died."""

import itertools
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from feeds.running import fronts as module
from feeds.running.fronts import Fronts
from feeds.running.handover import DRAINS, Draining
from feeds.running.restarts import Restarts
from feeds.settings import load
from tests.conftest import eventually, write_config

# -- draining ----------------------------------------------------------------------------------------------------------

WAITS = "print(flush=True); time.sleep(60)"
PROCESSES = {
    "drains": f"import time; from feeds.running.handover import drain_when_told; drain_when_told(lambda: None); {WAITS}",
    "knows of nothing yet": f"import time; {WAITS}",
    "does not answer": f"import signal, time; signal.signal(signal.SIGUSR1, signal.SIG_IGN); {WAITS}",
}


@contextmanager
def process(program):
    """A process that has come up, as ``multiprocessing`` would describe it: its id, and a descriptor that tells of its end."""
    sentinel, held = os.pipe()
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, pass_fds=[held]) as started:
        os.close(held)
        started.stdout.readline()
        try:
            yield SimpleNamespace(pid=started.pid, sentinel=sentinel)
        finally:
            started.kill()
            os.close(sentinel)


@pytest.fixture
def draining(monkeypatch):
    monkeypatch.setenv(DRAINS, "")  # to have it back afterwards
    with tempfile.TemporaryDirectory(prefix="t-") as folder, closing(Draining(Path(folder) / "drains")) as draining:
        yield draining


@pytest.mark.parametrize("names", [["drains"], ["drains", "drains", "knows of nothing yet"], ["knows of nothing yet"]])
def test_nobody_is_waited_for_who_drains_or_has_died(draining, names):
    with ExitStack() as stack:
        told = [stack.enter_context(process(PROCESSES[name])) for name in names]
        for _ in range(2):  # a second signal does no harm
            began = time.monotonic()
            draining.tell(told, within=30)
            assert time.monotonic() - began < 15
            told = [each for each, name in zip(told, names, strict=True) if name == "drains"]
            names = ["drains"] * len(told)


def test_who_does_not_answer_is_waited_for_no_longer_than_is_said(draining):
    with process(PROCESSES["does not answer"]) as silent:
        began = time.monotonic()
        draining.tell([silent], within=0.3)
        assert 0.3 <= time.monotonic() - began < 15


# -- starting again ----------------------------------------------------------------------------------------------------


def test_what_dies_again_and_again_is_started_later_each_time_until_it_lived_for_long():
    restarts = Restarts(shortest=0.5)
    assert [restarts.after(lived) for lived in (3, 1, 1)] == [0.5, 1, 2]
    assert max(restarts.after(1) for _ in range(20)) == 30
    assert restarts.after(3600) == 0.5


class Started:
    """In place of a front process: one that does nothing."""

    def __init__(self, *_, **__):
        self.began = time.monotonic()
        self.process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,), daemon=True)
        self.process.start()

    def kill(self):
        self.process.kill()
        self.process.join()


class NeverUp(Started):
    def has_come_up(self, *, within):
        time.sleep(within)
        return False

    def end(self, *, replaced):
        assert replaced
        self.kill()


def test_where_successors_do_not_come_up_those_that_were_there_stay(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "Front", NeverUp)
    fronts = Fronts(None, "", load(write_config(tmp_path, "http://127.0.0.1")))
    fronts.start()
    former = list(fronts._fronts)
    try:
        looks = itertools.count()
        assert not fronts.replace(fronts._settings, unless=lambda: next(looks) >= 2)
        assert fronts._fronts == former
    finally:
        fronts._ending.set()
        with fronts._changing:
            for front in fronts._fronts:
                front.kill()


def test_those_that_died_together_are_started_together(monkeypatch, tmp_path):
    """None waits for the turn of another, which would never come where one dies again and again."""
    monkeypatch.setattr(module, "Front", Started)
    settings = load(write_config(tmp_path, "http://127.0.0.1"), environ={"TOPICFEEDS_SERVE__WORKERS": "3"})
    fronts = Fronts(None, "", settings)
    fronts.start()
    try:
        with fronts._changing:
            former = set(fronts._fronts)
            for front in former:
                front.kill()
        eventually(lambda: former.isdisjoint(fronts._fronts), within=20)
        assert len(fronts._fronts) == 3
        assert fronts._restarts.pause == fronts._restarts.shortest  # there was one restart, not three
    finally:
        fronts._ending.set()
        with fronts._changing:
            for front in fronts._fronts:
                front.kill()
