"""What a process that serves does once everything is loaded, so that answers wait for little else that goes on in it."""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress

_TURN = 0.0002
"""Seconds after which a thread that computes lets another one have the interpreter, if that waits; Python's default is 5 ms."""


def settle() -> None:
    """Leave what was loaded out of collections of garbage, have threads take short turns, and give back memory.

    Starting needs for a while three megabytes that glibc would keep.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(_TURN)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
