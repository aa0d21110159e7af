"""Approvals by hand: what a hospital's operators are asked, and what their wallets signed.

A hospital that wants it is asked about each training before anything is opened on the chain:

waiting ── sign approve ─> approved         all approved: the training may begin
   ├────── sign refuse ──> refused          one refused: it ends, and the others are dropped
   └────── stopped ──────> dropped
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import MessageRefused, RequestError
from app.models import (
    ApprovalRow,
    ApprovalRuleRow,
    DeploymentRow,
    JobRow,
    TrainingRow,
    UserRow,
)
from app.models.base import now
from app.services.approval_message import (
    MOST_REASON,
    Decision,
    Domain,
    Rule,
    TypedData,
    find_signer,
)
from app.services.audit import AuditLog
from app.services.jobs import FAILED, QUEUED
from app.services.operators import get_signer
from app.services.unopened import APPROVED, AWAITING, REFUSED, WAITING, end_unopened
from fl.datasets import get_task

# How long a person may take in the wallet, and how far its clock may be off.
LIFETIME: Final = timedelta(minutes=10)

_AGAIN: Final = "Start again from the page."


@dataclass(frozen=True)
class Asked:
    """A question to a hospital with its training, who asked for that, and who answered."""

    row: ApprovalRow
    training: TrainingRow
    asked_by: str | None
    decided_by: str | None

    @property
    def title(self) -> str:
        """What is learnt."""
        return get_task(self.training.task).title


class Approvals:
    """The approvals of one database; every change is one transaction with its audit entry."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._database = database
        self._audit = audit

    # The rule of a hospital

    def find_rule(self, hospital: str) -> ApprovalRuleRow | None:
        """The rule that counts for a hospital, or None: then nobody is asked."""
        with self._database.transaction() as session:
            return newest_rule(session, hospital)

    def offer_rule(self, person: UserRow, required: bool, address: str) -> TypedData:
        """What to sign so that the operator's hospital is asked from now on, or no longer.

        Raises RequestError when the person may not, or `address` is not the authorised wallet.
        """
        with self._database.transaction() as session:
            hospital, _ = _signer(session, person, address)
            return Rule(hospital, required, _now()).typed(_newest_domain(session))

    def set_rule(
        self, person: UserRow, required: bool, issued: int, signature: str
    ) -> ApprovalRuleRow:
        """Switch the question on or off for the operator's hospital.

        Raises MessageRefused for anything but this wallet's fresh signature of just this, and for
        one that was used before; RequestError when the person may not.
        """
        try:
            with self._database.transaction() as session:
                hospital, wallet = get_signer(session, person.id)
                known = newest_rule(session, hospital)
                if known is not None and issued <= known.issued:
                    raise MessageRefused(f"This was signed before the rule that counts. {_AGAIN}")
                typed = Rule(hospital, required, issued).typed(_newest_domain(session))
                _require_signed(typed, issued, signature, wallet)
                row = ApprovalRuleRow(
                    hospital=hospital,
                    required=required,
                    issued=issued,
                    message=_text(typed),
                    signature=signature,
                    wallet=wallet,
                    changed_by=person.id,
                )
                session.add(row)
                session.flush()
                details = {"required": required, "wallet": wallet}
                self._audit.add(person, "approval.rule_set", hospital, details, session)
                return row
        except IntegrityError as error:
            raise MessageRefused(f"The rule was changed meanwhile. {_AGAIN}") from error

    # The questions

    def of_hospital(self, hospital: str, limit: int = 50) -> list[Asked]:
        """What a hospital was asked, the newest first."""
        return self._find(ApprovalRow.hospital == hospital, limit)

    def of_training(self, training: str) -> list[Asked]:
        """What was asked about a training, the newest first."""
        return self._find(ApprovalRow.training_id == training)

    def offer(
        self, person: UserRow, training: str, approve: bool, reason: str, address: str
    ) -> TypedData:
        """What to sign to approve a training, or to refuse it with a reason.

        Raises RequestError when the person may not, `address` is not the authorised wallet, the
        hospital is not asked (any more), or a refusal has no reason.
        """
        with self._database.transaction() as session:
            hospital, _ = _signer(session, person, address)
            row = _get_waiting(session, training, hospital)
            return _decision(session, row, approve, _checked(approve, reason), _now())

    def decide(
        self,
        person: UserRow,
        training: str,
        approve: bool,
        reason: str,
        issued: int,
        signature: str,
    ) -> ApprovalRow:
        """Note what was signed; a refusal ends the training.

        Raises MessageRefused for anything but this wallet's fresh signature of just this decision,
        RequestError as `offer` does, also when somebody else has decided meanwhile.
        """
        with self._database.transaction() as session:
            hospital, wallet = get_signer(session, person.id)
            row = _get_waiting(session, training, hospital)
            reason = _checked(approve, reason)
            typed = _decision(session, row, approve, reason, issued)
            _require_signed(typed, issued, signature, wallet)
            values: dict[str, Any] = {
                "state": APPROVED if approve else REFUSED,
                "reason": reason,
                "message": _text(typed),
                "signature": signature,
                "wallet": wallet,
                "decided_by": person.id,
                "decided_at": now(),
            }
            _note(session, row, values)
            if not approve:
                _end(session, training, f"{hospital} refused it: {reason}")
            details = {"training": training, "wallet": wallet}
            details |= {"reason": reason} if reason else {}
            action = "approval.given" if approve else "approval.refused"
            self._audit.add(person, action, hospital, details, session)
            return row

    def document(self, training: str, hospital: str) -> dict[str, Any] | None:
        """What was signed, for whoever wants to check it elsewhere; None where nothing was."""
        with self._database.transaction() as session:
            query = select(ApprovalRow).filter_by(training_id=training, hospital=hospital)
            row = session.scalars(query).one_or_none()
            if row is None or row.message is None:
                return None
            return {
                "typed_data": json.loads(row.message),
                "signature": row.signature,
                "signer": row.wallet,
            }

    def release(self) -> None:
        """Queue the jobs whose trainings wait for nobody any more."""
        pending = select(ApprovalRow.training_id).where(ApprovalRow.state == WAITING)
        ready = (JobRow.state == AWAITING, JobRow.training_id.not_in(pending))
        with self._database.transaction() as session:
            # Asked for twice a second: only what changes something takes the lock for writing.
            if session.scalars(select(JobRow.id).where(*ready)).first() is not None:
                session.execute(
                    update(JobRow)
                    .where(*ready)
                    .values(state=QUEUED)
                    .execution_options(synchronize_session=False)
                )

    def _find(self, which: ColumnElement[bool], limit: int | None = None) -> list[Asked]:
        query = select(ApprovalRow).where(which).order_by(ApprovalRow.id.desc()).limit(limit)
        with self._database.transaction() as session:
            return [_asked(session, row) for row in session.scalars(query)]


