"""What an imported task is, as canonical JSON: title, columns, classes.

The task's name is made of its title and ends in the first digits of the description's SHA-256, so
that a description with other columns is another task. The whole text stands in each plan
(`fl.datasets.partition.Partition`), whose digest binds it.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from fl.datasets.task import Category, Column
from fl.errors import DescriptionError

VERSION = 1
CLASSES = 2
MOST_COLUMNS = 40
MOST_CATEGORIES = 12
MOST_TEXT = 80

# A task's word on the chain has 32 bytes.
_SLUG, _DIGITS = 19, 12
# As `imported_column_name` makes them: none is an attribute of a form's class.
_COLUMN = re.compile(r"[a-z0-9_]{0,30}_[0-9]{1,2}")
_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True)
class Description:
    """The parts of an imported task. `text` is the canonical JSON that they were read from."""

    title: str
    columns: tuple[Column, ...]
    classes: tuple[str, ...]
    text: str

    @property
    def name(self) -> str:
        """The task's name: from its title, and from the digest of the description."""
        slug = _slug(self.title)[:_SLUG].strip("-") or "task"
        return f"{slug}-{sha256(self.text.encode()).hexdigest()[:_DIGITS]}"


def describe(title: str, columns: Sequence[Column], classes: Sequence[str]) -> Description:
    """Write a description. Raises DescriptionError, with what was expected."""
    _check(title, columns, classes)
    document = {
        "version": VERSION,
        "title": title,
        "columns": [asdict(column) for column in columns],
        "classes": list(classes),
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return read_description(text)


@lru_cache(maxsize=64)
def read_description(text: str) -> Description:
    """Read what `describe` wrote. Raises DescriptionError for anything else."""
    try:
        fields = json.loads(text)
        if fields["version"] != VERSION:
            raise DescriptionError(f"expected version {VERSION}, got {fields['version']!r}")
        columns = tuple(_column(one) for one in fields["columns"])
        title, classes = str(fields["title"]), tuple(map(str, fields["classes"]))
        _check(title, columns, classes)
    except (ValueError, TypeError, KeyError) as error:
        raise DescriptionError(f"expected the JSON of a task's description: {error}") from error
    return Description(title, columns, classes, text)


def imported_column_name(label: str, position: int) -> str:
    """A name for the column that a person calls `label`, different at each `position`."""
    return f"{_slug(label).replace('-', '_')[:30]}_{position + 1}"


def check_text(what: str, text: str) -> None:
    """Refuse a text that is empty, long, unprintable, or that a spreadsheet would compute.

    Raises DescriptionError.
    """
    if not 0 < len(text) <= MOST_TEXT or text != text.strip():
        raise DescriptionError(f"{what}: expected 1 to {MOST_TEXT} characters")
    if text.startswith(_FORMULA) or not text.isprintable():
        raise DescriptionError(f"{what}: expected a text that does not begin with = + - or @")


def _column(fields: dict[str, Any]) -> Column:
    categories = tuple(Category(**one) for one in fields["categories"])
    return Column(**{**fields, "categories": categories})


def _check(title: str, columns: Sequence[Column], classes: Sequence[str]) -> None:
    check_text("title", title)
    if not 0 < len(columns) <= MOST_COLUMNS:
        raise DescriptionError(f"expected 1 to {MOST_COLUMNS} columns, got {len(columns)}")
    if len(classes) != CLASSES:
        raise DescriptionError(f"expected {CLASSES} classes, got {len(classes)}")
    for what, texts in (
        ("name of a column", [column.name for column in columns]),
        ("name of a column", [column.label for column in columns]),
        ("name of a class", list(classes)),
    ):
        _check_different(what, texts)
    for column in columns:
        _check_column(column)


def _check_different(what: str, texts: Sequence[str]) -> None:
    for text in texts:
        check_text(what, text)
    if len(set(texts)) != len(texts):
        raise DescriptionError(f"{what}: expected different ones, got {', '.join(texts)}")


def _check_column(column: Column) -> None:
    if not _COLUMN.fullmatch(column.name):
        raise DescriptionError(f"expected a column such as age_1, got {column.name!r}")
    if column.kind == "number":
        if column.categories or not _is_range(column.low, column.high):
            raise DescriptionError(f"{column.label}: expected a range from low to high")
        if column.unit:
            check_text(f"unit of {column.label}", column.unit)
        return
    count = len(column.categories)
    if column.kind not in ("binary", "category"):
        raise DescriptionError(f"{column.label}: expected a kind, got {column.kind!r}")
    if (count != 2) if column.kind == "binary" else not 2 <= count <= MOST_CATEGORIES:
        raise DescriptionError(
            f"{column.label}: expected 2 values, or up to {MOST_CATEGORIES} of a category; "
            f"got {count}"
        )
    _check_different(f"value of {column.label}", [one.value for one in column.categories])
    _check_different(f"value of {column.label}", [one.label for one in column.categories])


def _is_range(low: float, high: float) -> bool:
    return math.isfinite(low) and math.isfinite(high) and low < high


def _slug(text: str) -> str:
    """Lower-case ASCII letters and digits, with dashes between."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only.lower()).strip("-")
