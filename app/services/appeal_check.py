"""The appeals in the database against those on the chain, one by one, with every opinion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.models import AppealRow, AttemptRow, DeploymentRow, PartyRow, SubmissionRow
from app.services.appeals import DISMISSED, DONE, OPEN, UPHELD
from app.services.check_report import NOTHING, Report
from app.services.federation import Federation
from app.services.hexadecimal import from_hex
from app.services.promotions import reason_digest
from app.stores.rounds import FINALISED
from contracts.records import LedgerEvent
from crypto.context import Context
from crypto.digest import update_digest

_OLDER = "none: the contracts are older"
_ENDED = {True: UPHELD, False: DISMISSED}

# Training, round and the hospital's account.
_Place = tuple[str, int, str]


def check_appeals(report: Report, federation: Federation, session: Session) -> None:
    """Compare every appeal and opinion of the federation's contract, both ways."""
    query = select(AppealRow).filter_by(deployment_id=federation.deployment)
    query = query.where(AppealRow.state.in_((OPEN, UPHELD, DISMISSED)))
    rows = session.scalars(query.options(selectinload(AppealRow.opinions))).all()
    appeals = federation.ledger.appeals
    if appeals is None:
        report.compare("appeals", _OLDER, f"{len(rows)} stored" if rows else _OLDER)
        return
    events: dict[_Place, list[LedgerEvent]] = {}
    for event in appeals.history():
        if event.training is not None:
            events.setdefault(_place(event), []).append(event)
    accounts = {row.name: row.account for row in session.scalars(select(PartyRow))}
    stored = {(row.training_id, row.round, accounts.get(row.hospital, "")): row for row in rows}
    for place in sorted({*events, *stored}):
        known = stored.get(place)
        _compare(report, session, _called(place, accounts), events.get(place, []), known)


def _compare(
    report: Report,
    session: Session,
    what: str,
    events: Sequence[LedgerEvent],
    row: AppealRow | None,
) -> None:
    expected, found = ("stored" if one else NOTHING for one in (events, row))
    report.compare(what, expected, found)
    if row is None or not events:
        return
    filed, *later = events
    _reason(report, what, filed, row.reason, row.salt, row.reason_sha256)
    report.compare(f"{what}, transaction", filed.transaction, row.transaction)
    decided = [one for one in later if one.name == "AppealDecided"]
    state = _ENDED[bool(decided[0].values["upheld"])] if decided else OPEN
    report.compare(f"{what}, decision", state, row.state)
    block = decided[0].block if decided else None
    report.compare(f"{what}, block of the decision", block, row.decided_block)
    report.compare(f"{what}, opened hash", *_opened(session, row))
    _opinions(report, what, [one for one in later if one.name == "AppealJudged"], row)


def _opinions(report: Report, what: str, events: Sequence[LedgerEvent], row: AppealRow) -> None:
    done = [one for one in row.opinions if one.state == DONE]
    report.compare(f"{what}, opinions", len(events), len(done))
    for number, (event, opinion) in enumerate(zip(events, done, strict=False), start=1):
        name = f"{what}, opinion {number}"
        values = event.values
        report.compare(f"{name}, upheld", values["upheld"], opinion.upheld)
        report.compare(f"{name}, account", values["administrator"], opinion.account)
        _reason(report, name, event, opinion.reason, opinion.salt, opinion.reason_sha256)
        report.compare(f"{name}, transaction", event.transaction, opinion.transaction)


def _reason(
    report: Report, what: str, event: LedgerEvent, reason: str, salt: str, digest: str
) -> None:
    expected = event.values["reason_hash"]
    told = expected.hex() if isinstance(expected, bytes) else ""
    report.compare(f"{what}, hash of the reason", told, digest)
    given = reason_digest(from_hex(salt), reason).hex()
    report.compare(f"{what}, reason", told, given)


def _opened(session: Session, row: AppealRow) -> tuple[str, str]:
    """The update's hash as it is stored (and compared with its round), and as salt and hash say."""
    query = (
        select(SubmissionRow.update_sha256, AttemptRow.number)
        .join(AttemptRow, AttemptRow.id == SubmissionRow.attempt_id)
        .where(AttemptRow.training_id == row.training_id, AttemptRow.round == row.round)
        .where(AttemptRow.state == FINALISED, SubmissionRow.hospital == row.hospital)
    )
    stored, attempt = session.execute(query).one()
    return stored, opened_hash(session, row, attempt)


def opened_hash(session: Session, row: AppealRow, attempt: int) -> str:
    """The update's hash (hex) that an appeal's salt and hash give."""
    deployment = session.get_one(DeploymentRow, row.deployment_id)
    contract = bytes.fromhex(deployment.contract.removeprefix("0x"))
    training = bytes.fromhex(row.training_id)
    context = Context(deployment.chain_id, contract, training, row.round, attempt)
    salt, content = (from_hex(one or "") for one in (row.update_salt, row.update_content))
    return update_digest(context, row.hospital, salt, content).hex()


def _place(event: LedgerEvent) -> _Place:
    training = event.training or b""
    return training.hex(), int(str(event.values["round"])), str(event.values["hospital"])


def _called(place: _Place, accounts: Mapping[str, str]) -> str:
    training, round, account = place
    names = {one: name for name, one in accounts.items()}
    return f"appeal of {names.get(account, account)} in round {round} of {training[:12]}"
