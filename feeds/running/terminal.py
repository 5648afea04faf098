"""Takes the terminal from make, so that Ctrl-C in ``make demo`` reaches the demo alone and make sees it end well.

GNU make dies of a SIGINT that it shares with its recipe, however cleanly the recipe ends; a process group of its own in the
foreground is what a shell would give the demo.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def taken_from_make() -> Iterator[None]:
    """Hold the terminal in the foreground when started by make on one; otherwise do nothing."""
    if "MAKELEVEL" not in os.environ or not sys.stdin.isatty() or os.getpgrp() == os.getpid():
        yield
        return
    for number in (signal.SIGTTOU, signal.SIGTSTP):  # to take the terminal back and forth; and nobody could continue us
        signal.signal(number, signal.SIG_IGN)
    terminal, group = sys.stdin.fileno(), os.getpgrp()
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(terminal, group)
