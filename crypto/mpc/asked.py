"""Which models are asked about which rows, and how their values lie in one vector.

Models that are asked about the same rows are a group. A group's values are (models, width, rows),
contiguous, group after group in a flat vector: what is done with each value alone takes the vector,
what is done with models takes the groups' views.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from crypto.errors import MpcError
from crypto.kernels import Words

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Asked:
    """The groups of a public mask (models, rows); a model that is asked about no row is in none.

    `groups` are the models' numbers and those of the rows, ascending. Raises MpcError for a mask of
    another shape.
    """

    def __init__(self, mask: Mask | None, models: int, rows: int) -> None:
        self.shape = models, rows
        if mask is None:
            mask = np.ones(self.shape, dtype=np.bool_)
        if mask.shape != self.shape:
            raise MpcError(f"expected a mask of shape {self.shape}, got {mask.shape}")
        alike: dict[bytes, list[int]] = {}
        for model, one in enumerate(mask):
            if one.any():
                alike.setdefault(one.tobytes(), []).append(model)
        self.groups: list[tuple[Numbers, Numbers]] = [
            (np.array(members), np.flatnonzero(mask[members[0]])) for members in alike.values()
        ]
        # How many values of one width each group has.
        self._counts = [members.size * chosen.size for members, chosen in self.groups]

    @property
    def size(self) -> int:
        """Pairs of a model and a row."""
        return sum(self._counts)

    def parts(self, values: Words, width: int) -> Iterator[Words]:
        """The groups' views (models, width, rows) of a flat vector."""
        start = 0
        for (members, chosen), count in zip(self.groups, self._counts, strict=True):
            end = start + width * count
            yield values[start:end].reshape(members.size, width, chosen.size)
            start = end

    def select(self, values: Words) -> Words:
        """Flat, of the values (models, width, rows) of all, those that are asked for."""
        models, rows = self.shape
        if self.size == models * rows:
            return values.reshape(-1)
        width = values.shape[1]
        out = np.empty(self.size * width, dtype=np.uint64)
        for (members, chosen), part in zip(self.groups, self.parts(out, width), strict=True):
            for member, place in zip(members, part, strict=True):
                # The numbers are in range; to check each costs more than to copy.
                np.take(values[member], chosen, axis=1, out=place, mode="clip")
        return out

    def columns(self, values: Words, width: int) -> Words:
        """(width, size): the groups' rows side by side, of a flat vector."""
        parts = [part.transpose(1, 0, 2).reshape(width, -1) for part in self.parts(values, width)]
        return np.concatenate(parts, axis=1)

    def spread(self, columns: Words) -> Words:
        """(models, width, rows) of `columns` (width, size), zero for what is not asked for."""
        width = len(columns)
        out = np.zeros((self.shape[0], width, self.shape[1]), dtype=np.uint64)
        split = np.split(columns, np.cumsum(self._counts)[:-1], axis=1)
        for (members, chosen), part in zip(self.groups, split, strict=True):
            table = part.reshape(width, members.size, chosen.size).transpose(1, 0, 2)
            out[np.ix_(members, np.arange(width), chosen)] = table
        return out
