"""What the tests of `crypto` share: fields, words at the edges, and prepared streams."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from hypothesis import strategies as st

from crypto.field import F61, Field
from crypto.kernels import Words

F3, F7, F31 = Field(2), Field(3), Field(5)
P61 = F61.modulus

# Where carries happen: the ends, the halves of a word, the sign of the balanced representative.
EDGES = (0, 1, 2, 2**29, 2**32 - 1, 2**32, 2**60 - 1, 2**60, P61 - 2, P61 - 1)

words61 = st.one_of(st.sampled_from(EDGES), st.integers(0, P61 - 1))


def array(values: Iterable[int]) -> Words:
    return np.array(list(values), dtype=np.uint64)


class Scripted:
    """A source of field elements that hands out prepared ones, and none beyond them."""

    def __init__(self, values: Iterable[int]) -> None:
        self._left = [int(value) for value in values]

    def elements(self, count: int, field: Field = F61) -> Words:
        drawn, self._left = self._left[:count], self._left[count:]
        assert len(drawn) == count, "more elements were drawn than the scheme needs"
        assert all(value < field.modulus for value in drawn)
        return array(drawn)

    def exhausted(self) -> bool:
        return not self._left
