"""How this process treats memory that it freed."""

from __future__ import annotations

import ctypes
from functools import cache

# Parameters of mallopt(3), from glibc's malloc.h.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_KEPT = 256 * 2**20
_LARGEST = 32 * 2**20  # what glibc takes for a threshold at most


@cache
def keep_freed_memory() -> bool:
    """Keep up to 256 MiB of freed memory for what comes next; whether the C library does so.

    A session of the review makes and frees megabytes a hundred times a second. Given back to the
    system each time, they come back as pages that it clears first: that took two fifths of a
    session's time (`python -m bench.image_round`). Only glibc knows these parameters; elsewhere
    nothing changes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    return bool(mallopt(_TRIM_THRESHOLD, _KEPT)) and bool(mallopt(_MMAP_THRESHOLD, _LARGEST))
