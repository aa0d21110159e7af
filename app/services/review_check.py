"""Whether an attempt's verdicts are those that the nodes signed and the ledger recorded.

The agreed set is a public function of the ledger's submissions, the nodes' signed answers and what
the review's three nodes signed. So it is computed again, with the hash of the review in it, and
must have the hash that a quorum of nodes put on the ledger; then every stored verdict, figure and
bit is compared with that set, and with the events that the contract made of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.models import AttemptRow, MessageRow, SubmissionRow
from app.services.check_report import NOTHING, Report
from app.services.round_names import is_update
from app.stores.rounds import ACCEPTED, NOT_VERIFIED, REFUSED, REJECTED
from contracts.digests import set_digest, submissions_root
from contracts.reader import LedgerReader
from contracts.records import (
    NOTHING_OPENED,
    AgreedSet,
    AttemptKey,
    AttemptRecord,
    LedgerEvent,
    Standing,
    SubmissionRecord,
    Verdict,
)
from crypto.errors import CryptoError
from crypto.vss import Answer
from fl.aggregates import aggregate_for
from fl.agreement import Verdicts, judge_attempt, judge_sharing, starting_bound
from fl.appeals import excused_in
from fl.errors import FlError
from fl.messages import ANSWERS, Statement, unpack_answers
from fl.outcome import Outcome, SliceOutcome, find_outcome, review_purpose
from fl.party import context_of
from fl.plan import Plan

# Events of a training by name, attempt and the account that they are about.
Events = Mapping[tuple[str, AttemptKey | None, str], LedgerEvent]

_REVIEW_PREFIX = review_purpose(0).removesuffix("0")


class ReviewCheck:
    """The checks of one finalised attempt's verdicts. `name` is what its differences begin with."""

    def __init__(
        self,
        report: Report,
        ledger: LedgerReader,
        plan: Plan,
        row: AttemptRow,
        key: AttemptKey,
        name: str,
    ) -> None:
        self._report = report
        self._ledger = ledger
        self._plan = plan
        self._row = row
        self._key = key
        self._name = name

    def run(
        self,
        record: AttemptRecord,
        submissions: Sequence[SubmissionRecord],
        messages: Sequence[MessageRow],
        events: Events,
    ) -> None:
        """Compare; the report names each difference."""
        outcome = self._outcome(messages)
        if self._plan.reviews(self._key.round) and outcome is None:
            self._compare("review", "signed by three nodes", NOTHING)
        verdicts = self._verdicts(record, submissions, messages, outcome)
        computed = set_digest(self._key, verdicts.agreed).hex()
        self._compare("agreed set, computed again", _hex(record.agreed_hash), computed)
        known = {self._plan.name_of(one.hospital): one for one in submissions}
        for submission in self._row.submissions:
            if (one := known.get(submission.hospital)) is not None:
                self._submission(submission, one, verdicts, outcome, events)
        self._attempt(record, outcome, events)
        reason = verdicts.agreed.reason if verdicts.agreed.keeps else ""
        self._compare("reason", reason, self._row.reason)

    def agreed_set(
        self,
        record: AttemptRecord,
        submissions: Sequence[SubmissionRecord],
        messages: Sequence[MessageRow],
    ) -> AgreedSet:
        """The agreed set, computed again from what is stored."""
        return self._verdicts(record, submissions, messages, self._outcome(messages)).agreed

    def _outcome(self, messages: Sequence[MessageRow]) -> Outcome | None:
        context = context_of(self._ledger, self._key)
        carried = [one.body for one in messages if one.kind.startswith(_REVIEW_PREFIX)]
        return find_outcome(context, self._plan, self._judged(), self._key.round, carried)

    def _judged(self) -> list[str]:
        """The nodes that the judgement is about: also those that the published set leaves out."""
        return [
            self._plan.name_of(join.node)
            for join in self._ledger.joins(self._key)
            if join.standing in (Standing.IN, Standing.LEFT_OUT)
        ]

    def _verdicts(
        self,
        record: AttemptRecord,
        submissions: Sequence[SubmissionRecord],
        messages: Sequence[MessageRow],
        outcome: Outcome | None,
    ) -> Verdicts:
        aggregate = aggregate_for(self._plan, self._key.round, b"")
        quorum = self._ledger.training(self._key.training).quorum
        answers = dict(self._answers(messages))
        sharing = judge_sharing(
            self._plan, self._key.round, quorum, self._judged(), submissions, answers
        )
        root = submissions_root(submissions)
        return judge_attempt(
            self._plan,
            aggregate,
            root,
            sharing,
            outcome,
            self._norm_bound(record),
            excused_in(self._ledger, self._plan, self._key),
        )

    def _answers(self, messages: Sequence[MessageRow]) -> Iterator[tuple[str, dict[str, Answer]]]:
        """What the nodes answered; one that cannot be read is as good as none."""
        context = context_of(self._ledger, self._key)
        for one in messages:
            if one.kind == ANSWERS:
                try:
                    key = self._plan.node(one.sender).verifying_key
                    said = Statement.read(one.body, context, one.sender, key, ANSWERS)
                    yield one.sender, unpack_answers(said.body)
                except (FlError, CryptoError):
                    continue

    def _norm_bound(self, record: AttemptRecord) -> int:
        return record.norm_bound or starting_bound(self._plan)

    def _submission(
        self,
        row: SubmissionRow,
        record: SubmissionRecord,
        verdicts: Verdicts,
        outcome: Outcome | None,
        events: Events,
    ) -> None:
        name = row.hospital
        judged = events.get(("SubmissionJudged", self._key, record.hospital))
        said = Verdict(judged.values["verdict"]) if judged else Verdict.NONE  # type: ignore[arg-type]
        self._compare(f"{name}'s verdict", _word(said, outcome is not None), row.verdict)
        reason = {**verdicts.refused, **verdicts.rejected, **verdicts.excused}.get(name, "")
        self._compare(f"{name}'s reason", reason, row.reason)
        shown = events.get(("Reviewed", self._key, record.hospital))
        figures = _figures(shown.values) if shown else (None, None, None)
        found = (row.balanced_accuracy, row.reference, row.bits)
        self._compare(f"{name}'s figures", figures, found)

    def _attempt(self, record: AttemptRecord, outcome: Outcome | None, events: Events) -> None:
        """What is noted of the attempt as a whole."""
        kept = not record.opens
        self._compare("the model was kept", kept, self._row.kept)
        if kept:
            self._compare("result is its model", record.model_in.hex(), self._row.result_sha256)
        bound = self._norm_bound(record) if is_update(self._key.round) else None
        self._compare("norm bound", bound, self._row.norm_bound)
        expected = None if outcome is None else self._review(record, outcome, events)
        self._compare("review", expected, self._row.review)

    def _review(self, record: AttemptRecord, outcome: Outcome, events: Events) -> dict[str, Any]:
        """What must be stored of a review, from what was signed and from the ledger's events."""
        mine = [(name, event) for (name, key, _), event in events.items() if key == self._key]
        flagged = [
            self._plan.name_of(str(event.values["hospital"]))
            for name, event in mine
            if name == "SliceFlagged"
        ]
        signers = {
            self._plan.name_of(str(event.values["node"])): event.transaction
            for name, event in mine
            if name == "SetSigned" and event.values["set_hash"] == record.agreed_hash
        }
        sizes = outcome.sizes if isinstance(outcome, SliceOutcome) else {}
        return {
            "committee": list(outcome.committee),
            "flagged": flagged,
            "slices": {donor: list(counts) for donor, counts in sizes.items()},
            "signers": signers,
        }

    def _compare(self, what: str, expected: object, found: object) -> None:
        self._report.compare(f"{self._name}, {what}", expected, found)


def _word(verdict: Verdict, reviewed: bool) -> str:
    """The stored word for the ledger's verdict: nothing counts as accepted without a review."""
    if verdict == Verdict.ACCEPTED and reviewed:
        return ACCEPTED
    return {Verdict.REFUSED: REFUSED, Verdict.REJECTED: REJECTED}.get(verdict, NOT_VERIFIED)


def _figures(values: Mapping[str, object]) -> tuple[object, object, object]:
    balanced, reference = (
        None if values[name] == NOTHING_OPENED else values[name]
        for name in ("balanced_accuracy", "reference_accuracy")
    )
    return balanced, reference, values["bits"]


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
