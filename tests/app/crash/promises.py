"""What must hold when a training is over, however often it was killed: each promise is a function.

The ledger, the database and the parties' folders are read from outside; nothing of the trainer is
left when they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median_low

from sqlalchemy import select

from app.database import Database
from app.models import AttemptRow, DeploymentRow, MessageRow, PartyRow, ResultRow, TrainingRow
from app.stores.rounds import FAILED, FINALISED
from contracts.chain import connect
from contracts.ledger import Ledger
from contracts.records import DONATION, AttemptKey, AttemptState, LedgerEvent, TrainingState
from contracts.rpc import Rpc
from crypto.digest import merkle_root
from fl.messages import ANSWERS, SUM, Submission, unpack
from fl.plan import Plan
from fl.round import STEPS
from tests.app.crash.nursery import Installation

# Events that a party causes once an attempt, with the name of their indexed account.
OWN_EVENTS = {
    "NodeJoined": "node",
    "NonceRevealed": "node",
    "SetSigned": "node",
    "Voted": "node",
    "Submitted": "hospital",
}
# What an attempt draws anew, as it stands on the ledger.
FRESH = {
    "NodeJoined": ("nonce_commitment", "receiving_key"),
    "NonceRevealed": ("nonce",),
    "Submitted": ("share_root", "update_hash"),
    "ChallengeDrawn": ("challenge",),
}


# Of a session of the review nothing is said again: it is begun anew, under another number.
SESSIONS = ("last_session", "review", "exchange")
# What stays of an attempt: what was said, that numbers were used, which slices stood.
LEFT = {"said", "session", "last-session", "slices"}


@dataclass
class Remains:
    """A training that is over: its rows (loaded), its plan, its ledger and all its events."""

    folder: Path
    words: Path
    row: TrainingRow
    attempts: list[AttemptRow]
    messages: dict[tuple[int, str, str], bytes]
    results: dict[str, bytes]
    accounts: dict[str, str]
    plan: Plan
    ledger: Ledger
    events: list[LedgerEvent]

    def key(self, attempt: AttemptRow) -> AttemptKey:
        """The attempt's key on the ledger."""
        return AttemptKey(bytes.fromhex(self.row.id), attempt.round, attempt.number)

    def account(self, name: str) -> str:
        """The account of a party."""
        return self.accounts[name]

    def kept(self, party: str, place: str) -> Path:
        """Where a party keeps something."""
        folder = party.lower().replace(" ", "-")
        return self.folder / "parties" / folder / "state" / place

    def kept_of_round(self, party: str, attempt: AttemptRow, place: str) -> Path:
        """Where a party keeps something of an attempt's round."""
        return self.kept(party, f"{self.row.id}/{attempt.round}/{place}")

    def named(self, name: str) -> list[LedgerEvent]:
        """The events of a name."""
        return [event for event in self.events if event.name == name]

    def summed(self) -> list[LedgerEvent]:
        """The ends of the rounds that have a result: all but the donation of slices."""
        return [event for event in self.named("Finalised") if event.key.round != DONATION]


@contextmanager
def remains(installation: Installation) -> Iterator[Remains]:
    """Read everything that an installation with one training left behind."""
    folder = installation.folder
    database = Database(f"sqlite:///{folder / 'consilium.db'}")
    with connect(folder, rpc_url=installation.chain or None) as endpoint:
        with database.transaction() as session:
            row = session.scalars(select(TrainingRow)).one()
            contract = session.scalars(select(DeploymentRow)).one().contract
            ledger = Ledger(endpoint.url, contract)
            yield Remains(
                folder=folder,
                words=installation.words,
                row=row,
                attempts=list(row.attempts),
                messages={
                    (one.attempt_id, one.kind, one.sender): one.body
                    for one in session.scalars(select(MessageRow))
                },
                results={one.sha256: one.body for one in session.scalars(select(ResultRow))},
                accounts={one.name: one.account for one in session.scalars(select(PartyRow))},
                plan=Plan.from_json(row.plan),
                ledger=ledger,
                events=list(ledger.events(bytes.fromhex(row.id))),
            )
        ledger.close()
    database.close()


