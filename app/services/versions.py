"""The versions of each task's model, as the page of the models shows them; nothing is checked here.

What a version is stands in `app.services.version_names`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import DeploymentRow, PromotionRow, TrainingRow, UserRow
from app.services.promotions import DONE, WAITING, newest, require_usable, way
from app.services.simulation import Simulation
from app.services.training_outcome import last_round
from app.services.version_names import version_name, versions_of
from fl.datasets import get_task, task_names


@dataclass(frozen=True)
class Change:
    """A time when a version was put into use, or is to be. `by` is None where nobody asked.

    `way` is one of `app.services.promotions.way`.
    """

    state: str
    way: str
    reason: str
    reason_sha256: str
    problem: str
    by: str | None
    at: datetime
    transaction: str | None


@dataclass(frozen=True)
class Version:
    """What a finished training ended with; `attack` names the simulated attack, if there was one.

    `changes` are its promotions, the newest first; `way` is how it would be put into use now, one
    of `app.services.promotions.way`; `refusal` says why it cannot be put into use
    now, "" where it can.
    """

    number: int
    training: str
    task: str
    rounds: int
    accuracy: float | None
    balanced_accuracy: float | None
    ended_at: datetime | None
    model_sha256: str
    attack: str
    in_use: bool
    way: str
    refusal: str
    changes: list[Change] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What it predicts."""
        return get_task(self.task).title

    @property
    def name(self) -> str:
        """What it is called: "version 3 (b30004e2, round 5)"."""
        return version_name(self.number, self.training, self.rounds)

    @property
    def used_before(self) -> bool:
        """Whether it was in use once."""
        return any(change.state == DONE for change in self.changes)

    @property
    def waiting(self) -> bool:
        """Whether it is about to be put into use."""
        return any(change.state == WAITING for change in self.changes)


@dataclass(frozen=True)
class TaskVersions:
    """All versions of a task, the newest first; `older`: its contracts know no promotions."""

    task: str
    versions: list[Version]
    older: bool

    def same_as(self, version: Version) -> int | None:
        """The number of the first version with the very model of this one, or None."""
        first = min(o.number for o in self.versions if o.model_sha256 == version.model_sha256)
        return first if first != version.number else None

    @property
    def title(self) -> str:
        """What they predict."""
        return get_task(self.task).title

    @property
    def in_use(self) -> Version | None:
        """The version that doctors use, or None."""
        return next((one for one in self.versions if one.in_use), None)

    @property
    def waiting(self) -> bool:
        """Whether one of them is about to be put into use."""
        return any(one.waiting for one in self.versions)


class Versions:
    """The versions in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def every(self) -> list[TaskVersions]:
        """The versions of every task, in the tasks' order."""
        with self._database.transaction() as session:
            return [_of_task(session, task) for task in task_names()]

    def of(self, task: str) -> TaskVersions:
        """The versions of a task."""
        with self._database.transaction() as session:
            return _of_task(session, task)

    def find(self, training: str) -> Version | None:
        """The version that a training made, or None."""
        with self._database.transaction() as session:
            row = session.get(TrainingRow, training)
            if row is None:
                return None
            known = _of_task(session, row.task).versions
            return next((one for one in known if one.training == training), None)


def _of_task(session: Session, task: str) -> TaskVersions:
    rows = session.scalars(versions_of(task)).all()
    numbers = {row.id: number for number, row in enumerate(rows, start=1)}
    changes = _changes(session, task, numbers)
    older = _contracts_are_older(session)
    used = _used(session, task, rows)
    in_use = numbers.get(used or "")
    versions = [
        _version(session, numbers[row.id], row, changes.get(row.id, []), in_use) for row in rows
    ]
    return TaskVersions(task, versions[::-1], older)


def _used(session: Session, task: str, rows: Sequence[TrainingRow]) -> str | None:
    """The training whose model is in use; with older contracts the latest without attackers."""
    promoted = newest(session, task)
    if promoted is not None:
        return promoted.training_id
    older = set(session.scalars(select(DeploymentRow.id).where(DeploymentRow.models.is_(None))))
    honest = [row.id for row in rows if row.simulation is None and row.deployment_id in older]
    return honest[-1] if honest else None


def _contracts_are_older(session: Session) -> bool:
    newest_one = select(DeploymentRow).order_by(DeploymentRow.id.desc()).limit(1)
    deployment = session.scalars(newest_one).first()
    return deployment is not None and deployment.models is None


def _changes(session: Session, task: str, numbers: Mapping[str, int]) -> Mapping[str, list[Change]]:
    """The promotions of a task by training, the newest first; `numbers` are the versions'."""
    query = select(PromotionRow, UserRow.name).outerjoin(
        UserRow, UserRow.id == PromotionRow.asked_by
    )
    found: dict[str, list[Change]] = {}
    before: int | None = None
    for row, name in session.execute(
        query.where(PromotionRow.task == task).order_by(PromotionRow.id)
    ):
        number = numbers.get(row.training_id, 0)
        change = Change(
            row.state,
            way(row.back, number, before),
            row.reason,
            row.reason_sha256,
            row.problem,
            name,
            row.asked_at,
            row.transaction,
        )
        found.setdefault(row.training_id, []).insert(0, change)
        if row.state == DONE:
            before = number
    return found


def _version(
    session: Session, number: int, row: TrainingRow, changes: list[Change], used: int | None
) -> Version:
    try:
        require_usable(session, row)
        refusal = ""
    except RequestError as error:
        refusal = str(error)
    simulation = Simulation.from_row(row.simulation)
    used_before = any(change.state == DONE for change in changes)
    return Version(
        number=number,
        training=row.id,
        task=row.task,
        rounds=last_round(row),
        accuracy=row.accuracy,
        balanced_accuracy=row.balanced_accuracy,
        ended_at=row.ended_at,
        model_sha256=row.model_sha256 or "",
        attack=simulation.title if simulation else "",
        in_use=number == used,
        way=way(used_before, number, used),
        refusal=refusal,
        changes=changes,
    )
