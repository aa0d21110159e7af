"""Large blocks of memory that come back: what a run frees, the next step uses."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

# Just below the most that glibc's threshold follows, 32 MiB, with room for its own header.
_BLOCK = (32 << 20) - (1 << 16)


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Let the C library keep large freed blocks instead of returning each to the system.

    By default glibc maps every large block anew and unmaps it when freed, so each message and array
    of a run is faulted in page by page, which took half of its time. Freeing one mapped block moves
    the threshold to that block's size, and twice as much is kept at the heap's end (mallopt(3),
    M_MMAP_THRESHOLD). Nothing is written to the block, so it costs nothing; with another C library
    this has no effect.
    """
    np.empty(_BLOCK, dtype=np.uint8)
