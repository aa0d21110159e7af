"""`run.py keys`: the parties' keys on the ledger, and another one for a party."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from app.cli.console import progress
from app.cli.exclusive import exclusive_federation
from app.services.federation import open_federation
from app.services.key_rotation import KeyRotation, PartyKeys, key_fingerprint
from config import Settings
from contracts.members import grouped
from contracts.records import PartyKey

# Digits of a key's SHA-256 that are shown: enough to tell keys apart.
_DIGITS = 16


def keys(args: argparse.Namespace) -> int:
    """List the parties' keys, or rotate or revoke one.

    Raises RequestError, BusyError while a training runs, and LedgerError where refused.
    """
    if args.action is None:
        with open_federation(Settings()) as federation:
            _show(KeyRotation(federation).everyone())
        return 0
    with exclusive_federation(Settings()) as federation:
        rotation = KeyRotation(federation)
        if args.action == "revoke":
            done = rotation.revoke(args.name)
            told = f"The key of {done.name} is out of force. It takes part again after a rotation."
        else:
            done = rotation.rotate(args.name)
            told = f"{done.name} has another key. What the old one signed stays checkable."
        progress().print(told)
        progress().print(
            "The federation has another fingerprint now; publish it where the old one stands:\n"
            f"  {grouped(federation.ledger.fingerprint())}\n"
            "Dossiers that were written before are still genuine by the old one.",
            markup=False,
        )
        _show([done])
    return 0


def _show(parties: Sequence[PartyKeys]) -> None:
    """A line a party: the key in force, or the last one."""
    if not parties:
        progress().print("No party is enrolled yet: python3 run.py train enrols them.")
        return
    table = Table(box=SIMPLE)
    for column in ("party", "role", "account", "key (SHA-256)", "since block", "keys so far"):
        table.add_column(column, no_wrap=True)
    for party in parties:
        table.add_row(party.name, party.role, party.account, *_last(party.keys))
    console = Console(highlight=False)
    # A table that is cut loses accounts.
    Console(highlight=False, width=max(140, console.width)).print(table)


def _last(known: Sequence[PartyKey]) -> tuple[str, str, str]:
    if not known:
        return "none on this chain", "-", "0"
    last = known[-1]
    since = str(last.since) if last.revoked is None else f"{last.since}, revoked {last.revoked}"
    return key_fingerprint(last.public_key)[:_DIGITS], since, str(len(known))
