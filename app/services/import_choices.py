"""What an administrator chose in the steps of an import, read from the fields as they were sent.

A field's name says what it is about: `source|chol` is the file's column for the task's column chol.
Each step has fields to begin with (a guess), and a reader that names everything wrong at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from fl.datasets import Category, Column, Task, described, get_task, task_names
from fl.datasets.description import CLASSES, Description, check_text, describe, imported_column_name
from fl.datasets.guess import (
    MOST_WORDS,
    Kind,
    category_of,
    class_source,
    column_of,
    decimal_sign,
    is_positive,
    missing_markers,
    sources_of,
    words_of,
)
from fl.datasets.imported import folder_name
from fl.datasets.raw_csv import RawCsv
from fl.datasets.recipe import Recipe, Take, parse_number
from fl.datasets.units import Unit, units_of
from fl.errors import DescriptionError

# As nodes are called, now or with another number of them.
_NODE = re.compile(r"node-\d+")

Fields = Mapping[str, str]

NEW = "new"
KINDS = {"number": "Number", "binary": "One of two", "category": "One of several", "": "Leave out"}
MOST_NOTE = 200
LONGEST_NAME = 60


class ChoicesRefused(Exception):
    """Fields that cannot be as they are: a sentence for each, by its name ("" for all)."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(self.errors.values()))


@dataclass(frozen=True)
class Purpose:
    """What the file becomes: a hospital of `task`, or a new one called `title` where that is ""."""

    task: str
    title: str
    class_source: str
    hospital: str
    hospital_source: str
    missing: frozenset[str]
    decimal: str
    source: str
    licence: str


@dataclass(frozen=True)
class Choices:
    """All steps together. `description` is that of a new task, else None."""

    purpose: Purpose
    task: Task
    recipe: Recipe
    description: Description | None


def first_purpose(raw: RawCsv) -> Fields:
    """The fields of the first step before anything was chosen."""
    missing = missing_markers(raw)
    words = {name: words_of(raw, name, missing) for name in raw.header}
    return {
        "task": _likely_task(raw),
        "class_source": class_source(raw.header, words),
        "missing": ", ".join(missing),
        "decimal": decimal_sign(raw),
    }


def read_purpose(raw: RawCsv, fields: Fields, taken: Collection[str]) -> Purpose:
    """The first step; `taken` are the folders of the parties that there are.

    Raises ChoicesRefused.
    """
    errors: dict[str, str] = {}
    task, title = fields.get("task", ""), fields.get("title", "").strip()
    if task == NEW:
        _note(errors, "title", lambda: check_text("Title", title))
    elif task not in task_names():
        errors["task"] = "Choose a task, or a new one."
    classes = fields.get("class_source", "")
    if classes not in raw.header:
        errors["class_source"] = "Choose the column that says what is to be predicted."
    hospital, source = fields.get("hospital", "").strip(), fields.get("hospital_source", "")
    if source and source not in raw.header:
        errors["hospital_source"] = "Choose a column of the file."
    if not source and (problem := name_problem(hospital, taken)):
        errors["hospital"] = problem
    for name in ("source", "licence"):
        text = fields.get(name, "").strip()
        if len(text) > MOST_NOTE or not text.isprintable():
            errors[name] = f"At most {MOST_NOTE} characters in one line."
    if fields.get("decimal") not in (".", ","):
        errors["decimal"] = "Choose a point or a comma."
    if errors:
        raise ChoicesRefused(errors)
    return Purpose(
        task="" if task == NEW else task,
        title=title,
        class_source=classes,
        hospital="" if source else hospital,
        hospital_source=source,
        missing=frozenset(part.strip() for part in fields.get("missing", "").split(",")) - {""},
        decimal=fields["decimal"],
        source=fields.get("source", "").strip(),
        licence=fields.get("licence", "").strip(),
    )


def name_problem(name: str, taken: Collection[str]) -> str:
    """Why a hospital cannot be called so, or "": its name is that of a folder, and in addresses."""
    letters = all(one.isalnum() or one in " .'()&-" for one in name)
    if not 2 <= len(name) <= LONGEST_NAME or not letters or not name[0].isalpha():
        return (
            f"A name has 2 to {LONGEST_NAME} letters, digits, spaces and . ' ( ) & - and begins "
            "with a letter."
        )
    if len(folder_name(name)) < 2:
        return "A name has at least two letters from A to Z or digits: its folder is called so."
    if folder_name(name) in taken or _NODE.fullmatch(folder_name(name)):
        return f"There is a party called {name} already, or nearly so."
    return ""


def first_columns(raw: RawCsv, purpose: Purpose) -> Fields:
    """The fields of the second step before anything was chosen."""
    if purpose.task:
        task = get_task(purpose.task)
        found = sources_of(_free(raw, purpose), task.columns)
        return {f"source|{name}": source for name, source in found.items()}
    fields: dict[str, str] = {}
    for name in _free(raw, purpose):
        guess = column_of(raw, name, purpose.decimal, purpose.missing)
        fields |= {
            f"kind|{name}": guess.kind,
            f"label|{name}": name,
        }
        if guess.kind == "number":
            fields |= {f"low|{name}": f"{guess.low:.10g}", f"high|{name}": f"{guess.high:.10g}"}
    return fields


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


