"""A hospital's own check: hashes of its updates and roots over its shares, from its own folder.

Nobody else can do this: the updates never left the hospital in clear.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select

from app.database import Database
from app.models import PartyRow, TrainingRow
from app.services.attempt_check import attempt_name
from app.services.check_report import UNREADABLE, Report
from app.services.federation import HOSPITAL, Federation
from app.services.parties import only_hospital
from app.services.round_names import round_title
from app.services.training_check import training_name
from contracts.errors import NotFound
from contracts.records import DONATION, AttemptKey, SubmissionRecord
from fl.hospital import Hospital
from fl.plan import Plan


@dataclass(frozen=True)
class Recomputed:
    """What was computed again of one submission: `place` names round and attempt.

    `update` is the update's hash, `shares` the root over its shares, in hex; or why there is none.
    """

    training: str
    place: str
    update: str
    shares: str


def hospital_names(database: Database) -> list[str]:
    """The hospitals of an installation, by name."""
    query = select(PartyRow.name).filter_by(role=HOSPITAL).order_by(PartyRow.name)
    with database.transaction() as session:
        return list(session.scalars(query))


class HospitalCheck:
    """Everything that hospital `name` put on the ledger; `report` says what differs."""

    def __init__(self, federation: Federation, name: str) -> None:
        self._federation = federation
        self._ledger = federation.ledger
        self._name = name
        self.report = Report()

    def run(self) -> Iterator[Recomputed]:
        """Compute again, submission by submission, and compare with the chain.

        Raises ChainUnreachable.
        """
        for identifier, text in self._trainings():
            try:
                plan = Plan.from_json(text)
                record = self._ledger.training(bytes.fromhex(identifier))
            except NotFound:
                continue  # It was interrupted before it began, so nobody has submitted anything.
            except UNREADABLE as error:
                what = f"{training_name(identifier)}, plan"
                self.report.compare(what, "a readable plan", str(error))
                continue
            if self._name not in {member.name for member in plan.hospitals}:
                continue
            self.report.trainings += 1
            what = f"{training_name(identifier)}, plan"
            self.report.compare(what, record.config_hash.hex(), plan.digest().hex())
            if record.config_hash == plan.digest():
                yield from self._training(plan, record.training, record.next_round)

    def _trainings(self) -> list[tuple[str, str]]:
        query = (
            select(TrainingRow.id, TrainingRow.plan)
            .filter_by(deployment_id=self._federation.deployment)
            .order_by(TrainingRow.started_at)
        )
        with self._federation.database.transaction() as session:
            return [(one.id, one.plan) for one in session.execute(query)]

    def _training(self, plan: Plan, training: bytes, next_round: int) -> Iterator[Recomputed]:
        account = plan.hospital(self._name).account
        with only_hospital(self._federation, plan, training, self._name) as hospital:
            for number in (0, DONATION, *range(1, next_round + 1)):
                for tried in range(1, self._ledger.round(training, number).attempts + 1):
                    key = AttemptKey(training, number, tried)
                    submitted = self._ledger.find_submission(key, account)
                    if submitted is not None:
                        yield self._attempt(hospital, key, submitted)

    def _attempt(
        self, hospital: Hospital, key: AttemptKey, submitted: SubmissionRecord
    ) -> Recomputed:
        try:
            dealing = hospital.dealing(key)
            update, shares = dealing.update_hash.hex(), dealing.share_root.hex()
        except UNREADABLE as error:
            update = shares = f"not there: {error}"
        name = attempt_name(key.training.hex(), key.round, key.attempt)
        self.report.compare(f"{name}, {self._name}'s update", submitted.update_hash.hex(), update)
        self.report.compare(f"{name}, {self._name}'s shares", submitted.share_root.hex(), shares)
        place = f"{round_title(key.round).lower()}, attempt {key.attempt}"
        return Recomputed(key.training.hex(), place, update, shares)
