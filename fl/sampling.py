"""Which hospitals take part in a round: drawn by a public rule, so that nobody can choose them.

The draw follows from the plan's seed alone. Everybody computes it, before the round and years
after.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from contracts.records import DONATION
from crypto.context import canonical

DRAW_LABEL = "consilium/draw/v1"


def drawn(seed: int, number: int, names: Sequence[str], count: int | None) -> tuple[str, ...]:
    """The `count` hospitals of a round, in the order of `names`; all of them for None.

    They are those with the smallest SHA-256(CBOR of label, seed, round, name). Statistics and
    donated slices serve every round, so everybody takes part in theirs.
    """
    if count is None or number in (0, DONATION):
        return tuple(names)
    chosen = set(sorted(names, key=lambda name: draw_digest(seed, number, name))[:count])
    return tuple(name for name in names if name in chosen)


def draw_digest(seed: int, number: int, name: str) -> bytes:
    """What a hospital is drawn by in a round, 32 bytes: the smallest are in."""
    return sha256(canonical(DRAW_LABEL, seed, number, name)).digest()