def ask(session: Session, training: str, hospitals: Sequence[str]) -> list[str]:
    """Put the question to those of the hospitals that want to be asked; their names."""
    rules = {name: newest_rule(session, name) for name in hospitals}
    asked = [name for name, rule in rules.items() if rule is not None and rule.required]
    session.add_all(ApprovalRow(training_id=training, hospital=name) for name in asked)
    session.flush()
    return asked


def newest_rule(
    session: Session, hospital: str, until: datetime | None = None
) -> ApprovalRuleRow | None:
    """The rule of a hospital that counts, or counted at a moment; None without one."""
    query = select(ApprovalRuleRow).filter_by(hospital=hospital)
    if until is not None:
        query = query.where(ApprovalRuleRow.changed_at <= until)
    return session.scalars(query.order_by(ApprovalRuleRow.id.desc()).limit(1)).one_or_none()


def _asked(session: Session, row: ApprovalRow) -> Asked:
    by = select(UserRow.name).join(JobRow, JobRow.requested_by == UserRow.id)
    decided = session.get(UserRow, row.decided_by) if row.decided_by else None
    return Asked(
        row=row,
        training=session.get_one(TrainingRow, row.training_id),
        asked_by=session.scalars(by.where(JobRow.training_id == row.training_id)).first(),
        decided_by=decided.name if decided else None,
    )


def _signer(session: Session, person: UserRow, address: str) -> tuple[str, str]:
    hospital, wallet = get_signer(session, person.id)
    if address.lower() != wallet.lower():
        raise RequestError(f"Choose the account {wallet} in the wallet: it is linked to you.")
    return hospital, wallet


def _get_waiting(session: Session, training: str, hospital: str) -> ApprovalRow:
    query = select(ApprovalRow).filter_by(training_id=training, hospital=hospital, state=WAITING)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise RequestError("This training does not wait for your hospital. Reload the page.")
    return row


def _decision(
    session: Session, row: ApprovalRow, approve: bool, reason: str, issued: int
) -> TypedData:
    training = session.get_one(TrainingRow, row.training_id)
    deployment = session.get_one(DeploymentRow, training.deployment_id)
    return Decision(
        hospital=row.hospital,
        task=training.task,
        training=training.id,
        plan=training.plan_sha256,
        rounds=training.rounds,
        approve=approve,
        reason=reason,
        issued=issued,
    ).typed(Domain(deployment.chain_id, deployment.contract))


def _newest_domain(session: Session) -> Domain:
    query = select(DeploymentRow).order_by(DeploymentRow.id.desc()).limit(1)
    deployment = session.scalars(query).one_or_none()
    if deployment is None:
        raise RequestError(
            "The federation has no contract yet, and the message must name it. It gets one with "
            "its first training."
        )
    return Domain(deployment.chain_id, deployment.contract)


def _require_signed(typed: TypedData, issued: int, signature: str, wallet: str) -> None:
    if abs(issued - _now()) > LIFETIME.total_seconds():
        raise MessageRefused(
            f"The message has expired: it is good for {LIFETIME.seconds // 60} minutes. {_AGAIN}"
        )
    if find_signer(typed, signature) != wallet:
        raise MessageRefused(
            f"The signature is not {wallet}’s, or not of what this page asks. {_AGAIN}"
        )


def _note(session: Session, row: ApprovalRow, values: dict[str, Any]) -> None:
    """Of two that race, the database lets one decide."""
    decided = (
        update(ApprovalRow)
        .where(ApprovalRow.id == row.id, ApprovalRow.state == WAITING)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    if session.connection().execute(decided).rowcount != 1:
        raise RequestError("Somebody decided this meanwhile. Reload the page.")
    session.refresh(row)


def _end(session: Session, training: str, reason: str) -> None:
    end_unopened(session, training, reason)
    # One that a worker is about to put aside finds the training ended.
    waits = JobRow.state.in_((AWAITING, QUEUED))
    session.execute(
        update(JobRow)
        .where(JobRow.training_id == training, waits)
        .values(state=FAILED, error=reason, ended_at=now())
        .execution_options(synchronize_session=False)
    )


def _checked(approve: bool, reason: str) -> str:
    reason = " ".join(reason.split())
    if approve:
        return ""
    if not reason:
        raise RequestError("Give the reason: whoever asked for the training reads it.")
    if len(reason) > MOST_REASON:
        raise RequestError(f"The reason may have at most {MOST_REASON} characters.")
    return reason


def _text(typed: TypedData) -> str:
    return json.dumps(typed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _now() -> int:
    return int(now().replace(tzinfo=UTC).timestamp())
