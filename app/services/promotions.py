"""Putting a model into use: asked for on a page, written on the ledger by the worker.

asked for: waiting ── written on the ledger ──> done
              └────── the ledger refuses ─────> refused

The first finished training of a task is put into use by the federation itself, as part of its end;
later ones wait for a person. What was in use before comes back in the same way; for people only a
version older than the one in use is rolled back to. The ledger holds the digest of the reason,
which is salted: few would have to be tried else.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import DeploymentRow, PromotionRow, TrainingRow, UserRow
from app.services.audit import SYSTEM, AuditLog
from app.services.federation import Federation
from app.services.training_outcome import FINISHED, last_round
from contracts.errors import Refused, RpcFailed
from contracts.promotions import Promotions
from contracts.records import PromotionRecord, Receipt

WAITING, DONE, REFUSED = "waiting", "done", "refused"
PROMOTED, ROLLED_BACK, USED_AGAIN = "promoted", "rolled back", "used again"
MOST_REASON = 500
FIRST = "The first finished training of its task: there was nothing to choose from."
OLDER = (
    "This installation’s contracts are older than promotions: doctors use the model of the latest "
    "finished training. A new installation has them."
)

# What the audit log calls them.
_ASKED = {
    PROMOTED: "model.promotion_asked",
    ROLLED_BACK: "model.roll_back_asked",
    USED_AGAIN: "model.use_again_asked",
}
_WRITTEN = {
    PROMOTED: "model.promoted",
    ROLLED_BACK: "model.rolled_back",
    USED_AGAIN: "model.used_again",
}

_logger = logging.getLogger(__name__)
_LABEL = b"consilium/reason/v1\0"


def reason_digest(salt: bytes, reason: str) -> bytes:
    """What the ledger holds of a reason: SHA-256 over a label, the salt of 32 bytes, its UTF-8."""
    return sha256(_LABEL + salt + reason.encode()).digest()


def way(back: bool, place: Any, place_before: Any) -> str:
    """How a model came into use: PROMOTED for the first time, ROLLED_BACK or USED_AGAIN.

    `back`: it was in use before, which is all that the ledger tells apart. The places order the
    task's versions; `place_before` is that of the version that it takes over from, or None.
    """
    if not back:
        return PROMOTED
    newer = place_before is not None and place > place_before
    return USED_AGAIN if newer else ROLLED_BACK


class Wishes:
    """The models that people of one database ask to be put into use."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._database = database
        self._audit = audit

    def ask(self, person: UserRow, training: str, reason: str) -> PromotionRow:
        """Ask for the model of a training to be put into use.

        Raises RequestError where it can never be, is in use, or another one waits to be.
        """
        reason = " ".join(reason.split())
        if not 0 < len(reason) <= MOST_REASON:
            raise RequestError(f"Give the reason, in at most {MOST_REASON} characters.")
        with self._database.transaction() as session:
            row = session.get(TrainingRow, training, with_for_update=True)
            if row is None:
                raise RequestError("There is no such training in this installation.")
            require_usable(session, row)
            made = _new_row(session, row, reason, person)
            session.flush()
            details = {"training": training, "task": row.task, "model_sha256": row.model_sha256}
            action = _ASKED[_way_of(session, made)]
            self._audit.add(person, action, row.task, {**details, "reason": reason}, session)
            return made


def require_usable(session: Session, row: TrainingRow) -> None:
    """Raise RequestError unless the training's model may be put into use now."""
    if row.state != FINISHED or row.model_sha256 in (None, row.initial_sha256):
        raise RequestError("Only the model of a finished training can be put into use.")
    if row.simulation is not None:
        raise RequestError("A model that was attacked on purpose is for teaching, never for use.")
    if session.get_one(DeploymentRow, row.deployment_id).models is None:
        raise RequestError(OLDER)
    if waiting_for(session, row.task):
        raise RequestError("Another change of this model is being written: wait for it.")
    current = newest(session, row.task)
    if current is not None and current.training_id == row.id:
        raise RequestError("This model is in use already.")


def newest(session: Session, task: str) -> PromotionRow | None:
    """The promotion of a task that counts, or None."""
    query = select(PromotionRow).filter_by(task=task, state=DONE)
    ordered = query.order_by(PromotionRow.deployment_id.desc(), PromotionRow.position.desc())
    return session.scalars(ordered.limit(1)).first()


def waiting_for(session: Session, task: str) -> PromotionRow | None:
    """The promotion of a task that waits to be written, or None."""
    return session.scalars(select(PromotionRow).filter_by(task=task, state=WAITING)).first()


