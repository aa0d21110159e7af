"""What the worker does of appeals: it opens the commitment, and writes appeals and opinions.

The hospital's account appeals, and the installation's two administrators' accounts decide, one for
each of the two people who agree: see `_account_for`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app.database import Database
from app.models import AppealRow, OpinionRow, TrainingRow
from app.services.appeals import (
    DISMISSED,
    DONE,
    OLDER,
    OPEN,
    REFUSED,
    UPHELD,
    WAITING,
    standing_opinions,
)
from app.services.audit import SYSTEM, AuditLog
from app.services.check_report import UNREADABLE
from app.services.federation import DEPUTY, Federation
from app.services.parties import only_hospital
from contracts.appeals import Appeals
from contracts.chain import fund
from contracts.errors import NotFound, Refused, RpcFailed
from contracts.records import AttemptKey, Decision
from fl.errors import StepRefused
from fl.hospital import Hospital
from fl.plan import Plan

_logger = logging.getLogger(__name__)
_ACTIONS = {OPEN: "filed", REFUSED: "refused", UPHELD: "upheld", DISMISSED: "dismissed"}
_KINDS = (AppealRow, OpinionRow)
_ENDED = {Decision.UPHELD: UPHELD, Decision.DISMISSED: DISMISSED}


def has_work(database: Database) -> bool:
    """Whether an appeal or an opinion waits for the worker."""
    with database.transaction() as session:
        kinds = (select(kind.id).filter_by(state=WAITING).limit(1) for kind in _KINDS)
        return any(session.scalar(query) is not None for query in kinds)


def write_waiting(federation: Federation) -> bool:
    """Write on the ledger what waits; calling again is safe. Whether nothing waits any more.

    Raises ChainUnreachable: what was not written waits on.
    """
    try:
        for appeal in _waiting_appeals(federation):
            _appeal(federation, appeal)
        for opinion in _waiting_opinions(federation):
            _decide(federation, opinion)
    except RpcFailed as error:
        # The training that is under way has nothing to do with it.
        _logger.warning("an appeal waits to be written: %s", error)
        return False
    return True


def _appeal(federation: Federation, row: AppealRow) -> None:
    if problem := _foreign(federation, row):
        _end_appeal(federation, row.id, REFUSED, problem)
        return
    training = bytes.fromhex(row.training_id)
    try:
        plan = _plan(federation, row)
        with only_hospital(federation, plan, training, row.hospital) as hospital:
            salt, content = _opening(hospital, row)
            fund(federation.endpoint, [hospital.ledger.account or ""])
            reason = bytes.fromhex(row.reason_sha256)
            receipt = _of(hospital.ledger.appeals).appeal(training, row.round, reason)
    except (Refused, NotFound, *UNREADABLE) as error:
        _end_appeal(federation, row.id, REFUSED, str(error))
        return
    with federation.database.transaction() as session:
        found = session.get_one(AppealRow, row.id)
        found.update_salt, found.update_content = salt.hex(), content.hex()
        found.transaction = receipt.transaction
    _end_appeal(federation, row.id, OPEN, "")


def _opening(hospital: Hospital, row: AppealRow) -> tuple[bytes, bytes]:
    """Salt and hash of what the hospital submitted, from its own folder.

    Raises StepRefused where its folder holds something else than the ledger has the hash of.
    """
    attempt = hospital.ledger.round(hospital.training, row.round).attempts
    key = AttemptKey(hospital.training, row.round, attempt)
    submitted = hospital.ledger.find_submission(key, hospital.ledger.account or "")
    dealt = hospital.dealing(key)
    if submitted is None or submitted.update_hash != dealt.update_hash:
        raise StepRefused(
            "The hospital’s folder does not open the update’s hash on the ledger: it was changed, "
            "or the round is of an older version."
        )
    return dealt.update_salt, dealt.update_sha256


def _decide(federation: Federation, opinion: OpinionRow) -> None:
    with federation.database.transaction() as session:
        query = select(AppealRow).options(selectinload(AppealRow.opinions))
        row = session.scalars(query.filter_by(id=opinion.appeal_id)).one()
    if problem := _foreign(federation, row):
        _note(federation, opinion.id, REFUSED, problem)
        return
    training = bytes.fromhex(row.training_id)
    account = _account_for(federation, opinion, row.opinions)
    with _appeals_of(federation, account) as appeals:
        hospital = _plan(federation, row).hospital(row.hospital).account
        where = training, row.round, hospital
        try:
            reason = bytes.fromhex(opinion.reason_sha256)
            receipt = appeals.decide(*where, opinion.upheld, reason)
        except Refused as refused:
            _note(federation, opinion.id, REFUSED, str(refused))
            return
        record = appeals.find_appeal(*where)
    _note(federation, opinion.id, DONE, "", account, receipt.transaction)
    if record is not None and record.decision != Decision.NONE:
        _end_appeal(federation, row.id, _ENDED[record.decision], "", record.decided_at)


def _account_for(
    federation: Federation, opinion: OpinionRow, opinions: Sequence[OpinionRow]
) -> str:
    """Which of the two administrators' accounts says on the ledger what a person decided.

    Where another person says the same, the other account than that one's: so two people decide, and
    never one twice. Else the person's own before, or the one that nobody else spoke by.
    """
    first = federation.ledger.account or ""
    second = federation.keys(DEPUTY).account
    other = {first: second, second: first}
    standing = standing_opinions(opinions)
    own = standing.pop(opinion.decided_by, None)
    for one in standing.values():
        if one.upheld == opinion.upheld:
            return other[one.account or first]
    if own is not None:
        return own.account or first
    return next((other[one.account or first] for one in standing.values()), first)


@contextmanager
def _appeals_of(federation: Federation, account: str) -> Iterator[Appeals]:
    """The contract as one of the two administrators' accounts sees it."""
    first = account == federation.ledger.account
    with nullcontext(federation.ledger) if first else federation.deputy() as ledger:
        yield _of(ledger.appeals)


