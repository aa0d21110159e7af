"""A hospital's rows as arrays, and the digest that stands for a row wherever an order is needed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fl.errors import TableError

ROW_LABEL = b"consilium/row/v1\x00"


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of one hospital.

    ``features`` is float64 (rows, columns), NaN where a value is missing; ``labels`` is int64
    (rows,). ``cases`` are further rows that are trained on and serve for nothing else (see
    ``fl.datasets.split``). Raises TableError when the two do not fit or a label is negative.
    """

    features: NDArray[np.float64]
    labels: NDArray[np.int64]
    cases: Table | None = None

    def __post_init__(self) -> None:
        if self.features.dtype != np.float64 or self.labels.dtype != np.int64:
            raise TableError(
                "expected float64 features and int64 labels; "
                f"got {self.features.dtype} and {self.labels.dtype}"
            )
        if self.features.ndim != 2 or self.labels.shape != self.features.shape[:1]:
            raise TableError(
                "expected features (rows, columns) and labels (rows,); "
                f"got {self.features.shape} and {self.labels.shape}"
            )
        if self.labels.size and self.labels.min() < 0:
            raise TableError(f"expected labels from 0; got {self.labels.min()}")

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def row_digests(self) -> tuple[bytes, ...]:
        """SHA-256 of each row: label of the digest, values as big-endian float64, class as 8 bytes.

        Equal rows have equal digests, whichever NaN or zero they hold.
        """
        # Adding 0.0 makes -0.0 and 0.0 one value; every NaN gets the same bytes.
        canonical = np.where(np.isnan(self.features), np.nan, self.features + 0.0).astype(">f8")
        return tuple(
            hashlib.sha256(ROW_LABEL + row.tobytes() + label.to_bytes(8, "big")).digest()
            for row, label in zip(canonical, self.labels.tolist(), strict=True)
        )

    def take(self, rows: NDArray[np.int64]) -> Table:
        """Return the table of the rows at the positions ``rows``, in that order."""
        return Table(self.features[rows], self.labels[rows])

    def in_digest_order(self) -> Table:
        """Return the same rows sorted by digest: an order that no file order can influence."""
        digests = self.row_digests
        order = sorted(range(len(self)), key=digests.__getitem__)
        return self.take(np.array(order, dtype=np.int64))
