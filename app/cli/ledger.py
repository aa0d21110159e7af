"""`run.py ledger`: bring the local copy of the chain's events up to date, or make it anew."""

from __future__ import annotations

import argparse
import sys

from app.services.federation import open_federation
from app.services.ledger_index import LedgerIndex
from app.services.ledger_view import Explorer
from config import Settings


def ledger(args: argparse.Namespace) -> int:
    """Read to the end of the chain, and say how much the copy holds."""
    with open_federation(Settings()) as federation:
        index = LedgerIndex(federation.database)
        if args.rebuild:
            index.forget()
        reach = index.catch_up(federation.ledger)
        counts = Explorer(federation.database).counts()
    sys.stdout.write(
        f"{counts.events} events of {counts.transactions} transactions in blocks 0 to "
        f"{reach.head}, contract {federation.ledger.contract}.\n"
    )
    return 0
