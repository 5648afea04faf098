"""Work that can wait gives way by the niceness of its process, and of its session where Linux weighs those (sched(7))."""

import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager

from feeds.running.priority import NICENESS
from tests.conftest import session_niceness

GIVES_WAY = "from feeds.running.priority import give_way; give_way(); print(flush=True); input()"


@contextmanager
def giving_way(**session):
    """The id of a process that has given way, or is about to."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", GIVES_WAY], stdin=pipe, stdout=pipe, **session) as started:
        try:
            yield started
        finally:
            started.kill()


def test_all_give_way_that_begin_at_once():
    """The kernel takes the wish of one in a tenth of a second, where they are not root's."""
    with ExitStack() as stack:
        for each in [stack.enter_context(giving_way(start_new_session=True)) for _ in range(4)]:
            each.stdout.readline()
            assert os.getpriority(os.PRIO_PROCESS, each.pid) == os.getpriority(os.PRIO_PROCESS, 0) + NICENESS
            assert session_niceness(each.pid) in (NICENESS, None)


def test_who_shares_a_session_with_others_leaves_that_alone():
    before = session_niceness(os.getpid())
    with giving_way() as each:
        each.stdout.readline()
        assert os.getpriority(os.PRIO_PROCESS, each.pid) == os.getpriority(os.PRIO_PROCESS, 0) + NICENESS
        assert session_niceness(each.pid) == session_niceness(os.getpid()) == before