def first_values(raw: RawCsv, purpose: Purpose, takes: Sequence[Take]) -> Fields:
    """The fields of the third step before anything was chosen."""
    classes = get_task(purpose.task).classes if purpose.task else ()
    fields = {"name|0": "no", "name|1": "yes"}
    for at, text in enumerate(class_words(raw, purpose)):
        named = [str(label) for label, name in enumerate(classes) if name == text]
        positive = is_positive(text)
        guess = at if positive is None else int(positive)
        fields[f"class|{text}"] = named[0] if named else str(min(guess, CLASSES - 1))
    for take in takes:
        for text in category_words(raw, purpose, take):
            guessed = category_of(text, take.column.categories)
            fields[f"word|{take.column.name}|{text}"] = guessed
    return fields


def read_values(raw: RawCsv, purpose: Purpose, takes: Sequence[Take], fields: Fields) -> Choices:
    """The third step, and with it everything. Raises ChoicesRefused."""
    errors: dict[str, str] = {}
    names = [fields.get(f"name|{at}", "").strip() for at in range(CLASSES)]
    classes: Sequence[str] = get_task(purpose.task).classes if purpose.task else names
    labels = {text: fields.get(f"class|{text}", "") for text in class_words(raw, purpose)}
    if {label for label in labels.values() if label} != {str(at) for at in range(len(classes))}:
        errors[""] = "Each class needs at least one value of the file."
    finished = [_with_words(raw, purpose, take, fields) for take in takes]
    description = None
    if not purpose.task:
        try:
            columns = [take.column for take in takes]
            description = describe(purpose.title, columns, names)
        except DescriptionError as error:
            errors[""] = f"{str(error)[:1].upper()}{str(error)[1:]}."
    if errors:
        raise ChoicesRefused(errors)
    recipe = Recipe(
        takes=tuple(finished),
        class_source=purpose.class_source,
        classes={text: classes[int(label)] for text, label in labels.items() if label},
        hospital=purpose.hospital,
        hospital_source=purpose.hospital_source,
        missing=purpose.missing,
        decimal=purpose.decimal,
    )
    task = get_task(purpose.task) if description is None else described(description)
    return Choices(purpose, task, recipe, description)


def class_words(raw: RawCsv, purpose: Purpose) -> list[str]:
    """The values of the class column, the most frequent first; of very many the first ones."""
    return words_of(raw, purpose.class_source, purpose.missing)[:MOST_WORDS]


def category_words(raw: RawCsv, purpose: Purpose, take: Take) -> list[str]:
    """The file's values of a column whose categories are given, to be told one by one."""
    if not take.source or not purpose.task or take.column.kind == "number":
        return []
    return words_of(raw, take.source, purpose.missing)


def free_columns(raw: RawCsv, purpose: Purpose) -> list[str]:
    """The file's columns that are neither the class nor the hospital."""
    return _free(raw, purpose)


def _free(raw: RawCsv, purpose: Purpose) -> list[str]:
    used = (purpose.class_source, purpose.hospital_source)
    return [name for name in raw.header if name not in used]


def _likely_task(raw: RawCsv) -> str:
    """The task of most of whose columns the file has one that is called alike, else a new one."""
    for name in task_names():
        columns = get_task(name).columns
        if sum(map(bool, sources_of(raw.header, columns).values())) * 2 > len(columns):
            return name
    return NEW


def _old_takes(
    raw: RawCsv, purpose: Purpose, fields: Fields, errors: dict[str, str]
) -> Iterator[Take]:
    for column in get_task(purpose.task).columns:
        source = fields.get(f"source|{column.name}", "")
        if source and source not in _free(raw, purpose):
            errors[f"source|{column.name}"] = "Choose a column of the file."
            continue
        units = units_of(column)
        asked = fields.get(f"unit|{column.name}", units[0].name)
        yield Take(column, source, next((u for u in units if u.name == asked), units[0]))


def _new_takes(
    raw: RawCsv, purpose: Purpose, fields: Fields, errors: dict[str, str]
) -> Iterator[Take]:
    for name in _free(raw, purpose):
        kind = fields.get(f"kind|{name}", "")
        if kind not in KINDS:
            errors[f"kind|{name}"] = "Choose a kind."
        elif kind:
            yield _new_take(raw, purpose, fields, errors, name)


def _new_take(
    raw: RawCsv, purpose: Purpose, fields: Fields, errors: dict[str, str], name: str
) -> Take:
    label = fields.get(f"label|{name}", "").strip()
    unit = fields.get(f"unit|{name}", "").strip()
    _note(errors, f"label|{name}", lambda: check_text("Name", label))
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
        _note(errors, f"unit|{name}", lambda: check_text("Unit", unit or "none"))
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
        return parse_number(fields.get(key, "").strip().replace(",", "."), ".")
    except ValueError:
        errors[key] = "Expected a number."
        return 0.0


def _with_words(raw: RawCsv, purpose: Purpose, take: Take, fields: Fields) -> Take:
    texts = category_words(raw, purpose, take)
    if not texts:
        return take
    allowed = {one.value for one in take.column.categories}
    chosen = {text: fields.get(f"word|{take.column.name}|{text}", "") for text in texts}
    words = {text: value for text, value in chosen.items() if value in allowed}
    return Take(take.column, take.source, take.unit, words)


def _note(errors: dict[str, str], key: str, check: Callable[[], None]) -> None:
    try:
        check()
    except DescriptionError as error:
        errors[key] = f"{str(error)[:1].upper()}{str(error)[1:]}."
