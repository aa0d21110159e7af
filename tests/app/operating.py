"""Operators with wallets, for tests of what they approve by hand."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from argon2 import PasswordHasher
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

from app.database import Database
from app.models import ApprovalRow, ApprovalRuleRow, UserRow
from app.services.accounts import Accounts
from app.services.approval_message import TypedData
from app.services.approvals import Approvals
from app.services.audit import AuditLog
from app.services.passwords import Passwords
from app.services.roles import ADMINISTRATOR, OPERATOR
from app.services.staff import Staff
from app.services.wallets import Wallets
from tests.app.people import register

CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
_KEYS = itertools.count(1)


@dataclass(frozen=True)
class Operator:
    """An operator of a hospital, with the key of the linked and authorised wallet."""

    row: UserRow
    key: LocalAccount
    approvals: Approvals

    def sign(self, typed: TypedData) -> str:
        signed = self.key.sign_message(encode_typed_data(full_message=typed))
        return "0x" + bytes(signed.signature).hex()

    def offer(self, training: str, approve: bool = True, reason: str = "") -> TypedData:
        address = self.key.address.lower()
        return self.approvals.offer(self.row, training, approve, reason, address)

    def decide(self, training: str, approve: bool = True, reason: str = "") -> ApprovalRow:
        typed = self.offer(training, approve, reason)
        issued, signature = typed["message"]["issued"], self.sign(typed)
        return self.approvals.decide(self.row, training, approve, reason, issued, signature)

    def set_rule(self, required: bool = True) -> ApprovalRuleRow:
        typed = self.approvals.offer_rule(self.row, required, self.key.address)
        issued = typed["message"]["issued"]
        return self.approvals.set_rule(self.row, required, issued, self.sign(typed))


def operator_of(database: Database, hospital: str, name: str = "olga") -> Operator:
    """Somebody who acts for the hospital; an administrator is made along the way."""
    audit = AuditLog(database)
    accounts = Accounts(database, audit, CHEAP)
    admin = accounts.find_by_email("root@clinic.example") or register(accounts, "root")
    if admin.state != "active":
        admin = accounts.authorise(admin, admin.id, ADMINISTRATOR)
    row = accounts.authorise(admin, register(accounts, name).id, OPERATOR)
    Staff(database, audit).assign(admin, row.id, hospital)
    key: LocalAccount = Account.from_key(next(_KEYS).to_bytes(32))
    wallets = Wallets(database, audit)
    wallets.link(row, key.address)
    wallets.authorise(admin, row.id, key.address)
    return Operator(row, key, Approvals(database, audit))
