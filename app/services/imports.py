"""Imports of a CSV, from the upload to the data of a hospital or a task; and their removal.

Patients' rows lie in the folder of imported data only: the database and the audit log learn who
imported what, with counts and hashes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from threading import Lock

from sqlalchemy import select

from app.database import Database
from app.errors import RequestError
from app.models import JobRow, PartyRow, TrainingRow, UserRow
from app.models.base import now
from app.services.audit import AuditLog
from app.services.federation import COORDINATOR, DEPUTY
from app.services.import_choices import (
    Purpose,
    first_purpose,
    name_problem,
    read_purpose,
    sentence,
    taken_names,
    taken_problem,
)
from app.services.import_columns import first_columns, read_takes
from app.services.import_values import Choices, first_values, read_values
from app.services.jobs import OPEN
from app.services.requests import TrainingRequest
from app.stores.datasets import DatasetFiles, Draft, with_choices
from fl.datasets import get_task, task_names
from fl.datasets.imported import Origin, folder_name, written
from fl.datasets.partition import MOST, hospital_names
from fl.datasets.raw_csv import RawCsv, read_raw
from fl.datasets.recipe import Converted, Refusal, Take, convert, too_small
from fl.errors import CsvError

PURPOSE, COLUMNS, VALUES = "purpose", "columns", "values"
MOST_HOSPITALS = 20


class Unconfirmed(RequestError):
    """The file lacks most columns of the task, and nobody said that this is meant."""


@dataclass(frozen=True)
class DryRun:
    """What an import would do: the tables and refusals, and why it cannot be done as a whole."""

    choices: Choices
    converted: Converted
    problems: Sequence[str]

    @property
    def lacking(self) -> list[str]:
        """The labels of the task's columns that the file has not, or that were not chosen."""
        return [take.column.label for take in self.choices.recipe.takes if not take.source]

    @property
    def lacks_most(self) -> bool:
        """Whether more than half of the task's columns are lacking."""
        return 2 * len(self.lacking) > len(self.choices.recipe.takes)


