"""Brings the local copy up to date before a page of the ledger shows it, and says how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field

from app.database import Database
from app.services.ledger_index import LedgerIndex, Reach
from app.services.predictions import OpenLedger
from contracts.errors import LedgerError
from contracts.records import BlockHead


@dataclass(frozen=True)
class Standing:
    """How far the copy goes; `failure` says why the chain was not asked, `reach` is None then.

    `contracts` are the addresses of all contracts by name, empty when the chain was not asked.
    """

    reach: Reach | None
    failure: str = ""
    contracts: Mapping[str, str] = field(default_factory=dict)


def bring_up_to_date(database: Database, open_ledger: OpenLedger) -> Standing:
    """Read one page on, which is all that a request does; later ones go on from there."""
    try:
        with closing(open_ledger()) as ledger:
            return Standing(LedgerIndex(database).advance(ledger), contracts=ledger.addresses)
    except LedgerError as error:
        return Standing(None, str(error))


def find_block(open_ledger: OpenLedger, number: int) -> BlockHead | None:
    """A block as the chain has it now; None where there is none such, or no chain answers."""
    try:
        with closing(open_ledger()) as ledger:
            return ledger.block(number)
    except LedgerError:
        return None
