"""The parties of a training in this process, each with its own keys, account, folder and rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from app.services.consent import require_consent
from app.services.federation import Federation
from app.services.keys import party_folder
from app.services.simulation import Simulation
from app.stores.party_files import PartyFiles
from fl.attacks.part import HONEST_PART, Part
from fl.datasets import Table
from fl.hospital import Hospital
from fl.node import Node
from fl.party import Identity, Party
from fl.plan import Member, Plan


def load_tables(plan: Plan) -> dict[str, Table]:
    """Each hospital's rows, by name."""
    tables = plan.data.load(plan.partition)
    return {member.name: tables[member.name] for member in plan.hospitals}


@contextmanager
def assembled(
    federation: Federation,
    plan: Plan,
    training: bytes,
    tables: Mapping[str, Table],
    simulation: Simulation | None = None,
) -> Iterator[Mapping[str, Party]]:
    """The parties by name; their connections to the chain are closed at the end.

    In a `simulation` its attackers do as they please.
    """
    parties: dict[str, Party] = {}
    try:
        for member in (*plan.hospitals, *plan.nodes):
            parties[member.name] = _party(federation, plan, training, member, tables, simulation)
        yield parties
    finally:
        for party in parties.values():
            party.ledger.close()


@contextmanager
def only_hospital(
    federation: Federation, plan: Plan, training: bytes, name: str
) -> Iterator[Hospital]:
    """One hospital of a training, alone with its own folder."""
    table = load_tables(plan)[name]
    made = _party(federation, plan, training, plan.hospital(name), {name: table}, None)
    try:
        if not isinstance(made, Hospital):
            raise TypeError(f"expected a hospital, got {name}")
        yield made
    finally:
        made.ledger.close()


def _party(
    federation: Federation,
    plan: Plan,
    training: bytes,
    member: Member,
    tables: Mapping[str, Table],
    simulation: Simulation | None,
) -> Party:
    """A hospital where `tables` has rows of it, else a node."""
    keys = federation.keys(member.name)
    identity = Identity(member.name, keys.signing)
    ledger = federation.ledger_of(keys)
    root = federation.settings.instance_dir / "parties"
    store = PartyFiles(party_folder(root, member.name) / "state")
    if member.name not in tables:
        return Node(identity, plan, training, ledger, store)
    table = tables[member.name]
    part = _part(member.name, tables, simulation)
    consent = partial(require_consent, federation.database, ledger, member.name, training, plan)
    return Hospital(identity, plan, training, ledger, store, table, part, consent)


def _part(name: str, tables: Mapping[str, Table], simulation: Simulation | None) -> Part:
    if simulation is None or name not in simulation.attackers:
        return HONEST_PART
    behaviour = simulation.behaviours[name]
    return Part(behaviour=behaviour, attackers=simulation.attackers, tables=tables)
