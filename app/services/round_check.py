"""A round's stored hashes and verdicts beside the ledger's, for whoever looks at the round."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, selectinload

from app.database import Database
from app.models import AttemptRow, ResultRow, TrainingRow, VoteRow
from app.services.predictions import OpenLedger
from app.services.round_names import STATISTICS
from app.stores.rounds import ACCEPTED, FINALISED, NOT_VERIFIED, REFUSED, REJECTED
from contracts.errors import LedgerError
from contracts.reader import LedgerReader
from contracts.records import DONATION, NOTHING_OPENED, AttemptKey, Bits, Verdict
from fl.errors import FlError
from fl.plan import Plan

NOTHING = "nothing"
# A review stands behind these: without one nothing is compared.
_WORDS = {
    Verdict.NONE: NOT_VERIFIED,
    Verdict.ACCEPTED: ACCEPTED,
    Verdict.REFUSED: REFUSED,
    Verdict.REJECTED: REJECTED,
}


@dataclass(frozen=True)
class Line:
    """A hash, or a verdict in words, that was compared: whether both sides hold the same."""

    what: str
    stored: str
    recorded: str
    is_hash: bool = True

    @property
    def agrees(self) -> bool:
        """Whether the database and the ledger say the same."""
        return self.stored == self.recorded


@dataclass(frozen=True)
class RoundCheck:
    """What was compared at which block; `failure` is a sentence when nothing could be."""

    lines: list[Line]
    block: int | None = None
    failure: str = ""

    @property
    def agrees(self) -> bool:
        """Whether everything was compared and agrees."""
        return not self.failure and all(line.agrees for line in self.lines)


def votes_of(database: Database, training: str, number: int, attempt: int) -> list[VoteRow]:
    """The votes for an attempt's result, by node."""
    query = (
        select(VoteRow)
        .join(AttemptRow, AttemptRow.id == VoteRow.attempt_id)
        .filter(AttemptRow.training_id == training, AttemptRow.round == number)
        .filter(AttemptRow.number == attempt)
        .order_by(VoteRow.node)
    )
    with database.transaction() as session:
        return list(session.scalars(query))


def check_round(
    database: Database, open_ledger: OpenLedger, training: str, number: int
) -> RoundCheck:
    """Compare a finalised round's set, result, updates, verdicts and votes with the ledger."""
    try:
        with closing(open_ledger()) as ledger, database.transaction() as session:
            attempt = session.scalars(_finalised(training, number)).one()
            plan = Plan.from_json(session.get_one(TrainingRow, training).plan)
            block = ledger.head().number
            return RoundCheck(_compared(session, ledger, plan, attempt), block)
    except (LedgerError, ValueError) as error:
        return RoundCheck([], failure=f"The ledger could not be asked: {error}.")
    except FlError as error:
        return RoundCheck([], failure=f"The training’s plan cannot be read: {error}.")


def _finalised(training: str, number: int) -> Select[AttemptRow]:
    return (
        select(AttemptRow)
        .filter_by(training_id=training, round=number, state=FINALISED)
        .options(selectinload(AttemptRow.submissions), selectinload(AttemptRow.votes))
    )


def _compared(
    session: Session, ledger: LedgerReader, plan: Plan, attempt: AttemptRow
) -> list[Line]:
    key = AttemptKey(bytes.fromhex(attempt.training_id), attempt.round, attempt.number)
    record = ledger.attempt(key)
    lines = [Line("Agreed set", attempt.set_sha256 or NOTHING, _hex(record.agreed_hash))]
    if attempt.round != DONATION:  # There the set is all that comes out.
        lines += _result(session, attempt, _hex(record.result_hash))
    updates = {plan.name_of(one.hospital): one for one in ledger.submissions(key)}
    for row in attempt.submissions:
        submitted = updates.get(row.hospital)
        digest = submitted.update_hash.hex() if submitted else NOTHING
        lines.append(Line(f"{_sent(attempt)} of {row.hospital}", row.update_sha256, digest))
    if attempt.review is not None and plan.review is not None:
        lines += _verdicts(ledger, plan, plan.review.rule.steps, key, attempt)
    votes = {plan.name_of(vote.node): vote.result_hash.hex() for vote in ledger.votes(key)}
    for vote in attempt.votes:
        lines.append(
            Line(f"Vote of {vote.node}", vote.result_sha256, votes.get(vote.node, NOTHING))
        )
    return lines


def _result(session: Session, attempt: AttemptRow, recorded: str) -> list[Line]:
    stored = session.get(ResultRow, recorded)
    body = sha256(stored.body).hexdigest() if stored else NOTHING
    return [
        Line("Result, as noted", attempt.result_sha256 or NOTHING, recorded),
        Line("Result, hash of the stored bytes", body, recorded),
    ]


def _sent(attempt: AttemptRow) -> str:
    return {DONATION: "Rows", STATISTICS: "Sums"}.get(attempt.round, "Update")


def _verdicts(
    ledger: LedgerReader, plan: Plan, steps: int, key: AttemptKey, attempt: AttemptRow
) -> list[Line]:
    """Verdicts with what was opened, as stored and as in the contract's events."""
    events = [event for event in ledger.events(key.training) if event.key == key]
    figures = {e.values["hospital"]: _figures(e.values) for e in events if e.name == "Reviewed"}
    said = {
        plan.name_of(str(e.values["hospital"])): _told(
            _WORDS[Verdict(e.values["verdict"])],  # type: ignore[arg-type]
            *figures.get(e.values["hospital"], (None, None, None)),
            steps,
        )
        for e in events
        if e.name == "SubmissionJudged"
    }
    return [
        Line(
            f"Verdict on {row.hospital}",
            _told(row.verdict, row.balanced_accuracy, row.reference, row.bits, steps),
            said.get(row.hospital, NOTHING),
            is_hash=False,
        )
        for row in attempt.submissions
    ]


def _figures(values: Mapping[str, Any]) -> tuple[int | None, int | None, int | None]:
    balanced, reference = (
        None if values[name] == NOTHING_OPENED else values[name]
        for name in ("balanced_accuracy", "reference_accuracy")
    )
    return balanced, reference, values["bits"]


def _told(
    verdict: str, balanced: int | None, reference: int | None, bits: int | None, steps: int
) -> str:
    """A verdict with all that was opened beside it, in one line."""
    said = [verdict]
    if balanced is not None and reference is not None:
        said.append(f"{balanced / steps:.2f}, reference {reference / steps:.2f}")
    if bits is not None:
        names = [str(bit.name).lower().replace("_", " ") for bit in Bits(bits)]
        said.append(", ".join(names) or "not in range")
    return "; ".join(said)


def _hex(value: bytes | None) -> str:
    return NOTHING if value is None else value.hex()