def has_work(database: Database) -> bool:
    """Whether a promotion waits for the worker."""
    with database.transaction() as session:
        query = select(PromotionRow.id).filter_by(state=WAITING).limit(1)
        return session.scalar(query) is not None


def has_none(federation: Federation, task: str) -> bool:
    """Whether the ledger says of no model of a task that it is in use, and could say it."""
    promotions = federation.ledger.promotions
    return promotions is not None and promotions.find_in_use(task) is None


def note_first(session: Session, row: TrainingRow) -> None:
    """Have a training's model put into use where its task `has_none`.

    For the transaction in which the training ends: later ones wait for a person.
    """
    if row.state != FINISHED or row.model_sha256 == row.initial_sha256:
        return
    if row.simulation is None and waiting_for(session, row.task) is None:
        _new_row(session, row, FIRST, None)


def write_waiting(federation: Federation) -> bool:
    """Write on the ledger what waits; calling again is safe. Whether nothing waits any more.

    Raises ChainUnreachable: what was not written waits on.
    """
    try:
        for row in _waiting(federation):
            _write_one(federation, row)
    except RpcFailed as error:
        # The training that is under way has nothing to do with it.
        _logger.warning("a model waits to be put into use: %s", error)
        return False
    return True


def _write_one(federation: Federation, row: PromotionRow) -> None:
    promotions = federation.ledger.promotions
    if row.deployment_id != federation.deployment:
        _end(federation, row.id, REFUSED, "It was asked for on another chain than today’s.")
    elif promotions is None:
        _end(federation, row.id, REFUSED, OLDER)
    else:
        try:
            receipt = _write(promotions, row)
        except Refused as refused:
            _end(federation, row.id, REFUSED, str(refused))
            return
        place = _place(promotions.history(row.task), bytes.fromhex(row.reason_sha256))
        _end(federation, row.id, DONE, "", place, receipt.transaction)


def _waiting(federation: Federation) -> Sequence[PromotionRow]:
    query = select(PromotionRow).filter_by(state=WAITING).order_by(PromotionRow.id)
    with federation.database.transaction() as session:
        return session.scalars(query).all()


def _write(promotions: Promotions, row: PromotionRow) -> Receipt:
    send = promotions.roll_back if row.back else promotions.promote
    names = (row.training_id, row.model_sha256, row.reason_sha256)
    training, model, reason = map(bytes.fromhex, names)
    return send(row.task, training, model, reason)


def _place(history: Sequence[PromotionRecord], reason: bytes) -> int:
    """Where the promotion stands; its reason is salted, so no other one has its digest."""
    return next(place for place, one in enumerate(history) if one.reason_hash == reason)


def _end(
    federation: Federation,
    number: int,
    state: str,
    problem: str,
    position: int | None = None,
    transaction: str | None = None,
) -> None:
    log = AuditLog(federation.database)
    with federation.database.transaction() as session:
        row = session.get_one(PromotionRow, number)
        action = _WRITTEN[_way_of(session, row)]  # While the one before is still the newest.
        row.state, row.problem = state, problem
        row.position, row.transaction = position, transaction
        session.flush()
        details = {"training": row.training_id, "model_sha256": row.model_sha256}
        if state == REFUSED:
            action, details = "model.promotion_refused", {**details, "problem": problem}
        else:
            details |= {"transaction": transaction or ""}
        log.add(SYSTEM, action, row.task, details, session)


def _way_of(session: Session, row: PromotionRow) -> str:
    """How a promotion that is not written yet puts its model into use."""
    current = newest(session, row.task)
    before = session.get_one(TrainingRow, current.training_id) if current else None
    training = session.get_one(TrainingRow, row.training_id)
    return way(row.back, _order(training), _order(before) if before else None)


def _order(training: TrainingRow) -> tuple[datetime, str]:
    """Where a task's versions stand: finished trainings in the order in which they ended."""
    return training.ended_at or training.started_at, training.id


def _new_row(
    session: Session, training: TrainingRow, reason: str, person: UserRow | None
) -> PromotionRow:
    used = select(PromotionRow.id).filter_by(training_id=training.id, state=DONE).limit(1)
    salt = secrets.token_bytes(32)
    row = PromotionRow(
        deployment_id=training.deployment_id,
        task=training.task,
        training_id=training.id,
        model_sha256=training.model_sha256,
        rounds=last_round(training),
        back=session.scalar(used) is not None,
        reason=reason,
        salt=salt.hex(),
        reason_sha256=reason_digest(salt, reason).hex(),
        asked_by=person.id if person else None,
    )
    session.add(row)
    return row
