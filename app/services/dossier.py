"""Writing the dossier of a round: the ledger's signed transactions and what the nodes signed."""

from __future__ import annotations

import base64
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import AttemptRow, MessageRow, ResultRow, TrainingRow
from app.services.dossier_check import REVIEW_PREFIX, check_parsed, summary_of
from app.services.dossier_format import FORMAT, BadValues, Dossier, parse_dossier
from app.services.dossier_story import Story
from app.services.round_names import in_order, is_update, round_title
from app.services.unopened import AWAITING, UNOPENED
from app.stores.rounds import FINALISED
from contracts.artifact import ANCHORS, APPEALS, FEDERATION, RECORDS, REGISTRY
from contracts.errors import BadEvidence
from contracts.evidence import Block, check_block
from contracts.groundwork import read_set
from contracts.interface import interface
from contracts.members import Members
from contracts.reader import LedgerReader
from contracts.records import DONATION, AttemptKey, LedgerEvent
from contracts.rpc import Rpc
from contracts.witness import collect
from fl.errors import FlError
from fl.messages import ANSWERS
from fl.plan import Plan

# Stands in the place of the summary while it is worked out.
_NOTHING: dict[str, Any] = {
    **dict.fromkeys(("model_in", "challenge", "set_sha256", "result_sha256"), "00" * 32),
    "norm_bound": 0,
    "kept": False,
    **{name: [] for name in ("hospitals", "left_out", "disputes", "signed", "voted")},
}
# Events of an earlier attempt that show what a quorum agreed on in it.
_SHOWING = frozenset({"SetSigned", "SetPublished", "Voted"})
_HEARD = frozenset({"Appealed", "AppealJudged", "AppealDecided"})


def has_dossier(database: Database, training: str, number: int) -> bool:
    """Whether the round is finished, so that a dossier of it can be written."""
    query = select(AttemptRow.id).filter_by(training_id=training, round=number, state=FINALISED)
    with database.transaction() as session:
        return session.scalar(query) is not None


class Dossiers:
    """The dossiers of one installation's rounds; `ledger` is read, never written."""

    def __init__(self, database: Database, ledger: LedgerReader) -> None:
        self._database = database
        self._ledger = ledger

    def write(self, training: str, number: int) -> bytes:
        """The dossier of a finished round, checked.

        Raises:
            RequestError: there is no such round, or its records do not hold together.
            LedgerError: the chain cannot be read.
        """
        with self._database.transaction() as session:
            attempt = _attempt(session, training, number)
            row = session.get_one(TrainingRow, training)
            plan, messages = row.plan, _messages(session, attempt)
            result = b"" if number == DONATION else _result(session, attempt)
            key = AttemptKey(bytes.fromhex(training), number, attempt.number)
        fields = self._evidence(key) | {
            "plan": plan,
            "messages": messages,
            "result": _base64(result),
        }
        return _finished(fields).to_bytes()

    def round_of(self, model: str) -> tuple[str, int]:
        """The training and round that made a model. Raises RequestError."""
        with self._database.transaction() as session:
            query = select(AttemptRow).filter_by(result_sha256=model.lower(), state=FINALISED)
            query = query.where(AttemptRow.kept.is_(False)).order_by(AttemptRow.id)
            found = session.scalars(query).first()
            if found is None:
                raise RequestError(
                    f"expected the hash of a model of this installation, got {model}"
                )
            return found.training_id, found.round

    def training(self, prefix: str | None) -> str:
        """The training whose identifier begins so; without one the latest. Raises RequestError."""
        with self._database.transaction() as session:
            query = select(TrainingRow.id).order_by(TrainingRow.started_at.desc())
            query = query.where(TrainingRow.state.not_in((AWAITING, UNOPENED)))
            if prefix is not None:
                same = func.substr(TrainingRow.id, 1, len(prefix)) == prefix.lower()
                query = query.where(same)
            found = session.scalars(query).all()
        if not found:
            raise RequestError(
                "expected a training of this installation, got "
                + (prefix or "none: run python3 run.py train first")
            )
        if prefix is not None and len(found) > 1:
            raise RequestError(f"expected one training that begins with {prefix}: give more of it")
        return found[0]

    def last_round(self, training: str) -> int:
        """The last finished round of a training. Raises RequestError."""
        with self._database.transaction() as session:
            query = select(AttemptRow.round).filter_by(training_id=training, state=FINALISED)
            rounds = session.scalars(query).all()
        if not rounds:
            raise RequestError(f"no round of the training {training[:12]} is finished")
        return max(rounds, key=in_order)

    def _evidence(self, key: AttemptKey) -> dict[str, Any]:
        """The part of the file that the ledger tells."""
        ledger = self._ledger
        history = ledger.registry.history()
        events = list(ledger.events(key.training))
        heard = _heard(events, key)
        with Rpc(ledger.rpc_url) as rpc:
            wanted = [*history, *_of_round(rpc, events, key), *heard]
            blocks = collect(rpc, {event.transaction for event in wanted})
        return {
            "chain_id": ledger.chain_id,
            "contracts": {
                name.lower(): ledger.addresses[name]
                for name in (REGISTRY, ANCHORS, RECORDS, FEDERATION, *([APPEALS] if heard else []))
            },
            "fingerprint": Members.of(history).fingerprint(ledger.chain_id, ledger.addresses).hex(),
            "training": key.training.hex(),
            "round": key.round,
            "attempt": key.attempt,
            "transactions": sum(len(block.entries) for block in blocks),
            "blocks": [_block(block, ledger.chain_id) for block in blocks],
        }


