"""What a batch holds, and how it lies in the database: boxes of the doctor's own key.

Each box is bound to the batch, its task and the doctor, those of rows and answers to their place,
too, and answers to the model that gave them; docs/formats.md gives the layouts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import cbor2

from app.errors import RequestError
from app.models import BatchPieceRow, BatchRow
from app.services.open_keys import OpenKey
from crypto.errors import CryptoError
from crypto.own_box import open_own, seal_own

_ABOUT: Final = "consilium/batch/v1"
_ROWS: Final = "consilium/batch-rows/v1"
_ANSWERS: Final = "consilium/batch-answers/v1"

_ALTERED: Final = (
    "What is stored of this file was altered, so nothing of it is shown. Delete it and upload the "
    "file again; tell an administrator."
)
_LOST: Final = (
    "This file was sealed to a key that your password opened before it was reset: nobody opens it "
    "any more. Delete it and upload the file again."
)


@dataclass(frozen=True)
class Row:
    """A row that can be predicted: `values` in the order of the task's columns, None where unknown.

    `line` is that of the file, `reference` the doctor's own, or "". `doubts` are sentences on what
    is possible but not plausible.
    """

    line: int
    reference: str
    values: tuple[float | None, ...]
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a row, which therefore is not predicted: as `recipe.Refusal`."""

    line: int
    reference: str
    column: str
    expected: str
    came: str


@dataclass(frozen=True)
class About:
    """How a file was read: `columns` are the task's names, in the order of the values.

    `taken` is (heading of the file, label, unit) of each column that is there; `unused` are the
    headings of others. `doubtful` counts the rows with a value that is not plausible, `examples`
    the template's example lines, which were left out.
    """

    columns: tuple[str, ...]
    taken: tuple[tuple[str, str, str], ...]
    unused: tuple[str, ...]
    reference: str
    wrong: tuple[Wrong, ...]
    doubtful: int
    examples: int

    @property
    def wrong_rows(self) -> int:
        """How many rows are not predicted."""
        return len({one.line for one in self.wrong})


@dataclass(frozen=True)
class RowAnswer:
    """What the model says of a row: as `app.services.predictions.Prediction` has it.

    `risk` is the probability of the task's last class; `interval` is None without a calibration.
    `warnings` say what of the patient is unlike the training data.
    """

    risk: float
    score: float
    interval: tuple[float, float] | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """The answers for one piece, None for a row that was left out, and which model gave them."""

    model_sha256: str
    version: str
    rows: tuple[RowAnswer | None, ...]


def seal_about(key: OpenKey, row: BatchRow, about: About) -> bytes:
    """How a file was read, sealed."""
    return seal_own(key.private, cbor2.dumps(asdict(about)), _ABOUT, *_bound(row))


def open_about(key: OpenKey, row: BatchRow) -> About:
    """How a file was read. Raises RequestError where it does not open."""
    told = _opened(key, row, row.about, _ABOUT)
    return About(
        columns=tuple(told["columns"]),
        taken=tuple((heading, label, unit) for heading, label, unit in told["taken"]),
        unused=tuple(told["unused"]),
        reference=told["reference"],
        wrong=tuple(Wrong(**one) for one in told["wrong"]),
        doubtful=told["doubtful"],
        examples=told["examples"],
    )


def seal_rows(key: OpenKey, row: BatchRow, number: int, rows: tuple[Row, ...]) -> bytes:
    """A piece's rows, sealed."""
    told = [[one.line, one.reference, list(one.values), list(one.doubts)] for one in rows]
    return seal_own(key.private, cbor2.dumps(told), _ROWS, *_bound(row), number)


def open_rows(key: OpenKey, row: BatchRow, piece: BatchPieceRow) -> tuple[Row, ...]:
    """A piece's rows. Raises RequestError where they do not open."""
    told = _opened(key, row, piece.sealed, _ROWS, piece.number)
    return tuple(
        Row(line, reference, tuple(values), tuple(doubts))
        for line, reference, values, doubts in told
    )


def seal_answers(key: OpenKey, row: BatchRow, number: int, answers: Answers) -> bytes:
    """A piece's answers, sealed."""
    told = {
        "version": answers.version,
        "rows": [None if one is None else _plain(one) for one in answers.rows],
    }
    items = (*_bound(row), number, answers.model_sha256)
    return seal_own(key.private, cbor2.dumps(told), _ANSWERS, *items)


def open_answers(key: OpenKey, row: BatchRow, piece: BatchPieceRow) -> Answers | None:
    """A piece's answers, None before there are some. Raises RequestError where they do not open."""
    if piece.answers is None:
        return None
    model = row.model_sha256 or ""
    told = _opened(key, row, piece.answers, _ANSWERS, piece.number, model)
    rows = tuple(
        None
        if one is None
        else RowAnswer(one[0], one[1], tuple(one[2]) if one[2] else None, tuple(one[3]))
        for one in told["rows"]
    )
    return Answers(model, told["version"], rows)


def _plain(one: RowAnswer) -> list[object]:
    interval = list(one.interval) if one.interval else None
    return [one.risk, one.score, interval, list(one.warnings)]


def _bound(row: BatchRow) -> tuple[str, str, int, int]:
    return row.id, row.task, row.user_id, row.rows


def _opened(key: OpenKey, row: BatchRow, box: bytes, purpose: str, *items: str | int) -> Any:
    if row.key_id != key.number:
        raise RequestError(_LOST)
    try:
        return cbor2.loads(open_own(key.private, box, purpose, *_bound(row), *items))
    except CryptoError as error:
        raise RequestError(_ALTERED) from error
