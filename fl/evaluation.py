"""How a hospital fares with a round's model on its own rows, as counts that add up over hospitals.

Three tables of counts: the confusion matrices of its test rows and of its training rows, and how
its test rows' scores are spread, by class, over bins of equal width. A row's score is the
probability that the model gives to the second class, so there are scores for two classes only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crypto.context import parse
from crypto.errors import EncodingError
from fl.errors import MessageError
from fl.messages import pack
from fl.networks import NetworkSpec
from fl.training import confusion_of, probabilities

BINS = 50
_WITH_GROUPS = 4
MOST_ROWS = 2**31  # that one count may name

Counts = tuple[tuple[int, ...], ...]
Rows = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True)
class Evaluation:
    """A hospital's counts: `test` and `train` are (classes, classes), truth by prediction.

    `scores` is (2, BINS), the test rows by class and bin, empty where there are not two classes.
    `groups` are counts by sex and age under masks (see `fl.subgroups`), empty where a task has
    neither. `train`, `scores` and `groups` are None in reports of before they were part of one.
    """

    test: Counts
    train: Counts | None = None
    scores: Counts | None = None
    groups: bytes | None = None

    def body(self) -> bytes:
        """The report's body: see docs/formats.md."""
        parts = (self.test, self.train or (), self.scores or ())
        groups = () if self.groups is None else (self.groups,)
        return pack(*([list(row) for row in part] for part in parts), *groups)


def evaluation_of(
    spec: NetworkSpec, parameters: Mapping[str, NDArray[np.float32]], test: Rows, train: Rows
) -> Evaluation:
    """Judge a model on rows (features, labels). Raises what `fl.training.evaluate` raises."""
    found = probabilities(spec, parameters, test[0])
    tested = confusion_of(spec.classes, test[1], found.argmax(axis=1))
    trained = probabilities(spec, parameters, train[0]).argmax(axis=1)
    scores: Counts = ()
    if spec.classes == 2:
        scores = _counts(score_counts(found[:, 1], test[1]))
    return Evaluation(
        _counts(tested), _counts(confusion_of(spec.classes, train[1], trained)), scores
    )


def score_counts(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many rows of each class (0, 1) have a score in each bin, int64 (2, BINS).

    Bin b holds the scores from b / BINS up to (b + 1) / BINS, the last one 1 as well.
    """
    counts = np.zeros((2, BINS), dtype=np.int64)
    places = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    np.add.at(counts, (labels, places), 1)
    return counts


def area_under_curve(scores: Sequence[Sequence[int]]) -> float | None:
    """Return the area under the ROC curve of counts by class and bin, or None without both classes.

    It is the share of pairs of a row of each class in which the second class's has the higher
    score; a pair in one bin counts half (Hanley, McNeil, "The Meaning and Use of the Area under a
    Receiver Operating Characteristic (ROC) Curve", Radiology 143, 1982). So it differs from the
    area of the scores themselves by at most half of the share of pairs that lie in one bin.
    """
    negative, positive = np.array(scores, dtype=np.float64)
    pairs = negative.sum() * positive.sum()
    if not pairs:
        return None
    below = np.cumsum(negative) - negative
    return float((positive * (below + negative / 2)).sum() / pairs)


def log_loss(scores: Sequence[Sequence[int]]) -> float | None:
    """Return the mean cross-entropy of counts by class and bin, in nats, or None without rows.

    A row adds -ln of the probability that the model gives to its class; every row of a bin counts
    with the bin's middle, so that one row adds at most ln(2 * BINS) = 4.6. What the bins hide is at
    most half a bin, 0.01, of each probability.
    """
    negative, positive = np.array(scores, dtype=np.float64)
    rows = negative.sum() + positive.sum()
    if not rows:
        return None
    middles = (np.arange(len(positive)) + 0.5) / len(positive)
    return float(-(positive @ np.log(middles) + negative @ np.log(1 - middles)) / rows)


def read_evaluation(body: bytes, classes: int) -> Evaluation | None:
    """The inverse of `Evaluation.body`; None for the report on statistics, which judges nothing.

    Reads reports of a test matrix alone, too. Raises MessageError for any other form or value.
    """
    parts = _parts(body)
    if parts == [[]]:
        return None
    groups = _masked(parts.pop()) if len(parts) == _WITH_GROUPS else None
    test, *more = (_table(part) for part in parts)
    train, scores = more or (None, None)
    square = (classes, classes)
    good = _shape(test) == square and (train is None or _shape(train) == square)
    if not good or (scores not in (None, ()) and _shape(scores) != (2, BINS)):
        raise MessageError(f"expected a report of {classes} classes")
    if scores is not None and (len(scores) == 2) != (classes == 2):
        raise MessageError("expected scores of two classes, or none of more")
    return Evaluation(test, train, scores, groups)


def _masked(part: Any) -> bytes:
    if not isinstance(part, bytes):
        raise MessageError("expected masked counts in a report")
    return part


def _parts(body: bytes) -> list[Any]:
    try:
        parts = parse(body)
    except EncodingError as error:
        raise MessageError(f"expected a report: {error}") from error
    if not isinstance(parts, list) or len(parts) not in (1, 3, _WITH_GROUPS):
        raise MessageError("expected a report of one or three tables")
    return parts


def _table(part: Any) -> Counts:
    rows: list[Any] = part if isinstance(part, list) else [None]
    if not all(isinstance(row, list) for row in rows):
        raise MessageError("expected tables of counts in a report")
    if not all(type(n) is int and 0 <= n < MOST_ROWS for row in rows for n in row):
        raise MessageError("expected counts in a report")
    return tuple(tuple(row) for row in rows)


def _shape(table: Counts | None) -> tuple[int, int] | None:
    """The table's rows and columns, or None where its rows differ in length."""
    lengths = {len(row) for row in table or ()}
    return (len(table or ()), lengths.pop()) if len(lengths) == 1 else None


def _counts(table: NDArray[np.int64]) -> Counts:
    return tuple(tuple(row) for row in table.tolist())
