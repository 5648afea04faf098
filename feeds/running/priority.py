"""Has the work that can wait give way to everything else on the machine."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_SESSION = Path("/proc/self/autogroup")


def give_way(niceness: int) -> None:
    """Make this process, and what it starts, so many steps nicer than others.

    Where Linux groups processes by session (sched(7), "The autogroup feature"), niceness counts only among those of one session.
    So a session that this process leads, as it does under ``topicfeeds serve`` and systemd, is made as nice.
    """
    with suppress(OSError):
        os.nice(niceness)
        if os.getsid(0) == os.getpid():
            _SESSION.write_text(str(niceness))
