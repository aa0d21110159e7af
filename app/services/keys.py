"""Each party's keys, in its own folder, readable by the owner only."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account

from app.errors import SetupError
from app.stores.party_files import PartyFiles
from crypto.envelope import (
    PrivateKey,
    load_private_key,
    new_private_key,
    private_key_bytes,
    public_key_bytes,
)
from crypto.errors import EncodingError

_FILE = "keys.json"


@dataclass(frozen=True)
class Keys:
    """A party's keys: `chain` (secp256k1, 32 bytes) for transactions, `signing` (P-256)."""

    name: str
    chain: bytes
    signing: PrivateKey

    @property
    def account(self) -> str:
        """The address of the chain key, with a checksum."""
        return str(Account.from_key(self.chain).address)

    @property
    def public_key(self) -> bytes:
        """The P-256 point, uncompressed."""
        return public_key_bytes(self.signing.public_key())


def party_folder(parties: Path, name: str) -> Path:
    """The folder of a party: its name in lower case, with dashes."""
    return parties / re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def load_or_create(parties: Path, name: str) -> Keys:
    """The party's keys; fresh ones of the operating system's entropy on the first call.

    Raises SetupError when the file is there but holds no keys.
    """
    files = PartyFiles(party_folder(parties, name))
    stored = files.remember(_FILE, lambda: _fresh(name))
    try:
        fields = json.loads(stored)
        return Keys(
            name=str(fields["name"]),
            chain=bytes.fromhex(fields["chain"]),
            signing=load_private_key(bytes.fromhex(fields["signing"])),
        )
    except (ValueError, KeyError, TypeError, EncodingError) as error:
        path = party_folder(parties, name) / _FILE
        raise SetupError(f"expected the keys of {name} in {path}: {error}") from error


def _fresh(name: str) -> bytes:
    fields = {
        "name": name,
        "chain": secrets.token_hex(32),
        "signing": private_key_bytes(new_private_key()).hex(),
    }
    return json.dumps(fields, indent=1).encode()
