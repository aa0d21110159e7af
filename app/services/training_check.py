"""One training: its row against the chain's record, then each of its attempts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import sha256

from sqlalchemy.orm import Session

from app.models import TrainingRow
from app.services.attempt_check import AttemptCheck, attempt_name
from app.services.check_report import NOTHING, UNREADABLE, Report
from app.services.federation import Federation
from app.services.parties import assembled, load_tables
from app.services.review_check import Events
from app.services.round_names import in_order, round_title
from app.services.training_outcome import FINISHED, has_finished, pooled, rule_reason
from app.services.trainings import FAILED, RUNNING, shortened
from app.services.unopened import AWAITING, UNOPENED
from app.stores.rounds import FINALISED
from contracts.errors import NotFound
from contracts.records import DONATION, TrainingRecord, TrainingState
from fl.plan import Plan
from fl.training import accuracy, balanced_accuracy


def training_name(identifier: str) -> str:
    """What differences of a training begin with."""
    return f"training {identifier[:12]}"


class TrainingCheck:
    """The checks of one training; `tell` is called with what is checked next."""

    def __init__(
        self,
        report: Report,
        federation: Federation,
        row: TrainingRow,
        tell: Callable[[str], None],
    ) -> None:
        self._report = report
        self._federation = federation
        self._ledger = federation.ledger
        self._row = row
        self._tell = tell
        self._name = training_name(row.id)

    def run(self, session: Session) -> None:
        """Compare; the report names each difference."""
        self._tell(self._name)
        row = self._row
        try:
            record = self._ledger.training(bytes.fromhex(row.id))
        except (NotFound, ValueError):
            if row.state not in (RUNNING, AWAITING, UNOPENED):
                self._report.compare(self._name, "a record on the chain", NOTHING)
            return
        if row.state == UNOPENED:
            self._report.compare(self._name, NOTHING, "a record on the chain")
        self._compare("hash of its plan", record.config_hash.hex(), row.plan_sha256)
        self._compare("initial model", record.initial_model.hex(), row.initial_sha256)
        try:
            plan = Plan.from_json(row.plan)
        except UNREADABLE as error:
            # Without a plan nothing further can be told.
            self._compare("plan", "a readable plan", str(error))
            return
        self._compare("plan", record.config_hash.hex(), plan.digest().hex())
        written = [sha256(text.encode()).hexdigest() for text in (plan.to_json(), row.plan)]
        self._compare("plan, as it is written", *written)
        facts = (plan.task, plan.network, plan.seed, plan.rounds)
        self._compare("its facts", facts, (row.task, row.network, row.seed, row.rounds))
        self._ending(plan, record)
        self._report.guard(f"{self._name}, rounds", lambda: self._attempts(session, plan, record))

    def _ending(self, plan: Plan, record: TrainingRecord) -> None:
        """How it ended and what came out; the time of it stands on no chain."""
        row = self._row
        if record.state != TrainingState.ENDED:
            self._compare("state", RUNNING, row.state)
            return
        finished = has_finished(plan, record, row.attempts)
        self._compare("state", FINISHED if finished else FAILED, row.state)
        reason = record.reason or rule_reason(plan, record, row.attempts)
        self._compare("reason", reason, shortened(row.reason))
        self._compare("model", record.model.hex(), row.model_sha256)
        self._compare("statistics", _hex(record.statistics), row.statistics_sha256)
        self._report.guard(f"{self._name}, scores", self._scores)
        self._report.guard(f"{self._name}, slices", partial(self._slices, record.slices))

    def _scores(self) -> None:
        """The scores, computed again from the evaluations, which are the hospitals' signed ones."""
        confusion = pooled(self._row.attempts)
        scores: tuple[float | None, float | None] = (None, None)
        if confusion is not None:
            scores = (accuracy(confusion), balanced_accuracy(confusion))
        self._compare("scores", scores, (self._row.accuracy, self._row.balanced_accuracy))

    def _slices(self, recorded: bytes | None) -> None:
        """The set that the donated slices were agreed on with."""
        done = [a for a in self._row.attempts if (a.round, a.state) == (DONATION, FINALISED)]
        self._compare("donated rows", _hex(recorded), done[-1].set_sha256 if done else None)

    def _attempts(self, session: Session, plan: Plan, record: TrainingRecord) -> None:
        training, row = record.training, self._row
        kept = {(attempt.round, attempt.number) for attempt in row.attempts}
        for number in (*range(record.next_round + 1), DONATION):
            for tried in range(1, self._ledger.round(training, number).attempts + 1):
                what = attempt_name(row.id, number, tried)
                found = "stored" if (number, tried) in kept else NOTHING
                self._report.compare(what, "stored", found)
        events = self._events(training)
        with assembled(self._federation, plan, training, load_tables(plan)) as parties:
            for attempt in sorted(row.attempts, key=lambda one: (in_order(one.round), one.number)):
                self._tell(f"{self._name}, {round_title(attempt.round).lower()}")
                check = AttemptCheck(self._report, self._federation, plan, attempt, parties)
                what = attempt_name(row.id, attempt.round, attempt.number)
                self._report.guard(what, partial(check.run, session, events))

    def _events(self, training: bytes) -> Events:
        """The events that concern an account, by event, attempt and account."""
        return {
            (event.name, event.key, str(event.values.get("hospital", event.values.get("node")))): (
                event
            )
            for event in self._ledger.events(training)
        }

    def _compare(self, what: str, expected: object, found: object) -> None:
        self._report.compare(f"{self._name}, {what}", expected, found)


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
