"""What is added to a patient's record while it stays closed, or after an answer: four kinds.

A model's answer that was kept, vitals without one, the diagnosis that was confirmed later, and why
a record is kept longer. Each is sealed to the record's own public key as a CBOR map (see
docs/formats.md); an answer of before there were other kinds has no `kind` and no figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal

import cbor2

from crypto.errors import EncodingError

# What became of an answer, by the number that is sealed: numbers are equally long, words are not.
CAME_TRUE: Final = {0: "no", 1: "yes", 2: "not known"}
Came = Literal[0, 1, 2]
NOT_TRUE: Final[Came] = 0
TRUE: Final[Came] = 1
NOT_KNOWN: Final[Came] = 2

_VITALS, _OUTCOME, _LONGER = "vitals", "outcome", "longer"


@dataclass(frozen=True)
class Figure:
    """A measured number of a task's `column`, in the column's own `unit`."""

    column: str
    label: str
    value: float
    unit: str


@dataclass(frozen=True)
class Answer:
    """A model's answer that was kept: `result` in words, `values` as (label, value) were read.

    `at` is an ISO 8601 moment in UTC. `figures` are the numbers among the values, and `risk` is the
    probability of the disease; both are missing from what was kept before there were any. `inputs`
    are the values as the model read them, by column, which a case for training is made of.
    """

    task: str
    title: str
    result: str
    values: tuple[tuple[str, str], ...]
    version: str
    model_sha256: str
    at: str
    figures: tuple[Figure, ...] = ()
    risk: float | None = None
    inputs: tuple[tuple[str, float], ...] = ()

    @property
    def reference(self) -> str:
        """SHA-256 of what is sealed, by which an outcome names the answer.

        Few values could be guessed from it: it leaves the sealed record with an open page only.
        """
        return sha256(encode(self)).hexdigest()


@dataclass(frozen=True)
class Vitals:
    """What was measured on the day `at` (ISO 8601), in words and as numbers, without an answer."""

    task: str
    title: str
    values: tuple[tuple[str, str], ...]
    figures: tuple[Figure, ...]
    at: str


@dataclass(frozen=True)
class Outcome:
    """The diagnosis that was confirmed for an answer (`Answer.reference`) on the day `at`."""

    answer: str
    came: Came
    at: str
    basis: str = ""

    @property
    def word(self) -> str:
        """Whether the patient has what the answer was about: yes, no, or not known."""
        return CAME_TRUE[self.came]


@dataclass(frozen=True)
class Longer:
    """Why a record is kept until a later day, `until` (ISO 8601), than it had to be."""

    until: str
    reason: str


Entry = Answer | Vitals | Outcome | Longer


def encode(entry: Entry) -> bytes:
    """The canonical CBOR map that is sealed."""
    told: dict[str, Any] = dict(vars(entry))
    if isinstance(entry, Answer | Vitals):
        told["values"] = [list(one) for one in entry.values]
        told["figures"] = [[f.column, f.label, f.value, f.unit] for f in entry.figures]
    if isinstance(entry, Answer):
        told["inputs"] = [list(one) for one in entry.inputs]
        # As an answer of before has them: absent. So it is sealed anew byte for byte.
        told = {name: value for name, value in told.items() if value not in ([], None)}
        told.setdefault("values", [])
    else:
        told["kind"] = {Vitals: _VITALS, Outcome: _OUTCOME, Longer: _LONGER}[type(entry)]
    return cbor2.dumps(told, canonical=True)


def decode(told: Mapping[str, Any]) -> Entry:
    """The entry of a map that was sealed. Raises EncodingError for a kind that is not known."""
    fields = dict(told)
    kind = fields.pop("kind", "")
    if kind in ("", _VITALS):
        fields["values"] = tuple((label, value) for label, value in fields["values"])
        fields["figures"] = tuple(Figure(*one) for one in fields.get("figures", ()))
    if not kind:
        fields["inputs"] = tuple((name, value) for name, value in fields.get("inputs", ()))
    made: dict[str, type[Entry]] = {
        "": Answer, _VITALS: Vitals, _OUTCOME: Outcome, _LONGER: Longer,
    }  # fmt: skip
    if kind not in made:
        raise EncodingError(f"expected an entry of a record, got one of the kind {kind!r}")
    return made[kind](**fields)