class Imports:
    """The imports of one installation, whose imported data lie in `folder`."""

    def __init__(self, folder: Path, database: Database, audit: AuditLog) -> None:
        self._files = DatasetFiles(folder)
        self._database = database
        self._audit = audit
        # Two imports at once could take the same name.
        self._lock = Lock()

    def tidy(self) -> None:
        """Erase files that lay about for a day and were not imported."""
        self._files.tidy()

    def damaged(self) -> tuple[str, ...]:
        """A sentence for each imported file that cannot be what it was."""
        return self._files.catalogue().damaged()

    def begin(self, person: UserRow, file: str, content: bytes) -> Draft:
        """Keep an uploaded file. Raises RequestError for one that is no table."""
        _read(content)
        name = "".join(one for one in file if one.isprintable() and one not in "/\\")[-100:]
        return self._files.begin(person.id, name or "file.csv", content)

    def find(self, person: UserRow, token: str) -> Draft | None:
        """The person's own draft of that token, or None."""
        draft = self._files.find(token)
        return draft if draft is not None and draft.owner == person.id else None

    def drafts(self, person: UserRow) -> list[Draft]:
        """The files that the person looks over, the newest first."""
        return self._files.drafts(person.id)

    def raw(self, draft: Draft) -> RawCsv:
        """The cells of a draft's file. Raises RequestError where it is gone."""
        return _read(self._files.content(draft))

    def save(self, draft: Draft, step: str, fields: Mapping[str, str]) -> Draft:
        """Keep what was sent of a step, right or not: nothing is lost on the way back."""
        with self._lock:
            # Meanwhile it may have been imported, which must not be forgotten.
            current = self._files.find(draft.token)
            if current is None or current.became:
                return current or draft
            changed = with_choices(current, step, fields)
            self._files.save(changed)
            return changed

    def give_up(self, draft: Draft) -> None:
        """Forget a draft."""
        self._files.give_up(draft)

    def stands(self, draft: Draft) -> bool:
        """Whether rows of an imported draft are still there."""
        origins = self._files.catalogue().origins(draft.became)
        return any(one.file_sha256 == draft.sha256 for one in origins)

    def fields(self, draft: Draft, step: str) -> Mapping[str, str]:
        """The fields of a step: a guess, and over it what was sent.

        Raises ChoicesRefused for a step whose earlier ones cannot be as they are.
        """
        raw = self.raw(draft)
        if step == PURPOSE:
            guess = first_purpose(raw)
        elif step == COLUMNS:
            guess = first_columns(raw, self.purpose(draft))
        else:
            guess = first_values(raw, self.purpose(draft), self.takes(draft))
        return {**guess, **draft.chosen(step)}

    def purpose(self, draft: Draft) -> Purpose:
        """The first step. Raises ChoicesRefused."""
        return read_purpose(self.raw(draft), draft.chosen(PURPOSE), self._taken())

    def takes(self, draft: Draft) -> list[Take]:
        """The second step. Raises ChoicesRefused."""
        return read_takes(self.raw(draft), self.purpose(draft), draft.chosen(COLUMNS))

    def choices(self, draft: Draft) -> Choices:
        """All steps. Raises ChoicesRefused."""
        raw, purpose, takes = self.raw(draft), self.purpose(draft), self.takes(draft)
        return read_values(raw, purpose, takes, draft.chosen(VALUES))

    def try_out(self, draft: Draft) -> DryRun:
        """What the import would do; nothing is kept. Raises ChoicesRefused."""
        choices = self.choices(draft)
        converted = convert(self.raw(draft), choices.task, choices.recipe)
        return DryRun(choices, converted, self._problems(choices, converted))

    def carry_out(self, person: UserRow, draft: Draft, lacking: bool = False) -> str:
        """Import what is right; the task's name. Sent again, it is the same and nothing is done.

        `lacking` confirms that most columns may be lacking. Raises ChoicesRefused, Unconfirmed,
        and RequestError where the import cannot be done as a whole.
        """
        with self._lock:
            current = self._files.find(draft.token)
            if current is None:
                raise RequestError("The file was given up or erased: upload it again.")
            if current.became:
                return current.became
            run = self.try_out(draft)
            if run.problems:
                raise RequestError(" ".join(f"{problem}." for problem in run.problems))
            if run.lacks_most and not lacking:
                raise Unconfirmed("Tick that most columns may be lacking, or choose them.")
            task = run.choices.task
            told = [self._keep(draft, run, hospital) for hospital in run.converted.tables]
            description = run.choices.description
            if description is not None:
                self._files.add_task(description)
            self._audit.add(
                person,
                "dataset.imported",
                task.name,
                {
                    "file_sha256": draft.sha256,
                    "hospitals": told,
                    "refused_rows": run.converted.refused_rows,
                    "new_task": description is not None,
                },
            )
            self._files.finish(draft, task.name)
            return task.name

    def remove(self, person: UserRow, task: str, hospital: str) -> None:
        """Erase an imported hospital's rows; of an imported task the last one with its task.

        Raises RequestError while a training uses them or waits.
        """
        with self._lock:
            origin = self.find_origin(task, hospital)
            if origin is None:
                raise RequestError("There is no imported hospital of that name any more.")
            if reason := self.in_use(task, hospital):
                raise RequestError(reason)
            if get_task(task).hospitals == (hospital,):
                self._files.remove_task(task)
            else:
                self._files.remove_rows(task, hospital)
            details = {"hospital": hospital, "rows": origin.rows, "sha256": origin.sha256}
            self._audit.add(person, "dataset.removed", task, details)

    def find_origin(self, task: str, hospital: str) -> Origin | None:
        """Where an imported hospital's rows are from, or None where none were imported."""
        found = self._files.catalogue().origins(task)
        return next((one for one in found if one.hospital == hospital), None)

    def in_use(self, task: str, hospital: str) -> str:
        """Why the rows cannot be removed, as a sentence; "" where nothing needs them."""
        with self._database.transaction() as session:
            plans = session.execute(select(TrainingRow.id, TrainingRow.plan).filter_by(task=task))
            used = [one.id for one in plans if hospital in _members(one.plan)]
            jobs = session.execute(select(JobRow.id, JobRow.request, JobRow.state))
            asked = [one for one in jobs if TrainingRequest.from_json(one.request).task == task]
        if used:
            return (
                f"The training {used[0][:12]} was made with these rows: checking it needs them, so "
                "they stay."
            )
        if any(one.state in OPEN for one in asked):
            return "A training of this task waits or runs: try again when it is over."
        last = get_task(task).hospitals == (hospital,)
        if asked and last:
            return f"Job {asked[0].id} asked for a training of this task: its record names it."
        return ""

    def _keep(self, draft: Draft, run: DryRun, hospital: str) -> dict[str, str | int]:
        task, table = run.choices.task, run.converted.tables[hospital]
        content = written(task, table)
        origin = Origin(
            hospital=hospital,
            sha256=sha256(content).hexdigest(),
            rows=len(table),
            refused=run.converted.refused_rows,
            file=draft.file,
            file_sha256=draft.sha256,
            source=run.choices.purpose.source,
            licence=run.choices.purpose.licence,
            at=now().isoformat(timespec="seconds"),
        )
        self._files.add_rows(task.name, origin, content)
        return {"hospital": hospital, "rows": len(table), "sha256": origin.sha256}

    def _problems(self, choices: Choices, converted: Converted) -> list[str]:
        names = list(converted.tables)
        if not names:
            return ["No row of the file can be taken"]
        if len(names) > MOST_HOSPITALS:
            return [f"Expected at most {MOST_HOSPITALS} hospitals, got {len(names)}"]
        taken, problems = self._taken(), []
        twice = taken_names(names, taken)
        if problem := taken_problem(twice, choices.purpose.hospital_source):
            problems.append(problem[:-1])
        for name in names:
            if name not in twice and (problem := name_problem(name, taken)):
                problems.append(f"{name!r}: {problem[:-1]}")
            taken.add(folder_name(name))
        return [*problems, *too_small(choices.task, converted.tables)]

    def _taken(self) -> set[str]:
        """The folders of all parties that there are or that a task may have."""
        names = {COORDINATOR, DEPUTY, *hospital_names(MOST)}
        for task in map(get_task, task_names()):
            names.update(task.hospitals, task.joined)
        with self._database.transaction() as session:
            names.update(session.scalars(select(PartyRow.name)))
        return {folder_name(name) for name in names}


def refused_lines(refused: Sequence[Refusal]) -> list[tuple[object, ...]]:
    """The report of refused rows, a line each problem."""
    return [(one.line, one.column, one.expected, one.came) for one in refused]


def _members(plan: str) -> set[str]:
    return {one["name"] for one in json.loads(plan)["hospitals"]}


# Each step reads the file again.
@lru_cache(maxsize=1)
def _parsed(content: bytes) -> RawCsv:
    return read_raw(content)


def _read(content: bytes) -> RawCsv:
    try:
        return _parsed(content)
    except CsvError as error:
        raise RequestError(sentence(error)) from error
