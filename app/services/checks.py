"""Checks of everything against the chain that were asked for on a page; the worker does them.

The web process cannot: the parties' folders and keys are not its own. Whoever checks holds the
installation's right to train (`training.lock`), so no training runs beside it, and whoever has that
right and finds a check that is running knows that its worker is gone: it begins anew. A check goes
before the trainings that wait, and never before one that is under way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from app.database import Database
from app.models import CheckDifferenceRow, CheckRow, UserRow
from app.models.base import now
from app.services.audit import AuditLog
from app.services.check_report import Report
from app.services.jobs import DONE, FAILED, QUEUED, RUNNING
from app.services.verification_progress import Progress

OPEN = (QUEUED, RUNNING)
# The history shows so many checks, and a check keeps so many differences.
LATEST = 20
MOST_DIFFERENCES = 1000
# The worker tells before each round that it checks; a long one takes seconds.
SILENT_AFTER = timedelta(seconds=60)


@dataclass(frozen=True)
class CheckView:
    """A check as a page shows it: the row, who asked for it, whether its worker fell silent."""

    row: CheckRow
    requested_by: str
    silent: bool

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return self.row.state not in OPEN

    @property
    def waits(self) -> bool:
        """Whether it has not begun."""
        return self.row.state == QUEUED

    @property
    def whole(self) -> bool:
        """Whether everything was checked and nothing differs."""
        return self.row.state == DONE and self.row.differences == 0


class Checks:
    """The checks of one installation; `clock` gives the present moment in UTC."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._clock = clock
        self._log = AuditLog(database)

    # Asking and looking

    def submit(self, asking: UserRow) -> int:
        """The number of a new check; of the one that waits or runs, where there is one."""
        with self._database.transaction() as session:
            waiting = session.scalars(_open()).first()
            if waiting is not None:
                return waiting.id
            row = CheckRow(requested_by=asking.id, created_at=self._clock())
            session.add(row)
            session.flush()
            self._log.add(asking, "check.requested", f"check {row.id}", None, session)
            return row.id

    def find(self, number: int) -> CheckView | None:
        """The check, or None."""
        with self._database.transaction() as session:
            row = session.get(CheckRow, number)
            return None if row is None else self._view(session, row)

    def latest(self) -> list[CheckView]:
        """The last checks, the newest first."""
        query = select(CheckRow).order_by(CheckRow.id.desc()).limit(LATEST)
        with self._database.transaction() as session:
            return [self._view(session, row) for row in session.scalars(query)]

    def differences(self, number: int) -> Sequence[CheckDifferenceRow]:
        """What a check found, at most MOST_DIFFERENCES."""
        query = select(CheckDifferenceRow).filter_by(check_id=number)
        with self._database.transaction() as session:
            return session.scalars(query.order_by(CheckDifferenceRow.id)).all()

    # Working: for whoever holds the right to train

    def has_work(self) -> bool:
        """Whether a check waits, or was interrupted (or runs)."""
        with self._database.transaction() as session:
            return session.scalars(_open()).first() is not None

    def begin(self) -> int | None:
        """Take the next check, an interrupted one from its beginning; None when there is none."""
        moment = self._clock()
        with self._database.transaction() as session:
            row = session.scalars(_open()).first()
            if row is None:
                return None
            row.state, row.started_at, row.seen_at = RUNNING, moment, moment
            row.what, row.done, row.total, row.checked, row.differences = "", 0, 0, 0, 0
            session.execute(delete(CheckDifferenceRow).filter_by(check_id=row.id))
            return row.id

    def tell(self, number: int, progress: Progress) -> None:
        """Note how far a check is."""
        values = {
            "what": progress.what,
            "done": progress.done,
            "total": progress.total,
            "checked": progress.checked,
            "differences": progress.differences,
            "seen_at": self._clock(),
        }
        with self._database.transaction() as session:
            session.execute(update(CheckRow).where(CheckRow.id == number).values(values))

    def release(self, number: int) -> None:
        """Let a check wait again that could not go on."""
        with self._database.transaction() as session:
            session.execute(update(CheckRow).where(CheckRow.id == number).values(state=QUEUED))

    def finish(self, number: int, report: Report) -> None:
        """Note what a check found, in one transaction with the audit log's entry."""
        found = report.differences
        values = {
            "state": DONE,
            "what": "",
            "done": report.trainings,
            "total": report.trainings,
            "checked": report.checked,
            "differences": len(found),
            "elsewhere": report.elsewhere,
        }
        with self._database.transaction() as session:
            session.add_all(
                CheckDifferenceRow(
                    check_id=number, what=one.what, expected=one.expected, found=one.found
                )
                for one in found[:MOST_DIFFERENCES]
            )
            self._end(session, number, values)

    def fail(self, number: int, error: str) -> None:
        """Note that a check broke off, and why."""
        with self._database.transaction() as session:
            self._end(session, number, {"state": FAILED, "what": "", "error": error})

    def _end(self, session: Session, number: int, values: dict[str, object]) -> None:
        change = update(CheckRow).where(CheckRow.id == number)
        session.execute(change.values(values | {"ended_at": self._clock()}))
        told = {name: values.get(name) for name in ("state", "checked", "differences")}
        self._log.add(None, "check.ended", f"check {number}", told, session)

    def _view(self, session: Session, row: CheckRow) -> CheckView:
        asked = session.get(UserRow, row.requested_by) if row.requested_by else None
        last = row.seen_at or row.created_at
        silent = row.state == RUNNING and last + SILENT_AFTER < self._clock()
        return CheckView(row, asked.name if asked else "", silent)


def _open() -> Select[CheckRow]:
    """The checks that are not over, an interrupted one first."""
    query = select(CheckRow).where(CheckRow.state.in_(OPEN))
    return query.order_by((CheckRow.state == QUEUED), CheckRow.id).limit(1)