def _of_round(rpc: Rpc, events: list[LedgerEvent], key: AttemptKey) -> list[LedgerEvent]:
    """What opened the training, made the attempt, and put its model and its bound into force."""
    own = [e for e in events if e.name == "TrainingOpened" or e.key == key]
    first = min(event.block for event in own if event.key == key)
    done = {event.key for event in events if event.name == "Finalised" and event.block < first}
    before = [e for e in events if e.key in done and e.key and is_update(e.key.round)]
    voted = [event.key for event in before if event.name == "Voted"][-1:]
    bounding = [e.key for e in reversed(before) if e.name == "SetPublished" and _bounds(rpc, e)][:1]
    shown = {*voted, *bounding}
    return own + [e for e in before if e.key in shown and e.name in _SHOWING]


def _heard(events: list[LedgerEvent], key: AttemptKey) -> list[LedgerEvent]:
    """The appeals that were upheld before an attempt at a round of updates, call by call."""
    first = min(event.block for event in events if event.key == key)
    earlier = [e for e in events if e.name in _HEARD and e.block < first and is_update(key.round)]
    upheld = {_place(e) for e in earlier if e.name == "AppealDecided" and e.values["upheld"]}
    return [event for event in earlier if _place(event) in upheld]


def _place(event: LedgerEvent) -> tuple[object, object]:
    return event.values["round"], event.values["hospital"]


def _bounds(rpc: Rpc, published: LedgerEvent) -> bool:
    """Whether a published set changed the norm bound."""
    sent = rpc.call("eth_getTransactionByHash", published.transaction)
    _, values = interface(FEDERATION).call(bytes.fromhex(sent["input"][2:]))
    return read_set(values).norm_bound != 0


def _block(block: Block, chain_id: int) -> dict[str, Any]:
    checked = check_block(block, chain_id)
    return {
        "hash": block.hash.hex(),
        "header": block.header.hex(),
        "transactions": [
            {
                "hash": transaction.hash.hex(),
                "index": entry.index,
                "transaction": [node.hex() for node in entry.transaction],
                "receipt": [node.hex() for node in entry.receipt],
            }
            for entry, transaction in zip(block.entries, checked.transactions, strict=True)
        ],
    }


def _finished(fields: dict[str, Any]) -> Dossier:
    """The dossier with its summary; one that would not pass its own check is not written."""
    try:
        draft = parse_dossier(fields | {"format": FORMAT, "summary": _NOTHING})
        story = Story(draft)
        story.tell()
        summary = summary_of(story, Plan.from_json(draft.plan))
    except (BadValues, BadEvidence, FlError, ValueError) as error:
        raise RequestError(f"the round’s records do not hold together: {error}") from error
    dossier = draft.model_copy(update={"summary": summary})
    if differences := check_parsed(dossier).differences:
        raise RequestError(f"the round’s records do not hold together: {differences[0]}")
    return dossier


def _attempt(session: Session, training: str, number: int) -> AttemptRow:
    query = select(AttemptRow).filter_by(training_id=training, round=number, state=FINALISED)
    found = session.scalars(query).one_or_none()
    if found is None:
        raise RequestError(
            f"{round_title(number)} of the training {training[:12]} is not finished, or is none"
        )
    return found


def _messages(session: Session, attempt: AttemptRow) -> list[dict[str, str]]:
    """What the nodes signed for everybody to judge: their answers, and what the review opened."""
    query = select(MessageRow).filter_by(attempt_id=attempt.id).order_by(MessageRow.id)
    return [
        {"kind": one.kind, "sender": one.sender, "body": _base64(one.body)}
        for one in session.scalars(query)
        if one.kind == ANSWERS or one.kind.startswith(REVIEW_PREFIX)
    ]


def _result(session: Session, attempt: AttemptRow) -> bytes:
    found = session.get(ResultRow, attempt.result_sha256)
    if found is not None:
        return found.body
    plan = session.get_one(TrainingRow, attempt.training_id).plan
    # A round that keeps the first model leaves nothing in the table: it follows from the plan.
    return Plan.from_json(plan).initial_model()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
