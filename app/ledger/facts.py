"""Values of events and calls as a page shows them: hashes, parties, words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.ledger.words import field_label
from app.services.round_names import round_title
from contracts.records import NOTHING_OPENED, Bits
from crypto.fixedpoint import SCALE

HASH, ACCOUNT, TRAINING, BYTES = "hash", "account", "training", "bytes"
# A word, and a sentence that stands on a line of its own.
TEXT, LINE = "text", "line"

_HASH = re.compile(r"[0-9a-f]{64}")
_BYTES = re.compile(r"(?:[0-9a-f]{2}){33,}")
_ACCOUNT = re.compile(r"0x[0-9a-fA-F]{40}")
_TRAININGS = ("training", "previous")
# Zeros stand for nothing.
_IDENTIFIER = re.compile(r"(?!0{64})[0-9a-f]{64}")
_FIGURES = ("balanced_accuracy", "reference_accuracy", "reference")
_ENUMS = ("state", "why", "role", "verdict")
# Figures are opened in twentieths.
STEPS = 20


@dataclass(frozen=True)
class Part:
    """A piece of a value: `kind` says how to show `value`."""

    kind: str
    value: str


@dataclass(frozen=True)
class Fact:
    """A value with what it is called; a list has several parts, an empty one none."""

    label: str
    parts: list[Part]


def facts(
    values: Mapping[str, Any], names: Mapping[str, str], without: Iterable[str] = ()
) -> list[Fact]:
    """The values that are not named in `without`; those of structs stand beside the others."""
    left_out = frozenset(without)
    return list(_facts(values, names, left_out))


def _facts(
    values: Mapping[str, Any], names: Mapping[str, str], without: frozenset[str]
) -> Iterator[Fact]:
    for name, value in values.items():
        if name in without:
            continue
        if isinstance(value, dict):
            yield from _facts(value, names, without)
        else:
            yield Fact(field_label(name), list(_parts(name, value, names)))


def _parts(name: str, value: Any, names: Mapping[str, str]) -> Iterator[Part]:
    if isinstance(value, list):
        for one in value:
            yield from _parts(name, one, names)
    elif isinstance(value, dict):
        yield Part(LINE, _sentence(value, names))
    elif isinstance(value, str) and name in _TRAININGS and _IDENTIFIER.fullmatch(value):
        yield Part(TRAINING, value)
    elif isinstance(value, str) and _HASH.fullmatch(value):
        # Zeros stand for nothing.
        yield Part(HASH, value) if value.strip("0") else Part(TEXT, "none")
    elif isinstance(value, str) and _ACCOUNT.fullmatch(value):
        yield Part(ACCOUNT, value)
    elif isinstance(value, str) and _BYTES.fullmatch(value):
        yield Part(BYTES, value)
    elif word := _word(name, value):
        yield Part(TEXT, word)


def _sentence(values: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """A struct inside a list, in one line: whom it is about, then the rest."""
    whom = [names.get(one, one) for one in map(str, values.values()) if _ACCOUNT.fullmatch(one)]
    rest = [
        f"{field_label(name).lower()} {_word(name, value)}"
        for name, value in values.items()
        if not _ACCOUNT.fullmatch(str(value))
    ]
    return ": ".join(filter(None, (" and ".join(whom), ", ".join(rest))))


def _word(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _number(name, value)
    return str(value).replace("_", " ") if name in _ENUMS else str(value)


def _number(name: str, value: int) -> str:
    """A number in the unit that people know."""
    if name == "round":
        return round_title(value)
    if name in _FIGURES:
        return "not opened" if value == NOTHING_OPENED else f"{value / STEPS:.2f}"
    if name == "norm_bound":
        return f"{value / SCALE:.3f}" if value else "as it is"
    if name == "bits":
        return ", ".join(str(bit.name).lower().replace("_", " ") for bit in Bits(value)) or "none"
    return str(value)
