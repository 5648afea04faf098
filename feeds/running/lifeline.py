"""Ends this process when its parent is gone, however that died: no orphan survives a ``kill -9`` of the supervisor."""

from __future__ import annotations

import os
import threading
import time

_POLL = 0.25


PARENT = "PARENT_PROCESS"
"""Environment variable with the process with which its children end, for those that may begin when it is gone already."""


def hold() -> None:
    """Watch the parent from a thread. The exit is immediate: the store bears being killed at any instant."""
    parent = int(os.environ.pop(PARENT, "") or os.getppid())

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL)
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
