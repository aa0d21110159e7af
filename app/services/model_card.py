"""A model's card: what it is for, what it learnt from, how well it does, where it is recorded.

One document for the page, the JSON and the PDF, made of what the database holds: figures are those
of `app.services.results`, intervals are added. Nothing is checked here; `run.py verify` does that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import AttemptRow, DeploymentRow, TrainingRow, VoteRow
from app.services.calibrations import Reports, read_reports
from app.services.card_document import (
    FORMAT,
    NO_DEVICE,
    Calibrated,
    Errors,
    HospitalData,
    KeptOut,
    ModelCard,
    Recorded,
    Sent,
    Verdicts,
)
from app.services.card_figures import GroupFigures, card_figures, card_groups, card_ranges
from app.services.promotions import DONE
from app.services.results import training_document
from app.services.round_names import round_title
from app.services.round_view import find_plan, tally_by_hospital
from app.services.versions import Version, Versions
from app.stores.rounds import FINALISED, REFUSED, REJECTED
from fl.datasets import get_task
from fl.datasets.summary import LEAST, suppressed
from fl.datasets.use import find_use
from fl.plan import Plan
from fl.subgroups import open_sum

Document = Mapping[str, Any]


def model_card(database: Database, training: str) -> ModelCard:
    """The card of what a training ended with. Raises RequestError where it made no version."""
    version = Versions(database).find(training)
    if version is None:
        raise RequestError(f"expected a finished training of this installation, got {training}")
    document = training_document(database, training)
    results = document["results"] or {}
    task = get_task(version.task)
    with database.transaction() as session:
        row = session.get_one(TrainingRow, training)
        plan = find_plan(row)
        deployment = session.get_one(DeploymentRow, row.deployment_id)
        recorded = _recorded(session, row, deployment, version)
        reports = _reports(session, plan, row, deployment, results)
    return ModelCard(
        format=FORMAT,
        training=training,
        task=task.name,
        title=task.title,
        classes=task.classes,
        version=version.number,
        name=version.name,
        in_use=version.in_use,
        attack=version.attack,
        notice=NO_DEVICE,
        network=document["model"],
        model_sha256=version.model_sha256,
        seed=document["seed"],
        rounds=version.rounds,
        rounds_kept=sum(one["kept"] for one in document["rounds"]),
        ended_early=document["reason"],
        ended_at=_moment(version.ended_at),
        recorded=recorded,
        suppressed_under=LEAST,
        hospitals=tuple(_hospitals(plan, document)),
        tested=document["poisoning"] is not None,
        verdicts=_verdicts(document),
        kept_out=tuple(_kept_out(document)),
        judged_round=results.get("round"),
        judged_sha256=results.get("model_sha256"),
        figures=card_figures(results),
        groups=_groups(plan, reports),
        ranges=card_ranges(results),
        calibration=_calibration(reports),
        source=task.source,
        use=find_use(task.name),
    )


def _moment(at: datetime | None) -> str:
    return f"{at.isoformat(timespec='seconds')}Z" if at else ""


def _hospitals(plan: Plan | None, document: Document) -> Iterator[HospitalData]:
    """The hospitals of the plan, in its order, with what each reported of the last model.

    Donated rows are added to those that trained and tested: what was left could be held against
    the page of the data set, and tell how few rows of a class were donated.
    """
    results = document["results"] or {}
    reported = {one["name"]: one for one in results.get("hospitals", ())}
    donors = (document["donation"] or {}).get("hospitals", ())
    donated = {one["name"]: one["rows"] for one in donors}
    names = [one.name for one in plan.hospitals] if plan else list(reported)
    imported = dict(plan.partition.sources) if plan else {}
    for name in names:
        one = reported.get(name)
        sizes = _sizes(one, donated.get(name, ())) if one else None
        cells = suppressed(sizes) if sizes else ()
        yield HospitalData(
            name,
            sum(sizes) if sizes else None,
            dict(zip(results.get("classes", ()), cells, strict=False)),
            imported.get(name),
        )


def _sizes(one: Document, donated: Sequence[int] | None) -> list[int] | None:
    """A hospital's rows of each class; None where a part of them is not known."""
    if donated is None or one["train"] is None or one["test"] is None:
        return None
    parts = [list(map(sum, one[part]["confusion"])) for part in ("train", "test")]
    return [sum(rows) for rows in zip(*parts, *([donated] if donated else []), strict=True)]


def _verdicts(document: Document) -> tuple[Verdicts, ...]:
    counted = tally_by_hospital(document["rounds"])
    return tuple(
        Verdicts(name, one["accepted"], one["rejected"], one["refused"])
        for name, one in counted.items()
    )


def _kept_out(document: Document) -> Iterator[KeptOut]:
    """Everything that was rejected or refused, in the order in which it happened."""
    begun = [document[name] for name in ("statistics", "donation") if document[name]]
    for one in (*begun, *document["rounds"]):
        for hospital in one["hospitals"]:
            if hospital["verdict"] in (REJECTED, REFUSED):
                yield KeptOut(
                    round_title(one["round"]),
                    hospital["name"],
                    hospital["verdict"],
                    hospital["reason"],
                    hospital["appeal"],
                    hospital["transaction"],
                )


def _recorded(
    session: Session, row: TrainingRow, deployment: DeploymentRow, version: Version
) -> Recorded:
    voted = (
        select(VoteRow)
        .join(AttemptRow, AttemptRow.id == VoteRow.attempt_id)
        .where(AttemptRow.training_id == row.id, AttemptRow.state == FINALISED)
        .where(AttemptRow.round == version.rounds, VoteRow.result_sha256 == row.model_sha256)
        .order_by(VoteRow.node)
    )
    uses: Sequence[Sent] = [
        Sent(change.way, change.transaction)
        for change in reversed(version.changes)
        if change.state == DONE and change.transaction
    ]
    return Recorded(
        deployment.chain_kind,
        deployment.chain_id,
        deployment.genesis_hash,
        deployment.contract,
        row.plan_sha256,
        tuple(Sent(one.node, one.transaction) for one in session.scalars(voted)),
        tuple(uses),
    )


def _reports(
    session: Session,
    plan: Plan | None,
    row: TrainingRow,
    deployment: DeploymentRow,
    results: Document,
) -> Reports:
    """What hospitals signed of the judged model."""
    if plan is None or not results:
        return Reports({})
    where = (deployment.chain_id, deployment.contract)
    return read_reports(session, plan, bytes.fromhex(row.id), results["round"], *where)


def _groups(plan: Plan | None, reports: Reports) -> tuple[GroupFigures, ...] | None:
    """The figures by sex and age; None where the masked counts do not open to what they must."""
    if plan is None:
        return None
    counts = open_sum(plan.data, reports.groups, plan.hospitals)
    if counts is None:
        return None
    whole = np.sum([np.array(table) for table in reports.test.values()], axis=0)
    for groups in counts.values():
        tables = list(groups.values())
        if any(table.min() < 0 for table in tables) or (np.sum(tables, axis=0) != whole).any():
            return None
    return card_groups(plan.data.classes, counts)


def _calibration(reports: Reports) -> Calibrated | None:
    """The errors by what hospitals signed of the judged model; None with too few rows."""
    found = reports.held_out()
    if found is None:
        return None
    return Calibrated(
        found.rows, tuple(reports.scores), Errors.of(found.before), Errors.of(found.after)
    )
