"""Hashes computed again from what this server holds, or from what the ledger shows.

The coordinator's database holds plans, statistics, models and messages; the ledger shows nonces. A
hospital's update lies in its own folder only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import (
    AttemptRow,
    LedgerEventRow,
    LedgerMentionRow,
    MessageRow,
    ResultRow,
    SubmissionRow,
    TrainingRow,
)
from app.services.check_report import NOTHING, Report
from app.services.hash_lines import HashLine
from app.services.ledger_values import from_text
from app.services.review_check import ReviewCheck
from app.services.round_names import round_title
from app.stores.rounds import FINALISED
from contracts.digests import challenge_digest, nonce_commitment, set_digest, submissions_root
from contracts.errors import NotFound
from contracts.reader import LedgerReader
from contracts.records import DONATION, AgreedSet, AttemptKey
from crypto.digest import merkle_root
from crypto.errors import CryptoError
from fl.aggregates import result_digest
from fl.coordinator import SUBMISSION
from fl.errors import FlError
from fl.messages import Submission
from fl.plan import Plan


def stored(session: Session, value: str) -> Iterator[HashLine]:
    """Everything in the database that should have this hash, computed again; no chain is asked."""
    result = session.get(ResultRow, value)
    if result is not None:
        yield HashLine(f"The stored {result.kind}", value, sha256(result.body).hexdigest())
    for row in session.scalars(select(TrainingRow).filter_by(plan_sha256=value)):
        what = f"The plan of training {row.id[:8]}"
        yield _computed(what, value, lambda row=row: _plan(row).digest())  # type: ignore[misc]
    # Trainings with the same seed begin with the same model.
    first = select(TrainingRow).filter_by(initial_sha256=value).limit(1)
    for row in session.scalars(first):
        what = f"The model that training {row.id[:8]} began with, from its seed"
        yield _computed(
            what,
            value,
            lambda row=row: result_digest(_plan(row).initial_model()),  # type: ignore[misc]
        )
    for sent in session.scalars(select(SubmissionRow).filter_by(share_root=value)):
        what = f"The digests of the shares of {sent.hospital}, as they were received"
        yield _computed(what, value, lambda sent=sent: _root(session, sent))  # type: ignore[misc]


def agreed_sets(session: Session, ledger: LedgerReader, value: str) -> Iterator[HashLine]:
    """The agreed sets of this hash, from the nodes' signed answers and the ledger's submissions."""
    query = select(AttemptRow).filter_by(set_sha256=value, state=FINALISED)
    for row in session.scalars(query):
        what = "The set of donated rows" if row.round == DONATION else "The agreed set"
        what += f" of {round_title(row.round).lower()}, attempt {row.number}"
        yield _computed(what, value, lambda row=row: _set_hash(session, ledger, row))  # type: ignore[misc]


def reviews(session: Session, ledger: LedgerReader, value: str) -> Iterator[HashLine]:
    """Reviews whose hash a published set carries, from what the three nodes signed."""
    named = LedgerEventRow.mentions.any(LedgerMentionRow.value == value)
    for event in session.scalars(select(LedgerEventRow).where(named)):
        published = from_text(event.transaction.arguments).get("set")
        if isinstance(published, dict) and published.get("review") == value:
            place = {"training_id": event.training, "round": event.round, "number": event.attempt}
            for row in session.scalars(select(AttemptRow).filter_by(**place)):
                yield _computed(
                    f"What the encrypted test opened in {round_title(row.round).lower()}",
                    value,
                    lambda row=row: _set(session, ledger, row).review,  # type: ignore[misc]
                )


def on_ledger(ledger: LedgerReader, value: str, keys: Iterable[AttemptKey]) -> Iterator[HashLine]:
    """Roots, commitments to nonces and challenges of attempts, from what the ledger shows."""
    for key in keys:
        seats = {seat.node: seat for seat in ledger.joins(key)}
        for seat in seats.values():
            if seat.nonce_commitment.hex() == value and seat.nonce is not None:
                found = nonce_commitment(key, seat.node, seat.nonce)
                yield HashLine("The commitment to the nonce revealed later", value, found.hex())
        record = ledger.attempt(key)
        if record.submissions_root.hex() == value:
            root = submissions_root(ledger.submissions(key))
            yield HashLine("The root of all submissions of the attempt", value, root.hex())
        if record.challenge is not None and record.challenge.hex() == value:
            nodes = ledger.training(key.training).nodes
            nonces = [seats[node].nonce if node in seats else None for node in nodes]
            place = (ledger.chain_id, ledger.contract, key, record.submissions_root)
            found = challenge_digest(*place, nonces)
            yield HashLine("The challenge, from the revealed nonces", value, found.hex())


def held_elsewhere(session: Session, value: str) -> list[str]:
    """Sentences about what has this hash and is not held here."""
    query = select(SubmissionRow.hospital).filter_by(update_sha256=value)
    return [
        f"It is the hash of an update that only {name} holds, in its own folder. "
        f"“python3 run.py verify --hospital '{name}'” computes it again there."
        for name in session.scalars(query.distinct())
    ]


def _computed(what: str, value: str, compute: Callable[[], bytes]) -> HashLine:
    """A line; what cannot be read any more does not have the hash."""
    try:
        return HashLine(what, value, compute().hex())
    except (FlError, CryptoError, NotFound, ValueError, TypeError) as error:
        return HashLine(what, value, f"unreadable: {error}")


def _plan(row: TrainingRow) -> Plan:
    return Plan.from_json(row.plan)


def _root(session: Session, row: SubmissionRow) -> bytes:
    query = select(MessageRow).filter_by(
        attempt_id=row.attempt_id, kind=SUBMISSION, sender=row.hospital
    )
    message = session.scalars(query).one_or_none()
    if message is None:
        raise ValueError(NOTHING)
    return merkle_root(Submission.from_bytes(message.body).digests)


def _set_hash(session: Session, ledger: LedgerReader, row: AttemptRow) -> bytes:
    return set_digest(_key(row), _set(session, ledger, row))


def _set(session: Session, ledger: LedgerReader, row: AttemptRow) -> AgreedSet:
    """The agreed set of an attempt, as `run.py verify` computes it again."""
    key = _key(row)
    plan = _plan(session.get_one(TrainingRow, row.training_id))
    query = select(MessageRow).filter_by(attempt_id=row.id).order_by(MessageRow.id)
    messages = session.scalars(query).all()
    check = ReviewCheck(Report(), ledger, plan, row, key, "")
    return check.agreed_set(ledger.attempt(key), ledger.submissions(key), messages)


def _key(row: AttemptRow) -> AttemptKey:
    return AttemptKey(bytes.fromhex(row.training_id), row.round, row.number)
