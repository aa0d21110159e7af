"""The first step of an import: what the file becomes, whose it is, how missing values are written.

Fields are read as they were sent. A field's name says what it is about: `source|chol` is the file's
column for the task's column chol. Each step has fields to begin with (a guess), and a reader that
names everything wrong at once. The steps after this one: `import_columns`, `import_values`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from fl.datasets import get_task, task_names
from fl.datasets.description import check_text
from fl.datasets.guess import (
    class_source,
    decimal_sign,
    hospital_source,
    missing_markers,
    sources_of,
    words_of,
)
from fl.datasets.imported import folder_name
from fl.datasets.raw_csv import RawCsv
from fl.errors import DescriptionError

# As nodes are called, now or with another number of them.
_NODE = re.compile(r"node-\d+")

Fields = Mapping[str, str]

NEW = "new"
MOST_NOTE = 200
LONGEST_NAME = 60
_MOST_NAMED = 10


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


def first_purpose(raw: RawCsv) -> Fields:
    """The fields of the first step before anything was chosen."""
    missing = missing_markers(raw)
    words = {name: words_of(raw, name, missing) for name in raw.header}
    return {
        "task": _likely_task(raw),
        "class_source": class_source(raw.header, words),
        "hospital_source": hospital_source(raw.header),
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
        note_problem(errors, "title", lambda: _check_title(title))
    elif task not in task_names():
        errors["task"] = "Choose a task, or a new one."
    classes = fields.get("class_source", "")
    if classes not in raw.header:
        errors["class_source"] = "Choose the column that says what is to be predicted."
    hospital, source = fields.get("hospital", "").strip(), fields.get("hospital_source", "")
    missing = frozenset(part.strip() for part in fields.get("missing", "").split(",")) - {""}
    if source:
        problem = _source_problem(raw, source, classes, missing, taken)
    else:
        problem = name_problem(hospital, taken)
    if problem:
        errors["hospital_source" if source else "hospital"] = problem
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
        missing=missing,
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
    return taken_problem([name] if _is_taken(name, taken) else [])


def taken_names(names: Iterable[str], taken: Collection[str]) -> list[str]:
    """Those of the names that a party has already, or nearly so, in the alphabet's order."""
    return sorted(name for name in set(names) if _is_taken(name, taken))


def taken_problem(names: Sequence[str], source: str = "") -> str:
    """One sentence on names that parties have already, and what to do; "" for none.

    `source` is the column that says them, "" for a name that was typed.
    """
    if not names:
        return ""
    if not source:
        return f"There is a party called {names[0]} already, or nearly so. Choose another name."
    shown = ", ".join(names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    listed = f"{shown} and {more} more" if more > 0 else shown
    parties = "a party called" if len(names) == 1 else "parties called"
    there = "is" if len(names) == 1 else "are"
    return (
        f"There {there} {parties} {listed} already, or nearly so. Write other names into the "
        f"column {source} of the file and upload it again, or choose another column."
    )


def _is_taken(name: str, taken: Collection[str]) -> bool:
    return folder_name(name) in taken or _NODE.fullmatch(folder_name(name)) is not None


def _source_problem(
    raw: RawCsv, source: str, classes: str, missing: Collection[str], taken: Collection[str]
) -> str:
    """Why a column cannot name the hospitals, or ""."""
    if source not in raw.header:
        return "Choose a column of the file."
    if classes not in raw.header:
        return ""
    return taken_problem(taken_names(_names_in(raw, source, classes, missing), taken), source)


def _names_in(raw: RawCsv, source: str, classes: str, missing: Collection[str]) -> set[str]:
    """The hospitals that a column names, of the rows that say their class, too."""
    at, class_at = raw.header.index(source), raw.header.index(classes)
    whole = (cells for _, cells in raw.rows if len(cells) == len(raw.header))
    none = {*missing, ""}
    return {row[at] for row in whole if row[at] not in none and row[class_at] not in none}


def _check_title(title: str) -> None:
    """Refuse one that another task has, case and spaces ignored: nobody could tell the two apart.

    Raises DescriptionError.
    """
    check_text("Title", title)
    for other in (get_task(name).title for name in task_names()):
        if _letters(other) == _letters(title):
            raise DescriptionError(
                f"another task is called {other} already: choose another title, or import a "
                "hospital of that task"
            )


def _letters(title: str) -> str:
    return "".join(unicodedata.normalize("NFKC", title).casefold().split())


def note_problem(errors: dict[str, str], key: str, check: Callable[[], None]) -> None:
    """Do the check; what it raises is noted under the field's name."""
    try:
        check()
    except DescriptionError as error:
        errors[key] = sentence(error)


def sentence(error: Exception) -> str:
    """What an error says, as a sentence for a page."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _likely_task(raw: RawCsv) -> str:
    """The task of most of whose columns the file has one that is called alike, else a new one."""
    for name in task_names():
        columns = get_task(name).columns
        if sum(map(bool, sources_of(raw.header, columns).values())) * 2 > len(columns):
            return name
    return NEW
