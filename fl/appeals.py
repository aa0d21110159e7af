"""Whose balanced accuracy warns instead of rejecting, because two administrators upheld an appeal.

An appeal counts in rounds of the same training whose attempt was opened in a later block than the
one in which it was upheld. Both blocks stand on the ledger and never change, so every node, the
coordinator and whoever checks later find the same hospitals, whatever is decided meanwhile.
"""

from __future__ import annotations

from contracts.appeals import upheld_before
from contracts.reader import LedgerReader
from contracts.records import DONATION, AttemptKey
from fl.plan import Plan


def excused_in(ledger: LedgerReader, plan: Plan, key: AttemptKey) -> frozenset[str]:
    """The hospitals, by name, whose appeal was upheld before the attempt was opened.

    Raises NotFound for an attempt that was never opened.
    """
    # Contracts from before appeals know none; only rounds of updates are judged by figures.
    if ledger.appeals is None or key.round in (0, DONATION):
        return frozenset()
    upheld = ledger.appeals.upheld(key.training)
    if not upheld:
        return frozenset()
    return frozenset(map(plan.name_of, upheld_before(upheld, ledger.opened_at(key))))
