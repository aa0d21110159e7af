"""The second step of an import: which column of the file becomes which of the task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from app.services.import_choices import ChoicesRefused, Fields, Purpose, note_problem
from app.services.import_rows import complete_rows, rows_within
from app.services.numbers import WITH_POINT, read_number
from fl.datasets import Category, Column, get_task
from fl.datasets.description import check_text, imported_column_name
from fl.datasets.guess import (
    MOST_WORDS,
    GuessedColumn,
    Kind,
    column_of,
    name_and_unit,
    sources_of,
    words_of,
)
from fl.datasets.raw_csv import RawCsv
from fl.datasets.recipe import Take, parse_number
from fl.datasets.units import Unit, units_of

KINDS = {"number": "Number", "binary": "One of two", "category": "One of several", "": "Leave out"}


def first_columns(raw: RawCsv, purpose: Purpose) -> Fields:
    """The fields of the second step before anything was chosen."""
    if purpose.task:
        task = get_task(purpose.task)
        found = sources_of(free_columns(raw, purpose), task.columns)
        units = {column.name: _unit_in(found[column.name], column) for column in task.columns}
        return {f"source|{name}": source for name, source in found.items()} | {
            f"unit|{name}": unit for name, unit in units.items() if unit
        }
    fields: dict[str, str] = {}
    for name, guess in _guesses(raw, purpose).items():
        label, unit = name_and_unit(name)
        fields |= {
            f"kind|{name}": guess.kind,
            f"label|{name}": label,
        }
        if guess.kind == "number":
            fields[f"unit|{name}"] = unit
            fields |= {f"low|{name}": f"{guess.low:.10g}", f"high|{name}": f"{guess.high:.10g}"}
    return fields


def _guesses(raw: RawCsv, purpose: Purpose) -> dict[str, GuessedColumn]:
    """What the columns may become, by the rows that have no number far outside."""
    names, decimal, missing = free_columns(raw, purpose), purpose.decimal, purpose.missing
    complete = complete_rows(raw, purpose)
    first = {name: column_of(complete, name, decimal, missing) for name in names}
    bounds = {name: (one.low, one.high) for name, one in first.items() if one.kind == "number"}
    likely = rows_within(raw, purpose, bounds)
    return {name: column_of(likely, name, decimal, missing) for name in names}


def outside(raw: RawCsv, purpose: Purpose, fields: Fields) -> dict[str, Sequence[str]]:
    """By column, the cells whose number lies outside the range that the fields say.

    Their rows are refused. Columns without such cells, or without a range, are left out.
    """
    found: dict[str, Sequence[str]] = {}
    for name in free_columns(raw, purpose):
        if fields.get(f"kind|{name}") != "number":
            continue
        low, high = (_bound(fields, {}, f"{bound}|{name}", "number") for bound in ("low", "high"))
        known = {word: _number(word, purpose) for word in words_of(raw, name, purpose.missing)}
        far = {word for word, one in known.items() if one is not None and not low <= one <= high}
        if low < high and far:
            found[name] = [cell for cell in raw.values(name) if cell in far]
    return found


def _number(text: str, purpose: Purpose) -> float | None:
    try:
        return parse_number(text, purpose.decimal)
    except ValueError:
        return None


def read_takes(raw: RawCsv, purpose: Purpose, fields: Fields) -> list[Take]:
    """The second step: the task's columns, old or new, each with where it is taken from.

    Words of categories are read in the third step. Raises ChoicesRefused.
    """
    errors: dict[str, str] = {}
    found = _old_takes if purpose.task else _new_takes
    takes = list(found(raw, purpose, fields, errors))
    if not errors and not any(take.source for take in takes):
        errors[""] = "Choose at least one column of the file."
    sources = [take.source for take in takes if take.source]
    if twice := {source for source in sources if sources.count(source) > 1}:
        errors[""] = f"A column can be taken once: {', '.join(sorted(twice))}."
    for take in takes:
        words = words_of(raw, take.source, purpose.missing) if take.source else []
        if take.column.kind != "number" and len(words) > MOST_WORDS:
            key = f"source|{take.column.name}" if purpose.task else f"kind|{take.source}"
            errors[key] = f"{len(words)} different values are no category: at most {MOST_WORDS}."
    if errors:
        raise ChoicesRefused(errors)
    return takes


def free_columns(raw: RawCsv, purpose: Purpose) -> list[str]:
    """The file's columns that are neither the class nor the hospital."""
    used = (purpose.class_source, purpose.hospital_source)
    return [name for name in raw.header if name not in used]


