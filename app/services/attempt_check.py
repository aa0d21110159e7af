"""One attempt of a training: its rows and messages against the chain and the parties' folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import AttemptRow, MessageRow, ResultRow
from app.services.check_report import NOTHING, Report
from app.services.federation import Federation
from app.services.message_check import MessageCheck
from app.services.review_check import Events, ReviewCheck
from app.services.round_names import round_title
from app.services.trainings import RUNNING, shortened
from app.stores.rounds import FAILED, FINALISED, OPEN
from contracts.errors import NotFound
from contracts.records import (
    DONATION,
    AttemptKey,
    AttemptRecord,
    AttemptState,
    SubmissionRecord,
    Verdict,
)
from crypto.errors import CryptoError
from fl.aggregates import aggregate_for
from fl.errors import FlError
from fl.hospital import Hospital
from fl.node import Node
from fl.party import Party
from fl.plan import Plan

# How the coordinator notes an attempt that is over; until then it is open.
_STATES = {AttemptState.FINALISED: FINALISED, AttemptState.FAILED: FAILED}


def attempt_name(training: str, number: int, tried: int) -> str:
    """What differences of an attempt begin with."""
    return f"training {training[:12]}, {round_title(number).lower()}, attempt {tried}"


class AttemptCheck:
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
        self._name = attempt_name(row.training_id, row.round, row.number)

    def run(self, session: Session, events: Events) -> None:
        """Compare; `events` are those of the training."""
        try:
            record = self._ledger.attempt(self._key)
        except NotFound:
            if self._row.state != OPEN:
                self._compare("attempt", "a record on the chain", NOTHING)
            return
        if self._row.state != OPEN or self._row.training.state != RUNNING:
            self._compare("state", _STATES.get(record.state, OPEN), self._row.state)
        submissions = self._ledger.submissions(self._key)
        query = select(MessageRow).filter_by(attempt_id=self._row.id).order_by(MessageRow.id)
        messages = session.scalars(query).all()
        self._submissions(submissions, events)
        check = MessageCheck(
            self._report, self._ledger, self._plan, self._row, self._parties, self._name
        )
        self._report.guard(
            f"{self._name}, messages", lambda: check.run(record, messages, submissions)
        )
        if self._row.state == FAILED:
            self._failure(record)
        if self._row.state == FINALISED:
            self._compare("agreed set", _hex(record.agreed_hash), self._row.set_sha256)
            self._compare("result", _hex(record.result_hash), self._row.result_sha256)
            if self._row.round != DONATION:  # Its result is the agreed set; rows are never opened.
                self._results(session, record)
            self._votes(events)
            self._review(record, submissions, messages, events)

    def _failure(self, record: AttemptRecord) -> None:
        """Of an attempt that failed only the reason counts: nothing came out of it."""
        row = self._row
        self._compare("reason", record.reason, shortened(row.reason))
        nothing = (None, None, False, None, None)
        told = (row.set_sha256, row.result_sha256, row.kept, row.norm_bound, row.review)
        self._compare("what came out", nothing, told)

    def _review(
        self,
        record: AttemptRecord,
        submissions: tuple[SubmissionRecord, ...],
        messages: Sequence[MessageRow],
        events: Events,
    ) -> None:
        check = ReviewCheck(
            self._report, self._ledger, self._plan, self._row, self._key, self._name
        )
        check.run(record, submissions, messages, events)

    def _submissions(self, submissions: tuple[SubmissionRecord, ...], events: Events) -> None:
        rows = {row.hospital: row for row in self._row.submissions}
        known = {self._plan.name_of(one.hospital): one for one in submissions}
        if self._row.state != OPEN:
            self._compare("hospitals that submitted", sorted(known), sorted(rows))
        for name, one in known.items():
            row = rows.get(name)
            if row is None:
                continue
            sent = _transaction(events, "Submitted", self._key, one.hospital)
            self._compare(f"{name}'s update hash", one.update_hash.hex(), row.update_sha256)
            self._compare(f"{name}'s share root", one.share_root.hex(), row.share_root)
            self._compare(f"{name}'s sample count", one.samples, row.samples)
            self._compare(f"{name}'s transaction", sent, row.transaction)
            if self._row.state == FINALISED:
                weight = one.weight if one.verdict == Verdict.ACCEPTED else None
                self._compare(f"{name}'s weight", weight, row.weight)
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

    def _results(self, session: Session, record: AttemptRecord) -> None:
        digest = record.result_hash or b""
        stored = session.get(ResultRow, digest.hex())
        found = sha256(stored.body).hexdigest() if stored else NOTHING
        self._compare("result in the database", digest.hex(), found)
        if stored is not None:
            kind = aggregate_for(self._plan, self._row.round, b"").kind
            self._compare("kind of its result", kind, stored.kind)
        absent = {fault.party for fault in self._row.faults}
        for name, party in self._parties.items():
            if isinstance(party, Node):
                copy = party.store.get(f"results/{digest.hex()}")
                if copy is None and name in absent:
                    continue  # It was named in this attempt for not being there.
                held = NOTHING if copy is None else sha256(copy).hexdigest()
                self._compare(f"{name}'s copy of the result", digest.hex(), held)

    def _votes(self, events: Events) -> None:
        rows = {row.node: row for row in self._row.votes}
        votes = {self._plan.name_of(v.node): v for v in self._ledger.votes(self._key)}
        self._compare("nodes that voted", sorted(votes), sorted(rows))
        for name, vote in votes.items():
            if (row := rows.get(name)) is not None:
                sent = _transaction(events, "Voted", self._key, vote.node)
                self._compare(f"{name}'s vote", vote.result_hash.hex(), row.result_sha256)
                self._compare(f"{name}'s transaction", sent, row.transaction)

    def _compare(self, what: str, expected: object, found: object) -> None:
        self._report.compare(f"{self._name}, {what}", expected, found)


def _transaction(events: Events, name: str, key: AttemptKey, account: str) -> str:
    event = events.get((name, key, account))
    return event.transaction if event else NOTHING


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