def check_finished(found: Remains, results: list[str]) -> None:
    """Every promise to a training that finished; `results` are the undisturbed results by round."""
    assert (found.row.state, found.row.reason) == ("finished", "")
    record = found.ledger.training(bytes.fromhex(found.row.id))
    assert (record.state, record.reason) == (TrainingState.ENDED, "")
    assert record.next_round == found.plan.rounds + 1
    assert [event.values["result_hash"].hex() for event in found.summed()] == results
    assert [event.key.round for event in found.summed()] == list(range(len(results)))
    assert found.named("Finalised")[1].key.round == DONATION
    assert found.row.model_sha256 == record.model.hex() == results[-1]
    assert found.row.statistics_sha256 == results[0]
    whole = [one for one in found.attempts if one.state == FINALISED]
    named = [(fault.party, fault.reason) for one in whole for fault in one.faults]
    assert named == []
    check_consistent(found)


def check_consistent(found: Remains) -> None:
    """What holds however the training ended."""
    check_attempts(found)
    check_submissions(found)
    check_votes(found)
    check_results(found)
    check_sent_once(found)
    check_fresh(found)
    check_said_once(found)
    check_forgotten(found)


def check_attempts(found: Remains) -> None:
    """The database's attempts are the ledger's, and a finalised one has all its steps on record."""
    opened = [
        (event.key.round, event.key.attempt)
        for event in found.named("AttemptAdvanced")
        if event.values["state"] == AttemptState.OPENED
    ]
    assert [(one.round, one.number) for one in found.attempts] == sorted(opened)
    for attempt in found.attempts:
        record = found.ledger.attempt(found.key(attempt))
        if record.state == AttemptState.FINALISED:
            assert attempt.state == FINALISED
            assert (attempt.set_sha256, attempt.result_sha256) == (
                record.agreed_hash.hex(),
                record.result_hash.hex(),
            )
            assert sorted(step.name for step in attempt.steps) == sorted(STEPS)
        else:
            assert (record.state, attempt.state) == (AttemptState.FAILED, FAILED)
            assert attempt.reason == record.reason != ""
            assert attempt.result_sha256 is None


def check_submissions(found: Remains) -> None:
    """Submissions are the ledger's, one a hospital, each accepted one counted with its weight."""
    for attempt in found.attempts:
        on_ledger = found.ledger.submissions(found.key(attempt))
        sent = {
            event.values["hospital"]: event.transaction
            for event in found.named("Submitted")
            if event.key == found.key(attempt)
        }
        assert {
            (found.account(one.hospital), one.samples, one.share_root, one.update_sha256)
            for one in attempt.submissions
        } == {
            (one.hospital, one.samples, one.share_root.hex(), one.update_hash.hex())
            for one in on_ledger
        }
        for one in attempt.submissions:
            assert one.transaction == sent[found.account(one.hospital)]
        if attempt.state == FINALISED:
            cap = 2 * median_low([one.samples for one in attempt.submissions])
            weights = {one.hospital: one.weight for one in attempt.submissions}
            assert weights == {
                one.hospital: 1 if attempt.round in (0, DONATION) else min(one.samples, cap)
                for one in attempt.submissions
            }
            assert sorted(weights) == sorted(member.name for member in found.plan.hospitals)
            assert {one.hospital: one.weight for one in on_ledger} == {
                found.account(name): weight for name, weight in weights.items()
            }


def check_votes(found: Remains) -> None:
    """Votes are the ledger's, with the transactions that cast them."""
    for attempt in found.attempts:
        key = found.key(attempt)
        cast = {
            event.values["node"]: event.transaction
            for event in found.named("Voted")
            if event.key == key
        }
        assert {
            (found.account(vote.node), vote.result_sha256, vote.transaction)
            for vote in attempt.votes
        } == {
            (vote.node, vote.result_hash.hex(), cast[vote.node]) for vote in found.ledger.votes(key)
        }


