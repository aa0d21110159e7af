"""A training with a review, put into the database as the coordinator would: no party computes."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import select

from app.database import Database
from app.models import DeploymentRow, TrainingRow
from app.stores.rounds import Rounds
from contracts.records import DONATION, AttemptKey, Bits
from crypto.fixedpoint import SCALE
from fl.agreement import OUT_OF_NORM, OUT_OF_RANGE
from fl.datasets import SplitRule, get_task
from fl.evaluation import BINS, Evaluation
from fl.outcome import Finding
from fl.plan import Member, Plan, Review
from fl.round import STEPS
from fl.store import AttemptNote, StepCost, SubmissionNote
from fl.training import LocalSettings

HOSPITALS = ("Cleveland", "Hungary", "Switzerland", "VA Long Beach")
NODES = ("Node 1", "Node 2", "Node 3", "Node 4")
FINE = Bits.IN_RANGE | Bits.IN_NORM
SLICES = {"Cleveland": (16, 16), "Hungary": (16, 16), "Switzerland": (0, 16)}
SIGNERS = {node: "0x" + f"{index:02x}" * 32 for index, node in enumerate(NODES[:3], start=10)}
BAD_SLICE = "its donated rows hold values out of range, or labels that are none"
BELOW = "its balanced accuracy (0.45, rounded down) is below the threshold (0.675)"

# 40 of 50 test rows of each class are right, 90 of 100 training rows of the first and 80 of the
# second; scores lie in two bins.
EVALUATION = Evaluation(
    ((40, 10), (10, 40)),
    ((90, 10), (20, 80)),
    ((40, *(0,) * (BINS - 2), 10), (10, *(0,) * (BINS - 2), 40)),
)

Findings = Mapping[str, Finding]

# Cleveland does well, Hungary badly; Switzerland is out of range, VA Long Beach moves to the norm.
FINDINGS: Findings = {
    "Cleveland": Finding(FINE, True, 15, 17),
    "Hungary": Finding(FINE | Bits.COSINE_LOW, False, 9, 17),
    "Switzerland": Finding(Bits(0)),
    "VA Long Beach": Finding(FINE | Bits.AGREES_EVERYWHERE, True, 16, 17),
}


def plan(review: Review | None = Review(), rounds: int = 2) -> Plan:  # noqa: B008
    """A plan of four hospitals and four nodes; their accounts are made up."""
    task = get_task("heart")
    given = task.defaults
    return Plan(
        task=task.name,
        partition=task.partition,
        split=SplitRule(),
        network=given.network,
        rounds=rounds,
        local=LocalSettings(
            given.local_epochs,
            given.batch_size,
            given.learning_rate,
            given.norm_bound,
            given.class_weighted,
        ),
        seed=7,
        hospitals=tuple(Member(name, f"0xA{i:039x}", "04") for i, name in enumerate(HOSPITALS)),
        nodes=tuple(Member(name, f"0xB{i:039x}", "04") for i, name in enumerate(NODES)),
        review=review,
    )


class Recorded:
    """A training of `plan` and the rounds that are noted of it, one by one."""

    def __init__(self, database: Database, known: Plan, simulation: Any | None = None) -> None:
        self.plan = known
        self.identifier = sha256(b"reviewed" + known.digest()).hexdigest()
        self._database = database
        self._note_training(simulation)
        self._rounds = Rounds(database, bytes.fromhex(self.identifier))

    def note(self, number: int, note: AttemptNote, found: Evaluation | None = None) -> None:
        """An attempt at a round, with a submission of every hospital, from its begin to its end."""
        self._rounds.begin_attempt(self._key(number))
        self.note_steps(number)
        self.end(number, note, found)

    def note_steps(self, number: int) -> None:
        """Every step of an attempt that began, with some cost."""
        for index, step in enumerate(STEPS):
            self._rounds.finish_step(
                self._key(number), step, StepCost(0.1 * index, 4, 1000 * index)
            )

    def end(self, number: int, note: AttemptNote, found: Evaluation | None = None) -> None:
        """Submissions and evaluations of every hospital, and the end of an attempt that began."""
        key = self._key(number)
        for index, hospital in enumerate(HOSPITALS):
            digest = sha256(f"{number} {hospital}".encode()).digest()
            sent = SubmissionNote(hospital, 100 + index, digest, digest, "0x" + digest.hex())
            self._rounds.keep_submission(key, sent)
            if found is not None:
                self._rounds.keep_evaluation(key, hospital, found)
        self._rounds.end_attempt(key, note)

    def _key(self, number: int) -> AttemptKey:
        return AttemptKey(bytes.fromhex(self.identifier), number, 1)

    def finish(self, **columns: Any) -> None:
        """End the training, with these values of its row."""
        with self._database.transaction() as session:
            row = session.get_one(TrainingRow, self.identifier)
            row.state, row.ended_at = "finished", row.started_at
            for name, value in columns.items():
                setattr(row, name, value)

    def _note_training(self, simulation: Any | None) -> None:
        with self._database.transaction() as session:
            deployment = session.scalars(select(DeploymentRow)).first() or DeploymentRow(
                chain_id=1, chain_kind="embedded", genesis_hash="0" * 64, contract="0x" + "1" * 40
            )
            session.add(deployment)
            session.flush()
            session.add(
                TrainingRow(
                    id=self.identifier,
                    task=self.plan.task,
                    network=self.plan.network,
                    seed=self.plan.seed,
                    rounds=self.plan.rounds,
                    plan=self.plan.to_json(),
                    plan_sha256=self.plan.digest().hex(),
                    initial_sha256="0" * 64,
                    deployment_id=deployment.id,
                    simulation=simulation,
                )
            )


def statistics() -> AttemptNote:
    """The statistics, which nobody reviews."""
    return AttemptNote(
        True,
        set_hash=b"\x01" * 32,
        result_hash=b"\x02" * 32,
        accepted=dict.fromkeys(HOSPITALS, 1),
    )


def donation() -> AttemptNote:
    """A donation in which the rows of VA Long Beach are refused."""
    return AttemptNote(
        True,
        set_hash=b"\x03" * 32,
        result_hash=b"\x03" * 32,
        accepted=dict.fromkeys(SLICES, 1),
        refused={"VA Long Beach": BAD_SLICE},
        reviewed=True,
        slices=SLICES,
        committee=NODES[:3],
        signers=SIGNERS,
    )


def update(findings: Findings = FINDINGS, **more: Any) -> AttemptNote:
    """A round with these findings; who is accepted follows from them."""
    passed = [n for n, one in findings.items() if one.in_norm and one.accepted is not False]
    out = {n: one for n, one in findings.items() if not one.in_norm}
    given: dict[str, Any] = {
        "set_hash": b"\x04" * 32,
        "result_hash": b"\x05" * 32,
        "accepted": dict.fromkeys(passed, 90),
        "refused": {n: OUT_OF_NORM if one.in_range else OUT_OF_RANGE for n, one in out.items()},
        "rejected": {n: BELOW for n, one in findings.items() if one.accepted is False},
        "reviewed": True,
        "findings": findings,
        "committee": NODES[:3],
        "signers": SIGNERS,
        "norm_bound": SCALE + SCALE // 2,
    }
    return AttemptNote(True, **given | more)


def attacked_training(database: Database) -> Recorded:
    """A finished training: statistics, donation, a round that sums, one that keeps its model."""
    made = Recorded(database, plan(), {"attack": "label-flip", "attackers": ["Hungary"]})
    made.note(0, statistics())
    made.note(DONATION, donation())
    good = {name: Finding(FINE, True, 16, 17) for name in HOSPITALS}
    made.note(1, update(good | {"Hungary": FINDINGS["Hungary"]}), EVALUATION)
    kept = {
        "kept": True,
        "accepted": dict.fromkeys(("Cleveland", "VA Long Beach"), 0),
        "reason": "2 were accepted, 3 are needed",
        "flagged": ("Hungary",),
    }
    made.note(2, update(**kept), EVALUATION)
    made.finish(
        accuracy=0.8,
        balanced_accuracy=0.8,
        plain_accuracy=0.8,
        model_sha256="05" * 32,
        fedavg_accuracy=0.5,
        oracle_accuracy=0.81,
    )
    return made
