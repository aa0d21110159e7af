"""A hospital's own look at its approval, before it takes part in a training.

The hospital trusts neither the page nor the state of a row: it rebuilds what must have been signed
from the plan that it was handed and from its own view of the chain, and looks who signed that.
"""

from __future__ import annotations

import json

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.models import ApprovalRow, TrainingRow
from app.services.approval_message import Decision, Domain, find_signer
from app.services.approvals import newest_rule
from app.services.operators import may_sign
from app.services.unopened import APPROVED
from contracts.reader import LedgerReader
from fl.errors import StepRefused
from fl.plan import Plan


def require_consent(
    database: Database, ledger: LedgerReader, hospital: str, training: bytes, plan: Plan
) -> None:
    """Raise StepRefused unless the hospital may take part in the training by this plan.

    It may where it did not want to be asked when the training was started, and where the authorised
    wallet of one of its operators signed the approval of this very plan.
    """
    with database.transaction() as session:
        query = select(ApprovalRow).filter_by(training_id=training.hex(), hospital=hospital)
        row = session.scalars(query).one_or_none()
        if row is None:
            if _wants_to_be_asked(session, hospital, training):
                raise StepRefused(f"{hospital} approves trainings by hand and was not asked")
            return
        if row.state != APPROVED:
            raise StepRefused(f"{hospital} did not approve this training by hand")
        domain = Domain(ledger.chain_id, ledger.contract)
        _check_signed(session, row, domain, training, plan)


def _wants_to_be_asked(session: Session, hospital: str, training: bytes) -> bool:
    started = session.get(TrainingRow, training.hex())
    rule = newest_rule(session, hospital, started.started_at if started else None)
    return rule is not None and rule.required


def _check_signed(
    session: Session, row: ApprovalRow, domain: Domain, training: bytes, plan: Plan
) -> None:
    decision = Decision(
        hospital=row.hospital,
        task=plan.task,
        training=training.hex(),
        plan=plan.digest().hex(),
        rounds=plan.rounds,
        approve=True,
        reason="",
        issued=_issued(row),
    )
    signer = find_signer(decision.typed(domain), row.signature or "")
    if signer is None or not may_sign(session, row.hospital, signer):
        raise StepRefused(
            f"{row.hospital} has no approval of this plan that an operator of its own signed"
        )


def _issued(row: ApprovalRow) -> int:
    """The only field that is the signer's; nothing else of the stored message is used."""
    try:
        return int(json.loads(row.message or "")["message"]["issued"])
    except (ValueError, KeyError, TypeError) as error:
        raise StepRefused(f"{row.hospital} cannot read its approval of this training") from error
