"""The promotions of models in the database against those on the chain, one by one."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import PromotionRow
from app.services.check_report import NOTHING, Report
from app.services.federation import Federation
from app.services.hexadecimal import from_hex
from app.services.promotions import DONE, reason_digest
from contracts.promotions import Promotions
from contracts.records import PromotionRecord
from fl.datasets import task_names


def check_promotions(report: Report, federation: Federation, session: Session) -> None:
    """Compare every promotion of the federation's contract, both ways."""
    query = select(PromotionRow).filter_by(deployment_id=federation.deployment, state=DONE)
    rows = session.scalars(query.order_by(PromotionRow.position, PromotionRow.id)).all()
    promotions = federation.ledger.promotions
    if promotions is None:
        report.compare("promotions", "none: the contracts are older", _told(rows))
        return
    tasks = {*task_names(), *(row.task for row in rows)}
    for task in sorted(tasks):
        of_task = [row for row in rows if row.task == task]
        history = _history(promotions, task)
        for place, record in enumerate(history):
            row = next((one for one in of_task if one.position == place), None)
            _compare(report, promotions, _called(task, place), record, row)
        for row in of_task:
            if row.position not in range(len(history)):
                report.compare(_called(task, row.position), NOTHING, "stored")


def _told(rows: Sequence[PromotionRow]) -> str:
    return f"{len(rows)} stored" if rows else "none: the contracts are older"


def _history(promotions: Promotions, task: str) -> Sequence[PromotionRecord]:
    try:
        return promotions.history(task)
    except ValueError:
        # A name that no contract could hold: whatever is stored under it was altered.
        return ()


def _called(task: str, place: int | None) -> str:
    return f"promotion {'without a place' if place is None else place + 1} of {task}"


def _compare(
    report: Report,
    promotions: Promotions,
    what: str,
    record: PromotionRecord,
    row: PromotionRow | None,
) -> None:
    report.compare(what, "stored", "stored" if row else NOTHING)
    if row is None:
        return
    receipt = promotions.find_promoted(row.task, record.training, record.reason_hash, record.back)
    report.compare(f"{what}, training", record.training.hex(), row.training_id)
    report.compare(f"{what}, model", record.model.hex(), row.model_sha256)
    report.compare(f"{what}, rounds", record.rounds, row.rounds)
    report.compare(f"{what}, rolled back", record.back, row.back)
    report.compare(f"{what}, hash of the reason", record.reason_hash.hex(), row.reason_sha256)
    given = reason_digest(from_hex(row.salt), row.reason).hex()
    report.compare(f"{what}, reason", record.reason_hash.hex(), given)
    report.compare(f"{what}, transaction", receipt and receipt.transaction, row.transaction)
