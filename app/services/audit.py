"""The audit log: who did what and when, append-only, chained by hash.

An entry's hash is SHA-256 over a label, a newline and the canonical JSON (keys sorted, no spaces,
UTF-8) of its fields and of the hash of the entry before; the first names 64 zeros. Altering,
inserting or removing an entry breaks the chain; cutting off its end shows in the head row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from app.database import Database
from app.models import AuditHeadRow, AuditRow, UserRow
from app.models.base import now
from app.services.tables import Column, Table

SYSTEM = "system"
GENESIS = "0" * 64
PAGE = 50

_LABEL = b"consilium/audit/1\n"
_HEAD = 1
_BATCH = 1000


@dataclass(frozen=True)
class AuditPage:
    """A page of entries, the newest first. Pages are counted from 1."""

    entries: list[AuditRow]
    page: int
    pages: int
    total: int

    def reason(self, entry: AuditRow) -> str:
        """The reason that somebody gave for what an entry tells of; "" for none."""
        return str(json.loads(entry.details).get("reason", ""))


class AuditLog:
    """The log of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        actor: UserRow | str | None,
        action: str,
        subject: str = "",
        details: Mapping[str, Any] | None = None,
        session: Session | None = None,
    ) -> AuditRow:
        """Append an entry; in the caller's transaction when its session is given, else in its own.

        `actor` is a person, or a name; None stands for SYSTEM. `action` is object.verb in the past
        tense ("user.authorised"). `details` must be JSON and hold no secret. The log is locked
        until the transaction ends: add as the last thing in it.
        """
        name = actor.name if isinstance(actor, UserRow) else actor or SYSTEM
        identifier = actor.id if isinstance(actor, UserRow) else None
        with self._session(session) as open_session:
            head = _locked_head(open_session)
            row = AuditRow(
                id=head.entry_id + 1,
                at=now(),
                actor=name,
                actor_id=identifier,
                action=action,
                subject=subject,
                details=_canonical(dict(details or {})),
                previous_sha256=head.sha256,
            )
            row.sha256 = entry_hash(row)
            open_session.add(row)
            head.entry_id, head.sha256 = row.id, row.sha256
            open_session.flush()
            return row

    def entries(self, page: int = 1, text: str = "") -> AuditPage:
        """A page of PAGE entries; a number beyond the last gives the last.

        With `text` only entries that have it in the actor's name, the action or the subject.
        """
        with self._database.transaction() as session:
            counted = select(func.count()).select_from(AuditRow).where(_has(text))
            total = session.scalar(counted) or 0
            pages = max(1, -(-total // PAGE))
            page = min(max(1, page), pages)
            chosen = select(AuditRow).where(_has(text)).order_by(AuditRow.id.desc())
            rows = session.scalars(chosen.offset((page - 1) * PAGE).limit(PAGE)).all()
            return AuditPage(list(rows), page, pages, total)

    def every(self, text: str = "") -> list[AuditRow]:
        """All entries, or those with the text (see `entries`), in their order."""
        with self._database.transaction() as session:
            return list(session.scalars(select(AuditRow).where(_has(text)).order_by(AuditRow.id)))

    def verify(self) -> list[int]:
        """The ids of entries that are altered, inserted or missing; empty when the log is whole.

        For entries that were removed, the id of the first of them is named.
        """
        broken: list[int] = []
        previous, expected = GENESIS, 1
        with self._database.transaction() as session:
            head = session.get_one(AuditHeadRow, _HEAD)
            for row in session.scalars(
                select(AuditRow).order_by(AuditRow.id).execution_options(yield_per=_BATCH)
            ):
                if row.id != expected:
                    broken.append(expected)
                    previous = row.previous_sha256
                if row.previous_sha256 != previous or row.sha256 != entry_hash(row):
                    broken.append(row.id)
                previous, expected = row.sha256, row.id + 1
            if (head.entry_id, head.sha256) != (expected - 1, previous):
                broken.append(expected)
        return broken

    @contextmanager
    def _session(self, session: Session | None) -> Iterator[Session]:
        if session is not None:
            yield session
            return
        with self._database.transaction() as own:
            yield own


def audit_table(entries: Sequence[AuditRow]) -> Table:
    """The entries as a file has them, with all that their hashes are computed from."""
    columns = [
        Column("id", "No.", "number", "counted from 1, without a gap"),
        Column("at", "When", meaning="UTC"),
        Column("actor", "Who"),
        Column("actor_id", "Who, by number", "number", "None for the system"),
        Column("action", "What"),
        Column("subject", "About"),
        Column("details", "Details", meaning="canonical JSON"),
        Column("previous_sha256", "Hash of the entry before", "hash"),
        Column("sha256", "Hash", "hash"),
    ]
    return Table(
        name="audit-log",
        title="Audit log",
        about="Who did what and when; each entry carries the hash of the one before.",
        columns=tuple(columns),
        rows=tuple(_fields(entry) for entry in entries),
    )


def _fields(row: AuditRow) -> tuple[Any, ...]:
    at = row.at.isoformat(timespec="microseconds")
    before = (row.id, at, row.actor, row.actor_id, row.action, row.subject, row.details)
    return (*before, row.previous_sha256, row.sha256)


def _has(text: str) -> ColumnElement[bool]:
    columns = (AuditRow.actor, AuditRow.action, AuditRow.subject)
    return or_(*(column.icontains(text, autoescape=True) for column in columns))


def entry_hash(row: AuditRow) -> str:
    """The SHA-256 of an entry's fields, as lower-case hex; see the module's docstring."""
    fields = {
        "id": row.id,
        "at": row.at.isoformat(timespec="microseconds"),
        "actor": row.actor,
        "actor_id": row.actor_id,
        "action": row.action,
        "subject": row.subject,
        "details": row.details,
        "previous_sha256": row.previous_sha256,
    }
    return hashlib.sha256(_LABEL + _canonical(fields).encode()).hexdigest()


def _locked_head(session: Session) -> AuditHeadRow:
    """The head row, locked. SQLite knows no FOR UPDATE: there the write before it locks."""
    session.flush()
    session.execute(
        update(AuditHeadRow)
        .where(AuditHeadRow.id == _HEAD)
        .values(entry_id=AuditHeadRow.entry_id)
        .execution_options(synchronize_session=False)
    )
    chosen = select(AuditHeadRow).where(AuditHeadRow.id == _HEAD).with_for_update()
    return session.scalars(chosen.execution_options(populate_existing=True)).one()


def _canonical(value: Any) -> str:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
