"""What a file's columns probably are: a proposal that a person looks over, never a decision."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fl.datasets.description import MOST_CATEGORIES
from fl.datasets.raw_csv import RawCsv
from fl.datasets.recipe import parse_number
from fl.datasets.task import Category, Column
from fl.datasets.units import KNOWN_UNITS

# Texts that files write for a value that is not there.
MISSING = ("NA", "N/A", "NaN", "null", "NULL", "None", "?", "-", "#N/A", "nan")
# A column with more different texts is no category: names, dates, free text.
MOST_WORDS = 20

# One in so many rows may be a mistake; more of them are a group of patients.
FEW = 50

_ALIKE = 0.8
_FENCE = 3
_MOSTLY = 0.9
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_UNIT_IN_BRACKETS = re.compile(r"(?P<name>.*[^\s([])\s*[(\[](?P<unit>[^()\[\]]{1,20})[)\]]")
_YES = frozenset({"1", "1.0", "true", "yes", "y", "t", "ja", "oui", "si", "positive", "pos"})
_NO = frozenset({"0", "0.0", "false", "no", "n", "f", "nein", "non", "negative", "neg"})

Kind = Literal["number", "binary", "category", ""]


@dataclass(frozen=True)
class GuessedColumn:
    """What a column of a file may become in a new task; kind "" is left out."""

    kind: Kind
    low: float = 0.0
    high: float = 1.0


def decimal_sign(raw: RawCsv) -> str:
    """The sign before fractions: a comma where the file has numbers with one and none splits it."""
    if raw.delimiter == ",":
        quoted = any(_DECIMAL_COMMA.fullmatch(cell) for _, cells in raw.rows for cell in cells)
        return "," if quoted else "."
    sample = (cell for _, cells in raw.rows for cell in cells)
    return "," if any(_DECIMAL_COMMA.fullmatch(cell) for cell in sample) else "."


def missing_markers(raw: RawCsv) -> tuple[str, ...]:
    """Those of the usual texts for a missing value that the file has."""
    seen = {cell for _, cells in raw.rows for cell in cells}
    return tuple(marker for marker in MISSING if marker in seen)


def words_of(raw: RawCsv, source: str, missing: Iterable[str]) -> list[str]:
    """The different texts of a column, the most frequent first, without those that are missing."""
    counts = Counter(text for text in raw.values(source) if text and text not in set(missing))
    return [text for text, _ in counts.most_common()]


def sources_of(header: Sequence[str], columns: Sequence[Column]) -> Mapping[str, str]:
    """By the name of each column of a task, the file's column that is called alike, or ""."""
    left = {_plain(name_and_unit(name)[0]): name for name in header}
    found: dict[str, str] = {}
    # Equal names first, so that a merely similar one takes nothing away from them.
    for alike in (1.0, _ALIKE):
        for column in columns:
            if found.get(column.name):
                continue
            wanted = [_plain(column.name), _plain(column.label)]
            near = [m for one in wanted for m in get_close_matches(one, left, n=1, cutoff=alike)]
            found[column.name] = left.pop(near[0]) if near else ""
    return found


def class_source(header: Sequence[str], words: Mapping[str, Sequence[str]]) -> str:
    """The column that is called as classes usually are, else the last with two values, else ""."""
    usual = ("class", "target", "outcome", "label", "diagnosis", "num", "disease", "result", "y")
    found = _called(header, (*usual, "diagnose", "diagnostic", "status"))
    return found or next((name for name in reversed(header) if len(words.get(name, ())) == 2), "")


def hospital_source(header: Sequence[str]) -> str:
    """The column that is called as those are that name a hospital, else ""."""
    return _called(header, ("hospital", "clinic", "site", "center", "centre", "klinik", "spital"))


def name_and_unit(heading: str) -> tuple[str, str]:
    """What a column's heading says: `weight (kg)`, `weight [kg]` and `weight_kg` are in kg."""
    if bracketed := _UNIT_IN_BRACKETS.fullmatch(heading):
        return bracketed["name"], bracketed["unit"]
    name, _, last = heading.rpartition("_")
    return (name, last) if name and last.casefold() in KNOWN_UNITS else (heading, "")


