"""Second looks: a rejected hospital asks, two administrators decide, the worker writes it down.

asked for: waiting ── written on the ledger ──> open ── two say the same ──> upheld or dismissed
              └── not its update, or refused ─> refused

The round that rejected stays as it is. Every reason stands on the ledger as a salted digest only.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import (
    AppealRow,
    AttemptRow,
    DeploymentRow,
    OpinionRow,
    SubmissionRow,
    TrainingRow,
    UserRow,
)
from app.services.audit import AuditLog
from app.services.promotions import MOST_REASON, reason_digest
from app.services.staff import find_hospital
from app.stores.rounds import FINALISED, REJECTED

WAITING, OPEN, UPHELD, DISMISSED, REFUSED = "waiting", "open", "upheld", "dismissed", "refused"
DONE = "done"
OLDER = (
    "This installation’s contracts are older than appeals, so that nobody could decide one. "
    "A new installation has them."
)

ASKED = "You asked for this already."
UPHELD_BEFORE = (
    "An appeal of your hospital in this training was upheld already: it counts for all its later "
    "rounds, and another one would change nothing."
)

# How an appeal stands, where a word must do; "" elsewhere says that nobody appealed.
IN_A_WORD = {
    WAITING: "asked",
    OPEN: "asked",
    UPHELD: "upheld",
    DISMISSED: "dismissed",
    REFUSED: "not taken",
}

# What upholding means, in one sentence.
EFFECT = (
    "If it is upheld, a low balanced accuracy of this hospital is shown and rejects it no more, in "
    "rounds of this training that begin after that; range, norm and sharing refuse it as all "
    "others, and this round stays as it is."
)


# What it means where no round can follow it.
NO_EFFECT = (
    "This training has ended: an upheld appeal goes on the record and changes no model. This round "
    "stays as it is, too."
)


class Appeals:
    """The appeals of one database; every change is one transaction with its audit entry."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._database = database
        self._audit = audit

    def ask(self, person: UserRow, training: str, round: int, reason: str) -> AppealRow:
        """Ask for a second look at what the operator's hospital submitted in a round.

        Raises RequestError where the hospital was not rejected in it, has asked before, or has an
        upheld appeal in the training, which counts for all later rounds.
        """
        reason = _checked(reason)
        with self._database.transaction() as session:
            hospital = find_hospital(session, person.id)
            if hospital is None:
                raise RequestError("No administrator has said yet for which hospital you act.")
            row = session.get(TrainingRow, training, with_for_update=True)
            problem = refusal(session, row, round, hospital)
            if row is None or problem:
                raise RequestError(problem)
            salt = secrets.token_bytes(32)
            known = find_appeal(session, training, round, hospital)
            # One that was refused stands nowhere else: the hospital may ask again.
            made = known or AppealRow(training_id=training, round=round, hospital=hospital)
            made.deployment_id, made.asked_by = row.deployment_id, person.id
            made.reason, made.salt = reason, salt.hex()
            made.reason_sha256 = reason_digest(salt, reason).hex()
            made.state, made.problem = WAITING, ""
            session.add(made)
            session.flush()
            details = {"training": training, "round": round, "reason": reason}
            self._audit.add(person, "appeal.asked", hospital, details, session)
            return made

    def decide(self, person: UserRow, appeal: int, upheld: bool, reason: str) -> OpinionRow:
        """Uphold an appeal or dismiss it, as an administrator.

        Raises RequestError where it is not open, or the person has said the same before.
        """
        reason = _checked(reason)
        with self._database.transaction() as session:
            row = session.get(AppealRow, appeal, with_for_update=True)
            if row is None or row.state != OPEN:
                raise RequestError("This appeal is not open (any more). Reload the page.")
            if any(one.state == WAITING for one in row.opinions):
                raise RequestError("Another decision on it is being written: wait for it.")
            standing = standing_opinions(row.opinions).get(person.id)
            if standing is not None and standing.upheld == upheld:
                raise RequestError(
                    "You said so already. Another administrator has to say the same."
                )
            salt = secrets.token_bytes(32)
            made = OpinionRow(
                appeal_id=row.id,
                upheld=upheld,
                reason=reason,
                salt=salt.hex(),
                reason_sha256=reason_digest(salt, reason).hex(),
                decided_by=person.id,
            )
            session.add(made)
            session.flush()
            details = {"training": row.training_id, "round": row.round, "reason": reason}
            action = "appeal.upheld_by_one" if upheld else "appeal.dismissed_by_one"
            self._audit.add(person, action, row.hospital, details, session)
            return made

    def waiting_for_people(self) -> int:
        """How many appeals wait for administrators."""
        with self._database.transaction() as session:
            query = select(func.count()).select_from(AppealRow).filter_by(state=OPEN)
            return session.scalar(query) or 0


def refusal(session: Session, row: TrainingRow | None, round: int, hospital: str) -> str:
    """Why a hospital cannot appeal against a round (any more), or "" where it can."""
    submission = find_rejected(session, row.id, round, hospital) if row else None
    if row is None or submission is None:
        return "Your hospital was not rejected in this round: there is nothing to look at again."
    if session.get_one(DeploymentRow, row.deployment_id).appeals is None:
        return OLDER
    known = find_appeal(session, row.id, round, hospital)
    if known is not None and known.state != REFUSED:
        return ASKED
    if find_upheld(session, row.id, hospital):
        return UPHELD_BEFORE
    return ""


def find_upheld(session: Session, training: str, hospital: str) -> AppealRow | None:
    """The first upheld appeal of a hospital in a training, or None."""
    query = select(AppealRow).filter_by(training_id=training, hospital=hospital, state=UPHELD)
    return session.scalars(query.order_by(AppealRow.decided_block).limit(1)).first()


def find_rejected(
    session: Session, training: str, round: int, hospital: str
) -> SubmissionRow | None:
    """What a hospital submitted to a finalised round that rejected it, or None."""
    query = (
        select(SubmissionRow)
        .join(AttemptRow, AttemptRow.id == SubmissionRow.attempt_id)
        .where(AttemptRow.training_id == training, AttemptRow.round == round)
        .where(AttemptRow.state == FINALISED)
        .where(SubmissionRow.hospital == hospital, SubmissionRow.verdict == REJECTED)
    )
    return session.scalars(query).one_or_none()


def appeals_in_a_word(session: Session, training: str) -> dict[int, dict[str, str]]:
    """How the appeals of a training stand, by round and hospital, as words of IN_A_WORD."""
    found: dict[int, dict[str, str]] = {}
    for row in session.scalars(select(AppealRow).filter_by(training_id=training)):
        found.setdefault(row.round, {})[row.hospital] = IN_A_WORD.get(row.state, row.state)
    return found


def find_appeal(session: Session, training: str, round: int, hospital: str) -> AppealRow | None:
    """The appeal of a hospital against a round, or None."""
    query = select(AppealRow).filter_by(training_id=training, round=round, hospital=hospital)
    return session.scalars(query).one_or_none()


def standing_opinions(opinions: Sequence[OpinionRow]) -> dict[int, OpinionRow]:
    """What each person said last, by the person; only what stands on the ledger."""
    return {one.decided_by: one for one in opinions if one.state == DONE}


def _checked(reason: str) -> str:
    reason = " ".join(reason.split())
    if not 0 < len(reason) <= MOST_REASON:
        raise RequestError(f"Give the reason, in at most {MOST_REASON} characters.")
    return reason