def _of(appeals: Appeals | None) -> Appeals:
    if appeals is None:
        raise StepRefused(OLDER)
    return appeals


def _foreign(federation: Federation, row: AppealRow) -> str:
    """Why this chain's contracts cannot take it, or ""."""
    if row.deployment_id != federation.deployment:
        return "It was asked for on another chain than today’s."
    return OLDER if federation.ledger.appeals is None else ""


def _plan(federation: Federation, row: AppealRow) -> Plan:
    with federation.database.transaction() as session:
        return Plan.from_json(session.get_one(TrainingRow, row.training_id).plan)


def _waiting_appeals(federation: Federation) -> Sequence[AppealRow]:
    with federation.database.transaction() as session:
        query = select(AppealRow).filter_by(state=WAITING).order_by(AppealRow.id)
        return session.scalars(query).all()


def _waiting_opinions(federation: Federation) -> Sequence[OpinionRow]:
    with federation.database.transaction() as session:
        query = select(OpinionRow).filter_by(state=WAITING).order_by(OpinionRow.id)
        return session.scalars(query).all()


def _end_appeal(
    federation: Federation, number: int, state: str, problem: str, block: int | None = None
) -> None:
    log = AuditLog(federation.database)
    with federation.database.transaction() as session:
        row = session.get_one(AppealRow, number)
        row.state, row.problem, row.decided_block = state, problem, block
        session.flush()
        details = {"training": row.training_id, "round": row.round}
        more = {"problem": problem} if state == REFUSED else {"transaction": row.transaction or ""}
        log.add(SYSTEM, f"appeal.{_ACTIONS[state]}", row.hospital, {**details, **more}, session)


def _note(
    federation: Federation,
    number: int,
    state: str,
    problem: str,
    account: str | None = None,
    transaction: str | None = None,
) -> None:
    with federation.database.transaction() as session:
        row = session.get_one(OpinionRow, number)
        row.state, row.problem = state, problem
        row.account, row.transaction = account, transaction
