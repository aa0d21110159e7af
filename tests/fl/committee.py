"""Three parties of the review in one process, for tests that hold all their secrets."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from crypto.field import F61
from crypto.kernels import Words
from crypto.mpc.channel import Traffic, run_local
from crypto.mpc.session import Committee, Program, Role, Session
from crypto.prg import Stream, new_seed
from crypto.shamir import share

POINTS = (1, 2, 3)


def sessions(points: tuple[int, int, int] = POINTS, context: bytes = b"test") -> list[Session]:
    """A session a party, with fresh pair secrets."""
    secrets = {frozenset(pair): new_seed() for pair in combinations(Role, 2)}
    return [
        Session(
            role,
            Committee(points),
            {other: secrets[frozenset((role, other))] for other in Role if other != role},
            context,
        )
        for role in Role
    ]


def shared(values: NDArray[np.int64] | Words, points: tuple[int, int, int] = POINTS) -> list[Words]:
    """Degree-1 shares of integers or words, one array a party, each of the values' shape."""
    array = np.asarray(values)
    flat = array.ravel()
    words = flat if flat.dtype == np.uint64 else F61.from_signed(flat.astype(np.int64))
    rows = share(words, 1, points, Stream(new_seed(), "consilium/test/v1"))
    return [row.reshape(array.shape) for row in rows]


def run(
    program: Callable[[Session, int], Program[bytes]], points: tuple[int, int, int] = POINTS
) -> tuple[bytes, Traffic]:
    """Run `program(session, party)` for all three; they must agree on the result."""
    results, traffic = run_local([program(one, i) for i, one in enumerate(sessions(points))])
    assert len(set(results)) == 1
    return results[0], traffic
