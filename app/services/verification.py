"""Whether what is stored is what the chain recorded: every hash computed again, every one compared.

Three things are checked of each value: that the bytes still have the hash that is stored with them,
that this hash is the chain's, and that nothing is missing on either side. Hospitals recompute their
own commitments from what lies in their folders, nodes their copies of the results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.models import AttemptRow, MessageRow, ResultRow, TrainingRow
from app.services.audit import AuditLog
from app.services.federation import Federation
from app.services.parties import assembled, load_tables
from app.services.trainings import pooled
from app.stores.rounds import FINALISED, NOT_VERIFIED, OPEN, REFUSED
from contracts.errors import NotFound
from contracts.records import AttemptKey, AttemptRecord, AttemptState, SubmissionRecord, Verdict
from crypto.digest import merkle_root
from crypto.errors import CryptoError
from fl.coordinator import SUBMISSION
from fl.errors import FlError
from fl.hospital import Hospital
from fl.messages import REPORT, Statement, Submission, unpack
from fl.node import Node
from fl.party import Party, context_of
from fl.plan import Plan
from fl.training import accuracy, balanced_accuracy

NOTHING = "nothing"


@dataclass(frozen=True)
class Difference:
    """What differs: the thing, what was expected of it, what was found."""

    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected}, found {self.found}"


@dataclass
class Report:
    """How much was checked, and what differs."""

    trainings: int = 0
    checked: int = 0
    differences: list[Difference] = field(default_factory=list)

    def compare(self, what: str, expected: object, found: object) -> None:
        """Count a check; note a difference."""
        self.checked += 1
        if expected != found:
            self.differences.append(Difference(what, _told(expected), _told(found)))

    def guard(self, what: str, check: Callable[[], None]) -> None:
        """Run a check; stored values that cannot even be read are a difference, not the end."""
        try:
            check()
        except (ValueError, TypeError, SQLAlchemyError) as error:
            self.compare(what, "readable values", f"{type(error).__name__}: {error}")


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
            query = select(TrainingRow).filter_by(deployment_id=self._federation.deployment)
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
        """The audit log's chain of hashes; nothing on the blockchain anchors it yet."""
        broken = AuditLog(self._federation.database).verify()
        told = f"entry {', '.join(map(str, broken))} altered or missing" if broken else "whole"
        self._compare("audit log", "whole", told)

    def _training(self, session: Session, row: TrainingRow) -> None:
        name = f"training {row.id[:12]}"
        try:
            record = self._ledger.training(bytes.fromhex(row.id))
        except (NotFound, ValueError):
            if row.state != "running":
                self._compare(name, "a record on the chain", NOTHING)
            return
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
        self._attempts(session, row, plan, record.next_round)

    def _scores(self, row: TrainingRow, name: str) -> None:
        """The scores, computed again from the evaluations, which are the hospitals' signed ones."""
        confusion = pooled(row.attempts)
        if confusion is not None:
            scores = (accuracy(confusion), balanced_accuracy(confusion))
            self._compare(f"{name}, scores", scores, (row.accuracy, row.balanced_accuracy))

    def _attempts(self, session: Session, row: TrainingRow, plan: Plan, next_round: int) -> None:
        training = bytes.fromhex(row.id)
        kept = {(attempt.round, attempt.number) for attempt in row.attempts}
        for number in range(next_round + 1):
            for tried in range(1, self._ledger.round(training, number).attempts + 1):
                what = f"training {row.id[:12]}, round {number}, attempt {tried}"
                self._compare(what, "stored", "stored" if (number, tried) in kept else NOTHING)
        transactions = self._transactions(training)
        with assembled(self._federation, plan, training, load_tables(plan)) as parties:
            for attempt in row.attempts:
                check = _AttemptCheck(self._report, self._federation, plan, attempt, parties)
                what = f"training {row.id[:12]}, round {attempt.round}, attempt {attempt.number}"
                self._report.guard(what, lambda check=check: check.run(session, transactions))  # type: ignore[misc]

    def _transactions(self, training: bytes) -> Mapping[tuple[str, AttemptKey | None, str], str]:
        """The transactions of submissions and votes, by event, attempt and account."""
        return {
            (event.name, event.key, str(event.values.get("hospital", event.values.get("node")))): (
                event.transaction
            )
            for event in self._ledger.events(training)
        }

    def _compare(self, what: str, expected: object, found: object) -> None:
        self._report.compare(what, expected, found)


