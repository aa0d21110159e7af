"""The contract that the installation meets on, and its parties, against chain and registry."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import DeploymentRow, PartyRow, TrainingRow
from app.services.check_report import NOTHING, UNREADABLE, Report
from app.services.federation import HOSPITAL, NODE, Federation
from contracts.artifact import APPEALS, MODELS
from contracts.reader import LedgerReader
from contracts.records import Role
from fl.plan import Member, Plan

_ROLES = {Role.HOSPITAL: HOSPITAL, Role.NODE: NODE}


def check_deployment(report: Report, federation: Federation, session: Session) -> None:
    """Compare what is noted of contract and chain with the chain that answers."""
    ledger = federation.ledger
    row = session.get(DeploymentRow, federation.deployment)
    if row is None:
        report.compare("contract, its row", "stored", NOTHING)
        return
    report.compare("contract, its address", ledger.contract, row.contract)
    report.compare("contract, its chain’s id", ledger.chain_id, row.chain_id)
    report.compare("contract, its chain’s kind", federation.endpoint.kind, row.chain_kind)
    report.compare("contract, its models’", ledger.addresses.get(MODELS), row.models)
    if ledger.promotions is not None:
        followed = ledger.promotions.trainings()
        report.compare("contract that its models’ one follows", ledger.contract, followed)
    report.compare("contract, its appeals’", ledger.addresses.get(APPEALS), row.appeals)
    if ledger.appeals is not None:
        report.compare(
            "contract that its appeals’ one follows", ledger.contract, ledger.appeals.federation()
        )
    genesis = ledger.block(0).hash.hex()
    report.compare("contract, its chain’s first block", genesis, row.genesis_hash)


def check_members(
    report: Report, ledger: LedgerReader, session: Session, rows: Sequence[TrainingRow]
) -> None:
    """Compare the parties of all trainings with their plans and with the registry.

    A party that took part in nothing on this chain is not compared: it may be on another one.
    """
    known = {row.name: row for row in session.scalars(select(PartyRow))}
    for member in _members(rows).values():
        row = known.get(member.name)
        what = f"party {member.name}"
        report.compare(what, "stored", "stored" if row else NOTHING)
        if row is not None:
            report.compare(f"{what}, account", member.account, row.account)
            _registered(report, ledger, what, member.account, row)


def _members(rows: Sequence[TrainingRow]) -> dict[str, Member]:
    """Everybody who takes part, by name; a plan that cannot be read is named with its training."""
    found: dict[str, Member] = {}
    for row in rows:
        try:
            plan = Plan.from_json(row.plan)
        except UNREADABLE:
            continue
        found |= {member.name: member for member in (*plan.hospitals, *plan.nodes)}
    return found


def _registered(
    report: Report, ledger: LedgerReader, what: str, account: str, row: PartyRow
) -> None:
    """The role and one of the keys that the registry has of the account."""
    party = ledger.registry.find_party(account)
    report.compare(f"{what}, role", _ROLES.get(party.role) if party else None, row.role)
    keys = [key.public_key.hex() for key in ledger.registry.keys(account)]
    # A key that was replaced since stays in the row until the party takes part again.
    expected = row.public_key if row.public_key in keys else "".join(keys[-1:])
    report.compare(f"{what}, public key", expected, row.public_key)
