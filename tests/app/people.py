"""People who register, for tests of what they may do."""

from __future__ import annotations

from app.models import UserRow
from app.services.accounts import Accounts
from app.services.roles import DOCTOR

PASSWORD = "correct horse battery"


def register(accounts: Accounts, name: str = "bob", role: str = DOCTOR) -> UserRow:
    """Somebody who waits for a decision."""
    row = accounts.register(f"{name}@clinic.example", name, "Clinic Road 1", role, PASSWORD)
    assert row is not None
    return row
