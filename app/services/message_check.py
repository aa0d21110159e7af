"""The messages of one attempt: none altered, none missing, and each as its sender keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

from app.models import AttemptRow, MessageRow
from app.services.check_report import NOTHING, Report
from app.stores.rounds import FINALISED
from contracts.reader import LedgerReader
from contracts.records import (
    DONATION,
    AttemptKey,
    AttemptRecord,
    JoinRecord,
    Standing,
    SubmissionRecord,
)
from crypto.digest import merkle_root
from crypto.errors import CryptoError
from fl.coordinator import SUBMISSION
from fl.errors import FlError
from fl.evaluation import read_evaluation
from fl.messages import ANSWERS, OUTCOME, REPORT, SET, SUM, Statement, Submission, unpack
from fl.party import Party, attempt_place, context_of, round_place
from fl.plan import Plan

# The step in which a party that owes a message of the kind is named, if it does not send it.
_STEPS = {ANSWERS: "check", SET: "agree", SUM: "aggregate", OUTCOME: "vote", REPORT: "distribute"}


class MessageCheck:
    """The checks of an attempt's messages. `name` is what its differences begin with."""

    def __init__(
        self,
        report: Report,
        ledger: LedgerReader,
        plan: Plan,
        row: AttemptRow,
        parties: Mapping[str, Party],
        name: str,
    ) -> None:
        self._report = report
        self._ledger = ledger
        self._plan = plan
        self._row = row
        self._parties = parties
        self._name = name
        self._key = AttemptKey(bytes.fromhex(row.training_id), row.round, row.number)

    def run(
        self,
        record: AttemptRecord,
        messages: Sequence[MessageRow],
        submissions: Sequence[SubmissionRecord],
    ) -> None:
        """Compare; the report names each difference."""
        roots = {self._plan.name_of(one.hospital): one.share_root for one in submissions}
        for message in messages:
            what = f"{message.kind} of {message.sender}"
            self._compare(what, message.body_sha256, sha256(message.body).hexdigest())
            if message.kind == SUBMISSION:
                root = roots.get(message.sender)
                if root is not None:
                    self._compare(what, root.hex(), _root(message.body))
            else:
                self._compare(f"{what}, signature", "valid", self._signature(message))
            self._kept(what, message)
        stored = {(one.kind, one.sender) for one in messages}
        for kind, sender in self._owed(record, list(roots)):
            found = "stored" if (kind, sender) in stored else NOTHING
            self._compare(f"{kind} of {sender}", "stored", found)
        self._evaluations(messages)

    def _owed(self, record: AttemptRecord, submitted: Sequence[str]) -> Iterator[tuple[str, str]]:
        """The messages that there must be, by what the ledger tells of the attempt.

        Of a failed attempt only the submissions: it may have ended before the others were asked.
        """
        for hospital in submitted:
            yield SUBMISSION, hospital
        if self._row.state != FINALISED:
            return
        named = {(fault.party, fault.step) for fault in self._row.faults}
        for join in self._ledger.joins(self._key):
            node = self._plan.name_of(join.node)
            for kind in _said(join, record.opens and self._key.round != DONATION):
                if (node, _STEPS[kind]) not in named:
                    yield kind, node
        if self._key.round != DONATION:
            for hospital in (member.name for member in self._plan.hospitals):
                if (hospital, _STEPS[REPORT]) not in named:
                    yield REPORT, hospital

    def _kept(self, what: str, message: MessageRow) -> None:
        """The sender's own copy, which it kept before it sent the message."""
        party = self._parties.get(message.sender)
        if party is None:
            return
        place = _place(message.kind, self._key)
        kept = party.store.get(place)
        if kept is not None and message.kind == SUBMISSION:
            kept = unpack(kept, bytes, bytes)[1]
        held = NOTHING if kept is None else sha256(kept).hexdigest()
        self._compare(f"{what}, as it keeps it", sha256(message.body).hexdigest(), held)

    def _evaluations(self, messages: Sequence[MessageRow]) -> None:
        """What hospitals reported, under their signature, against what is shown of it."""
        shown = {
            row.hospital: [row.confusion, row.train_confusion, row.score_counts]
            for row in self._row.evaluations
        }
        reported: dict[str, object] = {}
        classes = len(self._plan.data.classes)
        for message in messages:
            if message.kind == REPORT:
                try:
                    body = unpack(message.body, str, str, bytes, bytes)[2]
                    said = read_evaluation(body, classes)
                except FlError:
                    continue  # Its signature was found to be wrong already.
                if said is not None:
                    reported[message.sender] = [
                        counts if counts is None else [list(row) for row in counts]
                        for counts in (said.test, said.train, said.scores)
                    ]
        for name in sorted(shown.keys() | reported.keys()):
            found, expected = shown.get(name, []), reported.get(name, [])
            self._compare(f"{name}'s evaluation", str(expected), str(found))

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

    def _compare(self, what: str, expected: object, found: object) -> None:
        self._report.compare(f"{self._name}, {what}", expected, found)


def _said(join: JoinRecord, sums: bool) -> Iterator[str]:
    """The kinds of messages that a node of this seat sent, if nothing went wrong."""
    if join.standing == Standing.IN:
        yield ANSWERS
        if join.agreed is not None:
            yield SET
        if sums:
            yield SUM
    if sums and join.vote is not None:
        yield OUTCOME


def _place(kind: str, key: AttemptKey) -> str:
    """Where the sender of a message keeps it."""
    if kind == SUBMISSION:
        return f"{attempt_place(key)}/dealing"
    if kind == ANSWERS:
        return f"{round_place(key)}/answers-{key.attempt}"
    if kind == SUM:
        return f"{round_place(key)}/sum"
    return f"{attempt_place(key)}/said/{kind}"


def _root(body: bytes) -> str:
    try:
        return merkle_root(Submission.from_bytes(body).digests).hex()
    except FlError as error:
        return str(error)