def category_of(text: str, categories: Sequence[Category]) -> str:
    """The value of the category that a text of the file means, or ""."""
    said = text.casefold()
    for one in categories:
        if said in (one.value.casefold(), one.label.casefold()):
            return one.value
    for answers, words in ((_YES, ("yes", "true")), (_NO, ("no", "false"))):
        if said in answers:
            for one in categories:
                if one.label.casefold() in words or one.value.casefold() in words:
                    return one.value
    begins = [one.value for one in categories if one.label.casefold().startswith(said)]
    return begins[0] if len(begins) == 1 else ""


def is_bare_answer(text: str) -> bool:
    """Whether a text of a class column only answers a question, and names nothing."""
    return text.casefold() in _YES | _NO


def is_positive(text: str) -> bool | None:
    """Whether a text of a class column says that the disease is there; None where it is unclear."""
    said = text.casefold()
    if said in _NO or said.startswith(("no ", "not ", "without ", "healthy", "normal")):
        return False
    return True if said in _YES else None


def column_of(raw: RawCsv, source: str, decimal: str, missing: Iterable[str]) -> GuessedColumn:
    """What a column of the file may become: its kind, and a range with room around its numbers.

    A few numbers that lie far outside the others do not widen the range (see `plausible`).
    """
    words = words_of(raw, source, missing)
    known = {word: _number(word, decimal) for word in words}
    count = sum(number is not None for number in known.values())
    if len(words) == 2:
        return GuessedColumn("binary")
    if len(words) > 2 and count >= _MOSTLY * len(words):
        of_rows = (known.get(text) for text in raw.values(source))
        found = plausible([number for number in of_rows if number is not None])
        return GuessedColumn("number", *_range(*found))
    return GuessedColumn("category" if 2 < len(words) <= MOST_CATEGORIES else "")


def plausible(numbers: Sequence[float]) -> tuple[float, float]:
    """The least and the most of the numbers, without a few that lie far outside the others.

    Far outside is beyond Tukey's outer fences, three interquartile ranges from the quartiles
    (Exploratory Data Analysis, 1977); for numbers above 0 also beyond the same fences of their
    logarithms, because what is measured often has a long tail. More than one in FEW of them are a
    group of patients and no mistake, so then they count.
    """
    found = np.array(numbers, dtype=np.float64)
    inside = _within_fences(found)
    if found.min() > 0:
        inside |= _within_fences(np.log(found))
    left_out = int((~inside).sum())
    if left_out > max(1, len(found) // FEW):
        inside[:] = True
    return float(found[inside].min()), float(found[inside].max())


def _within_fences(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    first, third = np.quantile(numbers, (0.25, 0.75))
    if first == third:
        # Half of the rows say the same, which tells nothing of how far the others may lie.
        return np.ones(len(numbers), dtype=np.bool_)
    reach = _FENCE * (third - first)
    within: NDArray[np.bool_] = (first - reach <= numbers) & (numbers <= third + reach)
    return within


def _number(text: str, decimal: str) -> float | None:
    try:
        number = parse_number(text, decimal)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _range(low: float, high: float) -> tuple[float, float]:
    """Round bounds around the numbers, with a tenth of their width to spare."""
    spare = (high - low) / 10 or 1.0
    step = 10 ** math.floor(math.log10(high - low + 2 * spare)) / 2
    down = math.floor((low - spare) / step) * step
    # What is never negative in the file hardly can be.
    down = max(down, 0.0) if low >= 0 else down
    up = math.ceil((high + spare) / step) * step
    return float(f"{down:.10g}"), float(f"{up:.10g}")


def _called(header: Sequence[str], usual: Iterable[str]) -> str:
    plain = {_plain(name): name for name in header}
    return next((plain[name] for name in usual if name in plain), "")


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.casefold())