class _AttemptCheck:
    """The checks of one attempt."""

    def __init__(
        self,
        report: Report,
        federation: Federation,
        plan: Plan,
        row: AttemptRow,
        parties: Mapping[str, Party],
    ) -> None:
        self._report = report
        self._ledger = federation.ledger
        self._plan = plan
        self._row = row
        self._parties = parties
        self._key = AttemptKey(bytes.fromhex(row.training_id), row.round, row.number)
        self._name = f"training {row.training_id[:12]}, round {row.round}, attempt {row.number}"

    def run(
        self, session: Session, transactions: Mapping[tuple[str, AttemptKey | None, str], str]
    ) -> None:
        try:
            record = self._ledger.attempt(self._key)
        except NotFound:
            if self._row.state != OPEN:
                self._compare("attempt", "a record on the chain", NOTHING)
            return
        if self._row.state != OPEN:
            finalised = record.state == AttemptState.FINALISED
            self._compare("state is finalised", finalised, self._row.state == FINALISED)
        submissions = self._ledger.submissions(self._key)
        self._submissions(submissions, transactions)
        self._messages(session, submissions)
        if self._row.state == FINALISED:
            self._compare("agreed set", _hex(record.agreed_hash), self._row.set_sha256)
            self._compare("result", _hex(record.result_hash), self._row.result_sha256)
            self._results(session, record)
            self._votes(transactions)

    def _submissions(
        self,
        submissions: tuple[SubmissionRecord, ...],
        transactions: Mapping[tuple[str, AttemptKey | None, str], str],
    ) -> None:
        rows = {row.hospital: row for row in self._row.submissions}
        known = {self._plan.name_of(one.hospital): one for one in submissions}
        if self._row.state != OPEN:
            self._compare("hospitals that submitted", sorted(known), sorted(rows))
        for name, one in known.items():
            row = rows.get(name)
            if row is None:
                continue
            sent = transactions.get(("Submitted", self._key, one.hospital), NOTHING)
            self._compare(f"{name}'s update hash", one.update_hash.hex(), row.update_sha256)
            self._compare(f"{name}'s share root", one.share_root.hex(), row.share_root)
            self._compare(f"{name}'s sample count", one.samples, row.samples)
            self._compare(f"{name}'s transaction", sent, row.transaction)
            if self._row.state == FINALISED:
                self._compare(f"{name}'s weight", one.weight, row.weight or 0)
                verdict = REFUSED if one.verdict == Verdict.REFUSED else NOT_VERIFIED
                self._compare(f"{name}'s verdict", verdict, row.verdict)
            self._dealing(name, one)

    def _dealing(self, name: str, record: SubmissionRecord) -> None:
        """The hospital computes its commitments again from what lies in its own folder."""
        hospital = self._parties[name]
        if not isinstance(hospital, Hospital):
            return
        try:
            dealing = hospital.dealing(self._key)
        except (FlError, CryptoError, ValueError) as error:
            self._compare(f"{name}'s own update", record.update_hash.hex(), str(error))
            return
        recomputed = dealing.update_hash.hex()
        self._compare(f"{name}'s own update", record.update_hash.hex(), recomputed)
        self._compare(f"{name}'s own shares", record.share_root.hex(), dealing.share_root.hex())

    def _messages(self, session: Session, submissions: tuple[SubmissionRecord, ...]) -> None:
        roots = {self._plan.name_of(one.hospital): one.share_root for one in submissions}
        query = select(MessageRow).filter_by(attempt_id=self._row.id).order_by(MessageRow.id)
        for message in session.scalars(query):
            what = f"{message.kind} of {message.sender}"
            digest = sha256(message.body).hexdigest()
            self._compare(what, message.body_sha256, digest)
            if message.kind == SUBMISSION:
                if message.sender in roots:
                    self._compare(what, roots[message.sender].hex(), _root(message.body))
            else:
                self._compare(f"{what}, signature", "valid", self._signature(message))
            if message.kind == REPORT:
                self._evaluation(message)

    def _evaluation(self, message: MessageRow) -> None:
        """What a hospital reported, under its signature, against what is shown of it."""
        kept = {row.hospital: row.confusion for row in self._row.evaluations}
        try:
            (reported,) = unpack(unpack(message.body, str, str, bytes, bytes)[2], list)
        except FlError:
            return  # Its signature was found to be wrong already.
        shown = kept.get(message.sender, [])
        self._compare(f"{message.sender}'s evaluation", str(reported), str(shown))

    def _signature(self, message: MessageRow) -> str:
        context = context_of(self._ledger, self._key)
        try:
            known = self._plan.hospital if message.kind == REPORT else self._plan.node
            member = known(message.sender)
            key = member.verifying_key
            Statement.read(message.body, context, member.name, key, message.kind)
        except (FlError, CryptoError) as error:
            return str(error)
        return "valid"

    def _results(self, session: Session, record: AttemptRecord) -> None:
        digest = record.result_hash or b""
        stored = session.get(ResultRow, digest.hex())
        found = sha256(stored.body).hexdigest() if stored else NOTHING
        self._compare("result in the database", digest.hex(), found)
        absent = {fault.party for fault in self._row.faults}
        for name, party in self._parties.items():
            if isinstance(party, Node):
                copy = party.store.get(f"results/{digest.hex()}")
                if copy is None and name in absent:
                    continue  # It was named in this attempt for not being there.
                held = NOTHING if copy is None else sha256(copy).hexdigest()
                self._compare(f"{name}'s copy of the result", digest.hex(), held)

    def _votes(self, transactions: Mapping[tuple[str, AttemptKey | None, str], str]) -> None:
        rows = {row.node: row for row in self._row.votes}
        votes = {self._plan.name_of(v.node): v for v in self._ledger.votes(self._key)}
        self._compare("nodes that voted", sorted(votes), sorted(rows))
        for name, vote in votes.items():
            if (row := rows.get(name)) is not None:
                sent = transactions.get(("Voted", self._key, vote.node), NOTHING)
                self._compare(f"{name}'s vote", vote.result_hash.hex(), row.result_sha256)
                self._compare(f"{name}'s transaction", sent, row.transaction)

    def _compare(self, what: str, expected: object, found: object) -> None:
        self._report.compare(f"{self._name}, {what}", expected, found)


def _root(body: bytes) -> str:
    try:
        return merkle_root(Submission.from_bytes(body).digests).hex()
    except FlError as error:
        return str(error)


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _told(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return NOTHING if value is None else str(value)
