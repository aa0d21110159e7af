"""Trainings that are not on the chain yet: they wait for approvals, or ended before they began."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.models import ApprovalRow, TrainingRow
from app.models.base import now

# States of a training: it waits for a hospital's operator; it ended and was never opened.
AWAITING: Final = "awaiting"
UNOPENED: Final = "unopened"

# States of an approval.
WAITING: Final = "waiting"
APPROVED: Final = "approved"
REFUSED: Final = "refused"
DROPPED: Final = "dropped"


def end_unopened(session: Session, training: str, reason: str) -> bool:
    """End a training that waits, and drop what nobody has answered; whether it did wait."""
    ended = (
        update(TrainingRow)
        .where(TrainingRow.id == training, TrainingRow.state == AWAITING)
        .values(state=UNOPENED, reason=reason, ended_at=now())
        .execution_options(synchronize_session=False)
    )
    if session.connection().execute(ended).rowcount != 1:
        return False
    session.execute(
        update(ApprovalRow)
        .where(ApprovalRow.training_id == training, ApprovalRow.state == WAITING)
        .values(state=DROPPED)
        .execution_options(synchronize_session=False)
    )
    return True


def awaited(session: Session, training: str) -> Sequence[str]:
    """The hospitals whose operators have not answered, in the order in which they were asked."""
    query = select(ApprovalRow.hospital).filter_by(training_id=training, state=WAITING)
    return session.scalars(query.order_by(ApprovalRow.id)).all()


def told(hospitals: Sequence[str]) -> str:
    """What a person reads about a training that waits."""
    if not hospitals:
        return "Approved by hand; it begins as soon as the worker is free."
    return f"Waits for the approval of {', '.join(hospitals)}, by an operator’s wallet."
