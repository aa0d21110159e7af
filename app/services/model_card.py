"""A model's card: what it is for, what it learnt from, how well it does, where it is recorded.

One document for the page, the JSON and the PDF, made of what the database holds: figures are those
of `app.services.results`, intervals are added. Nobody is checked here; `run.py verify` does that.
Mitchell et al., "Model Cards for Model Reporting", 2019, names the parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import AttemptRow, DeploymentRow, TrainingRow, VoteRow
from app.services.calibrations import read_reports
from app.services.card_figures import Figure, Range, card_figures, card_ranges
from app.services.promotions import DONE
from app.services.results import DIGITS, training_document
from app.services.round_names import round_title
from app.services.round_view import find_plan, tally_by_hospital
from app.services.versions import Version, Versions
from app.stores.rounds import FINALISED, REFUSED, REJECTED
from fl.calibration import Error
from fl.datasets import get_task
from fl.datasets.source import Provenance
from fl.datasets.summary import LEAST, Cell, suppressed
from fl.datasets.use import Use, find_use
from fl.plan import Plan

FORMAT = "consilium/model-card/v1"
NO_STATEMENT = (
    "Nobody has written what models of this task are for, and whom they know nothing of. Its rows "
    "were imported: the page of the data set tells their sources and licences."
)
NO_DEVICE = "For teaching and research. It is no medical device."

Document = Mapping[str, Any]


@dataclass(frozen=True)
class HospitalData:
    """A hospital's patients: trained, tested and donated; None where a part was not reported.

    `classes` counts them by class, None where a count is kept back (`fl.datasets.summary`).
    `rows_sha256` is the file of an imported hospital's rows.
    """

    hospital: str
    patients: int | None
    classes: Mapping[str, Cell]
    rows_sha256: str | None


@dataclass(frozen=True)
class Verdicts:
    """How many updates of a hospital were accepted, rejected and refused, over all rounds."""

    hospital: str
    accepted: int
    rejected: int
    refused: int


@dataclass(frozen=True)
class KeptOut:
    """An update, or donated rows, that did not count: where, whose, the verdict and why.

    `appeal` is how one against it stands, "" without one.
    """

    where: str
    hospital: str
    verdict: str
    reason: str
    appeal: str
    transaction: str


@dataclass(frozen=True)
class Errors:
    """How far probabilities are from what came true, on held-out rows; see `fl.calibration`."""

    expected_calibration_error: float
    brier_score: float

    @classmethod
    def of(cls, error: Error) -> Errors:
        """With as many digits as results have."""
        return cls(round(error.expected, DIGITS), round(error.brier, DIGITS))


@dataclass(frozen=True)
class Calibrated:
    """The errors of the model's own scores and of the risks that doctors read.

    By cross-validation on `rows` test rows that these hospitals reported under their signature.
    """

    rows: int
    hospitals: tuple[str, ...]
    scores: Errors
    risks: Errors


@dataclass(frozen=True)
class Sent:
    """A transaction, and by whom or for what it was sent."""

    what: str
    transaction: str


@dataclass(frozen=True)
class Recorded:
    """Where the model is on the chain: the nodes' votes for its hash, and how it came into use."""

    chain: str
    chain_id: int
    genesis_sha256: str
    contract: str
    plan_sha256: str
    votes: tuple[Sent, ...]
    uses: tuple[Sent, ...]


@dataclass(frozen=True)
class ModelCard:
    """The card of a version. Shares are of 1; counts are of patients' rows, never rows themselves.

    `attack` names the simulated attack, "" for none; `judged_round` is the round whose model the
    figures are of, None without any; `tested` tells whether updates were tested before they
    counted; `suppressed_under` is the smallest count that a hospital publishes.
    """

    format: str
    training: str
    task: str
    title: str
    classes: tuple[str, ...]
    version: int
    name: str
    in_use: bool
    attack: str
    notice: str
    network: str
    model_sha256: str
    seed: int
    rounds: int
    rounds_kept: int
    ended_early: str
    ended_at: str
    recorded: Recorded
    suppressed_under: int
    hospitals: tuple[HospitalData, ...]
    tested: bool
    verdicts: tuple[Verdicts, ...]
    kept_out: tuple[KeptOut, ...]
    judged_round: int | None
    judged_sha256: str | None
    figures: tuple[Figure, ...]
    ranges: tuple[Range, ...]
    calibration: Calibrated | None
    source: Provenance | None
    use: Use | None

    def to_json(self) -> str:
        """The card as docs/formats.md says; the same card gives the same text."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before any figure, in sentences."""
        found = []
        if self.attack:
            found.append(
                f"Hospitals attacked on purpose ({self.attack}): this model is for teaching and "
                "can never be put into use."
            )
        if self.judged_sha256 not in (None, self.model_sha256):
            found.append(
                "No hospital reported on the last model: the figures are of the model of round "
                f"{self.judged_round}."
            )
        imported = [one.hospital for one in self.hospitals if one.rows_sha256]
        if imported and self.use:
            found.append(
                f"Rows of {', '.join(imported)} were imported: what is said of the source, and of "
                "who is represented, is not about them."
            )
        return tuple(found)


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
        calibration = _calibration(session, plan, row, deployment, results)
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
        ranges=card_ranges(results),
        calibration=calibration,
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


def _calibration(
    session: Session,
    plan: Plan | None,
    row: TrainingRow,
    deployment: DeploymentRow,
    results: Document,
) -> Calibrated | None:
    """The errors by what hospitals signed of the judged model; None with too few rows."""
    if plan is None or not results:
        return None
    where = (deployment.chain_id, deployment.contract)
    reports = read_reports(session, plan, bytes.fromhex(row.id), results["round"], *where)
    found = reports.held_out()
    if found is None:
        return None
    return Calibrated(
        found.rows, tuple(reports.scores), Errors.of(found.before), Errors.of(found.after)
    )
