"""Parties' P-256 keys: which are in force, putting another in the place of one, revoking one.

A rotation can be killed after any step, and the next one goes on with it:

1. the new key is sealed and kept beside the one in use;
2. the ledger takes it, in force from that block on; signatures by the old one stay checkable;
3. it takes the place of the one in use;
4. the database and the audit log take note of it;
5. its file of step 1 goes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import RequestError
from app.models import PartyRow, TrainingRow
from app.services.audit import SYSTEM, AuditLog
from app.services.federation import Federation
from app.services.trainings import RUNNING
from app.services.unopened import AWAITING
from contracts.chain import fund
from contracts.records import PartyKey


@dataclass(frozen=True)
class PartyKeys:
    """A party with all keys that it had on this federation's ledger, the oldest first."""

    name: str
    role: str
    account: str
    keys: Sequence[PartyKey]


def key_fingerprint(public_key: bytes) -> str:
    """What a person compares: SHA-256 of the uncompressed point, in hexadecimal."""
    return sha256(public_key).hexdigest()


class KeyRotation:
    """The keys of one installation's parties, for whoever holds the right to train."""

    def __init__(self, federation: Federation) -> None:
        self._federation = federation
        self._database = federation.database
        self._registry = federation.ledger.registry

    def everyone(self) -> list[PartyKeys]:
        """Every enrolled party, hospitals before nodes, by name."""
        with self._database.transaction() as session:
            query = select(PartyRow).order_by(PartyRow.role, PartyRow.name)
            rows = session.scalars(query).all()
        return [
            PartyKeys(row.name, row.role, row.account, self._registry.keys(row.account))
            for row in rows
        ]

    def rotate(self, name: str) -> PartyKeys:
        """Give a party another key, or go on with a rotation that was interrupted.

        Raises RequestError for an unknown party, and for one with a training that is not over: its
        plan names the key. LedgerError where the ledger refuses.
        """
        row = self._get_free(name)
        ring = self._federation.key_ring
        following = ring.prepare_next(row.name)
        fund(self._federation.endpoint, [row.account])
        ledger = self._federation.ledger_of(ring.keys(row.name))
        try:
            block = ledger.registry.rotate_key(following).block
        finally:
            ledger.close()
        ring.use_next(row.name)
        self._note_rotated(row, following, block)
        ring.forget_next(row.name)
        return self._found(row)

    def revoke(self, name: str) -> PartyKeys:
        """Put a party's key out of force; it takes part again after a rotation.

        Raises as `rotate` does.
        """
        row = self._get_free(name)
        block = self._registry.revoke_key(row.account).block
        found = self._found(row)
        details = {"key_sha256": key_fingerprint(found.keys[-1].public_key), "block": block}
        AuditLog(self._database).add(SYSTEM, "key.revoked", row.name, details)
        return found

    def _found(self, row: PartyRow) -> PartyKeys:
        return PartyKeys(row.name, row.role, row.account, self._registry.keys(row.account))

    def _get_free(self, name: str) -> PartyRow:
        with self._database.transaction() as session:
            rows = session.scalars(select(PartyRow).order_by(PartyRow.name)).all()
            wanted = name.strip().casefold()
            row = next((one for one in rows if one.name.casefold() == wanted), None)
            if row is None:
                known = ", ".join(one.name for one in rows) or "none: train first"
                raise RequestError(f"expected a party of this federation ({known}), got {name}")
            if training := _find_unfinished(session, row.account):
                raise RequestError(
                    f"the training {training[:12]} of {row.name} is not over, and its plan names "
                    "the key: let it end, or stop it"
                )
            return row

    def _note_rotated(self, row: PartyRow, public_key: bytes, block: int) -> None:
        with self._database.transaction() as session:
            kept = session.get_one(PartyRow, row.id)
            if kept.public_key == public_key.hex():
                return
            kept.public_key = public_key.hex()
            details = {"key_sha256": key_fingerprint(public_key), "block": block}
            AuditLog(self._database).add(SYSTEM, "key.rotated", row.name, details, session)


def _find_unfinished(session: Session, account: str) -> str | None:
    """A training that waits, runs or was interrupted, in which the account takes part."""
    query = select(TrainingRow).where(TrainingRow.state.in_((RUNNING, AWAITING)))
    for row in session.scalars(query):
        plan = json.loads(row.plan)
        if any(one["account"] == account for one in (*plan["hospitals"], *plan["nodes"])):
            return row.id
    return None
