"""The administration's share of every sealed record, for an emergency ("break glass").

It counts as one doctor's share and opens nothing alone. The key that it is sealed to lies in a
keystore of the installation, as the parties' keys do: so who has the database has not got it, and
at night nobody has to be woken. That it is an emergency only the doctor says; cryptography cannot
tell. So an emergency opening is loud: the care group and the audit log are told at once.
"""

from __future__ import annotations

from collections.abc import Callable

from app.services.keys import KeyRing, Keys
from config import Settings
from crypto.box import open_box, seal_box
from crypto.context import Item
from crypto.envelope import PublicKey
from crypto.errors import CryptoError

NAME = "Escrow"
_SHARE = "consilium/record-escrow/v1"


class Escrow:
    """The escrow of an installation; its key is made, or opened, on the first use."""

    def __init__(self, keys: Callable[[], Keys]) -> None:
        self._find = keys
        self._keys: Keys | None = None

    @classmethod
    def of(cls, settings: Settings) -> Escrow:
        """The installation's. What uses it raises SetupError where its keystore does not open."""
        return cls(lambda: KeyRing.of(settings).keys(NAME))

    def seal(self, patient: str, point: int, share: bytes) -> bytes:
        """A share, sealed to the escrow."""
        return seal_box(self._opened().signing.public_key(), share, _SHARE, patient, point)

    def open(self, patient: str, point: int, box: bytes) -> bytes:
        """The share of a box; b"" for one that was altered, which no commitments fit."""
        try:
            return open_box(self._opened().signing, box, _SHARE, patient, point)
        except CryptoError:
            return b""

    def public_key(self) -> PublicKey:
        """The key that parts of a new share are sealed to."""
        return self._opened().signing.public_key()

    def open_box(self, box: bytes, purpose: str, *items: Item) -> bytes:
        """What was sealed to `public_key`; b"" for what was altered."""
        try:
            return open_box(self._opened().signing, box, purpose, *items)
        except CryptoError:
            return b""

    def _opened(self) -> Keys:
        if self._keys is None:
            self._keys = self._find()
        return self._keys
