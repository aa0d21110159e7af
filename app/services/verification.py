"""Whether what is stored is what the chain recorded: every hash computed again, every one compared.

Three things are checked of each value: that the bytes still have the hash that is stored with them,
that this hash is the chain's, and that nothing is missing on either side. Hospitals recompute their
own commitments from what lies in their folders, nodes their copies of the results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from app.models import ResultRow, TrainingRow
from app.services.anchoring import Anchoring
from app.services.attempt_check import AttemptCheck, attempt_name
from app.services.audit import AuditLog
from app.services.check_report import NOTHING, Report
from app.services.federation import Federation
from app.services.parties import assembled, load_tables
from app.services.review_check import Events
from app.services.round_names import in_order
from app.services.trainings import RUNNING, pooled
from app.services.unopened import AWAITING, UNOPENED
from app.stores.rounds import FINALISED
from contracts.errors import NotFound
from contracts.records import DONATION
from crypto.errors import CryptoError
from fl.errors import FlError
from fl.plan import Plan
from fl.training import accuracy, balanced_accuracy


class Verification:
    """Checks every training that is recorded on the federation's contract."""

    def __init__(
        self, federation: Federation, watch: Callable[[str], None] = lambda _: None
    ) -> None:
        self._federation = federation
        self._ledger = federation.ledger
        self._watch = watch
        self._report = Report()

    def run(self) -> Report:
        """Check everything; the report names each difference."""
        with self._federation.database.transaction() as session:
            for result in session.scalars(select(ResultRow).order_by(ResultRow.sha256)):
                digest = sha256(result.body).hexdigest()
                self._compare(f"stored {result.kind} {result.sha256[:12]}", result.sha256, digest)
            # Who attacks in a simulation stands on no chain.
            query = select(TrainingRow).options(defer(TrainingRow.simulation))
            query = query.filter_by(deployment_id=self._federation.deployment)
            rows = session.scalars(query.order_by(TrainingRow.started_at)).all()
            self._check_count(rows)
            self._audit()
            for row in rows:
                self._report.trainings += 1
                self._watch(f"training {row.id[:12]}")
                self._training(session, row)
        return self._report

    def _check_count(self, rows: Sequence[TrainingRow]) -> None:
        opened = {e.training.hex() for e in self._ledger.events() if e.training}
        for missing in sorted(opened - {row.id for row in rows}):
            self._compare(f"training {missing[:12]}", "a row in the database", NOTHING)

    def _audit(self) -> None:
        """The audit log's chain of hashes, and the roots over it that the ledger holds."""
        database = self._federation.database
        broken = AuditLog(database).verify()
        told = f"entry {', '.join(map(str, broken))} altered or missing" if broken else "whole"
        self._compare("audit log", "whole", told)
        for one in Anchoring(database, self._ledger.anchors).check():
            what = f"audit log, entries {one.anchor.first} to {one.anchor.last}"
            found = "an entry is missing" if one.found is None else one.found.hex()
            self._compare(what, one.anchor.root.hex(), found)

    def _training(self, session: Session, row: TrainingRow) -> None:
        name = f"training {row.id[:12]}"
        try:
            record = self._ledger.training(bytes.fromhex(row.id))
        except (NotFound, ValueError):
            if row.state not in (RUNNING, AWAITING, UNOPENED):
                self._compare(name, "a record on the chain", NOTHING)
            return
        if row.state == UNOPENED:
            self._compare(name, NOTHING, "a record on the chain")
        self._compare(f"{name}, hash of its plan", record.config_hash.hex(), row.plan_sha256)
        self._compare(f"{name}, initial model", record.initial_model.hex(), row.initial_sha256)
        try:
            plan = Plan.from_json(row.plan)
            self._compare(f"{name}, plan", record.config_hash.hex(), plan.digest().hex())
        except (FlError, CryptoError) as error:
            self._compare(f"{name}, plan", "a readable plan", str(error))
            return
        facts = (plan.task, plan.network, plan.seed, plan.rounds)
        self._compare(f"{name}, its facts", facts, (row.task, row.network, row.seed, row.rounds))
        if row.ended_at is not None:
            self._report.guard(f"{name}, scores", lambda: self._scores(row, name))
            self._compare(f"{name}, model", record.model.hex(), row.model_sha256)
            self._compare(f"{name}, statistics", _hex(record.statistics), row.statistics_sha256)
            self._report.guard(f"{name}, slices", lambda: self._slices(row, name, record.slices))
        self._report.guard(
            f"{name}, rounds", lambda: self._attempts(session, row, plan, record.next_round)
        )

    def _scores(self, row: TrainingRow, name: str) -> None:
        """The scores, computed again from the evaluations, which are the hospitals' signed ones."""
        confusion = pooled(row.attempts)
        if confusion is not None:
            scores = (accuracy(confusion), balanced_accuracy(confusion))
            self._compare(f"{name}, scores", scores, (row.accuracy, row.balanced_accuracy))

    def _slices(self, row: TrainingRow, name: str, recorded: bytes | None) -> None:
        """The set that the donated slices were agreed on with."""
        sets = [a.set_sha256 for a in row.attempts if (a.round, a.state) == (DONATION, FINALISED)]
        self._compare(f"{name}, donated rows", _hex(recorded), sets[-1] if sets else None)

    def _attempts(self, session: Session, row: TrainingRow, plan: Plan, next_round: int) -> None:
        training = bytes.fromhex(row.id)
        kept = {(attempt.round, attempt.number) for attempt in row.attempts}
        for number in (*range(next_round + 1), DONATION):
            for tried in range(1, self._ledger.round(training, number).attempts + 1):
                what = attempt_name(row.id, number, tried)
                self._compare(what, "stored", "stored" if (number, tried) in kept else NOTHING)
        events = self._events(training)
        with assembled(self._federation, plan, training, load_tables(plan)) as parties:
            for attempt in sorted(row.attempts, key=lambda one: (in_order(one.round), one.number)):
                check = AttemptCheck(self._report, self._federation, plan, attempt, parties)
                what = attempt_name(row.id, attempt.round, attempt.number)
                self._report.guard(what, lambda check=check: check.run(session, events))  # type: ignore[misc]

    def _events(self, training: bytes) -> Events:
        """The events that concern an account, by event, attempt and account."""
        return {
            (event.name, event.key, str(event.values.get("hospital", event.values.get("node")))): (
                event
            )
            for event in self._ledger.events(training)
        }

    def _compare(self, what: str, expected: object, found: object) -> None:
        self._report.compare(what, expected, found)


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