def check_results(found: Remains) -> None:
    """No model without its record on the ledger, none on the ledger without its bytes."""
    finalised = [event.values["result_hash"].hex() for event in found.summed()]
    assert sorted(found.results) == sorted(finalised)
    for digest, body in found.results.items():
        assert sha256(body).hexdigest() == digest
        for node in found.plan.nodes:
            assert found.kept(node.name, f"results/{digest}").read_bytes() == body


def check_sent_once(found: Remains) -> None:
    """No party sent anything twice, and no transaction of a party left nothing behind."""
    sent: Counter[str] = Counter()
    for name, who in OWN_EVENTS.items():
        counted = Counter((event.key, event.values[who]) for event in found.named(name))
        assert set(counted.values()) <= {1}, (name, counted)
        sent.update(str(account) for _, account in counted)
    advanced = Counter(
        (event.key, event.values["state"]) for event in found.named("AttemptAdvanced")
    )
    assert set(advanced.values()) == {1}, advanced
    assert len(found.named("TrainingOpened")) == len(found.named("TrainingEnded")) == 1
    with Rpc(found.ledger.rpc_url) as rpc:
        for member in (*found.plan.hospitals, *found.plan.nodes):
            count = int(rpc.call("eth_getTransactionCount", member.account, "latest"), 16)
            assert count == sent[member.account], member.name


def check_fresh(found: Remains) -> None:
    """Nonces, receiving keys, challenges, roots, hashes, seeds and shares belong to one attempt."""
    drawn: list[bytes] = []
    for name, fields in FRESH.items():
        for event in found.named(name):
            drawn += [bytes(event.values[field]) for field in fields]
    for attempt in found.attempts:
        record = {one.hospital: one for one in found.ledger.submissions(found.key(attempt))}
        for member in found.plan.hospitals:
            dealing = found.kept_of_round(member.name, attempt, f"attempt-{attempt.number}/dealing")
            if member.account not in record or not dealing.exists():
                continue
            seed, kept = unpack(dealing.read_bytes(), bytes, bytes)
            submission = Submission.from_bytes(kept)
            assert merkle_root(submission.digests) == record[member.account].share_root
            assert found.messages[attempt.id, "submission", member.name] == kept
            drawn += [seed, *submission.digests, *submission.envelopes]
    assert len(set(drawn)) == len(drawn)


def check_said_once(found: Remains) -> None:
    """Whatever a party said in a step of an attempt, it said as the same bytes in every life."""
    said: dict[str, set[str]] = {}
    for line in found.words.read_text().splitlines():
        number, attempt, step, digest, party = line.split(" ", 4)
        if step in SESSIONS:
            continue
        said.setdefault(f"{number} {attempt} {step} {party}", set()).add(digest)
    assert said
    assert [what for what, digests in said.items() if len(digests) != 1] == []
    for attempt in found.attempts:
        for node in found.plan.nodes:
            answers = found.kept_of_round(node.name, attempt, f"answers-{attempt.number}")
            stored = found.messages.get((attempt.id, ANSWERS, node.name))
            assert stored is None or stored == answers.read_bytes()
            stored = found.messages.get((attempt.id, SUM, node.name))
            assert (
                stored is None
                or stored == found.kept_of_round(node.name, attempt, "sum").read_bytes()
            )


def check_forgotten(found: Remains) -> None:
    """No node keeps a receiving key, a nonce or a share of an attempt that is over."""
    for attempt in found.attempts:
        for node in found.plan.nodes:
            place = found.kept_of_round(node.name, attempt, f"attempt-{attempt.number}")
            kept = {path.name for path in place.glob("*")}
            assert kept <= LEFT, (node.name, attempt.round, kept)
