"""Passwords: Argon2id with the parameters of RFC 9106, what is accepted, how one is made."""

from __future__ import annotations

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import PasswordRefused
from crypto.password_lock import Cost

SHORTEST = 12
LONGEST = 128

# No letter that a reader takes for another; 32 of them, so that a group of four has 20 bits.
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_GROUPS = 4


class Passwords:
    """Hashes and checks passwords; `hasher` sets the cost."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        # Checked where there is no person, so that an unknown e-mail address takes as long.
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    @property
    def cost(self) -> Cost:
        """What a guess costs, also for what is locked with a password."""
        made = self._hasher
        return Cost(made.time_cost, made.memory_cost, made.parallelism)

    def hash(self, password: str) -> str:
        """The Argon2id hash, with its salt and parameters."""
        return self._hasher.hash(password)

    def matches(self, hashed: str | None, password: str) -> bool:
        """Whether the password is the hashed one; takes as long when there is none."""
        try:
            self._hasher.verify(hashed or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return hashed is not None

    def is_outdated(self, hashed: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(hashed)


def require_acceptable(password: str, email: str, name: str) -> None:
    """Raise PasswordRefused, with the reason, for a password that is short, long or a name."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise PasswordRefused(
            f"The password must have {SHORTEST} to {LONGEST} characters; this one has "
            f"{len(password)}."
        )
    if len(set(password)) <= 2:
        raise PasswordRefused("The password repeats one or two characters. Choose another.")
    if password.casefold() in (email.casefold(), name.casefold()):
        raise PasswordRefused("The password must not be the name or the e-mail address.")


def generate() -> str:
    """A password of 80 bits, in four groups that can be read out."""
    return "-".join(
        "".join(secrets.choice(_LETTERS) for _ in range(_GROUPS)) for _ in range(_GROUPS)
    )
