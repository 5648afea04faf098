"""Has the work that can wait give way to everything else on the machine."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

NICENESS = 10
"""Steps: where others want the whole of a processor it gets a tenth."""

_SESSION = Path("/proc/self/autogroup")
_TRIES, _AGAIN = 30, 0.11
"""How often, and after how many seconds."""


def give_way() -> None:
    """Make this process, and what it starts, nicer than others.

    Where Linux groups processes by session (sched(7), "The autogroup feature"), niceness counts only among those of one session.
    So a session that this process leads, as it does under ``topicfeeds serve`` and systemd, is made as nice.
    """
    with suppress(OSError):
        os.nice(NICENESS)
        if os.getsid(0) == os.getpid():
            _make_session_nicer()


def _make_session_nicer() -> None:
    """The kernel takes one such wish in a tenth of a second, of all who are not root."""
    for _ in range(_TRIES):
        try:
            _SESSION.write_text(str(NICENESS))
        except BlockingIOError:
            time.sleep(_AGAIN)
        else:
            return