def _unit_in(source: str, column: Column) -> str:
    """The unit that the heading of a file's column names, if the column can be in it."""
    said = name_and_unit(source)[1].casefold()
    return next((one.name for one in units_of(column) if one.name.casefold() == said), "")


def _old_takes(
    raw: RawCsv, purpose: Purpose, fields: Fields, errors: dict[str, str]
) -> Iterator[Take]:
    for column in get_task(purpose.task).columns:
        source = fields.get(f"source|{column.name}", "")
        if source and source not in free_columns(raw, purpose):
            errors[f"source|{column.name}"] = "Choose a column of the file."
            continue
        units = units_of(column)
        asked = fields.get(f"unit|{column.name}", units[0].name)
        yield Take(column, source, next((u for u in units if u.name == asked), units[0]))


def _new_takes(
    raw: RawCsv, purpose: Purpose, fields: Fields, errors: dict[str, str]
) -> Iterator[Take]:
    bounds = {
        name: (
            _bound(fields, {}, f"low|{name}", "number"),
            _bound(fields, {}, f"high|{name}", "number"),
        )
        for name in free_columns(raw, purpose)
        if fields.get(f"kind|{name}") == "number"
    }
    likely = rows_within(raw, purpose, bounds)
    for name in free_columns(raw, purpose):
        kind = fields.get(f"kind|{name}", "")
        if kind not in KINDS:
            errors[f"kind|{name}"] = "Choose a kind."
        elif kind:
            yield _new_take(likely, purpose, fields, errors, name)


def _new_take(
    raw: RawCsv, purpose: Purpose, fields: Fields, errors: dict[str, str], name: str
) -> Take:
    label = fields.get(f"label|{name}", "").strip()
    unit = fields.get(f"unit|{name}", "").strip()
    note_problem(errors, f"label|{name}", lambda: check_text("Name", label))
    kind = cast(Kind, fields[f"kind|{name}"])
    low, high = (_bound(fields, errors, f"{bound}|{name}", kind) for bound in ("low", "high"))
    if kind == "number" and not low < high:
        errors.setdefault(f"high|{name}", "Expected more than the lower end.")
    categories: tuple[Category, ...] = ()
    if kind in ("binary", "category"):
        words = sorted(words_of(raw, name, purpose.missing))
        categories = tuple(Category(word, word) for word in words[: MOST_WORDS + 1])
        if kind == "binary" and len(words) != 2:
            errors[f"kind|{name}"] = f"Expected two different values, got {len(words)}."
    else:
        note_problem(errors, f"unit|{name}", lambda: check_text("Unit", unit or "none"))
    number = kind == "number"
    column = Column(
        imported_column_name(label, raw.header.index(name)),
        label,
        kind or "number",
        unit if number else "",
        low,
        high,
        categories,
    )
    return Take(column, name, Unit(unit if number else ""))


def _bound(fields: Fields, errors: dict[str, str], key: str, kind: str) -> float:
    if kind != "number":
        return float(key.startswith("high"))
    try:
        return read_number(fields.get(key, ""))
    except ValueError:
        errors[key] = "Expected a number."
        if "," in fields.get(key, ""):
            errors[key] += f" {WITH_POINT}"
        return 0.0
