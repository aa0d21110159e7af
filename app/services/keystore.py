"""Private keys at rest: the chain key as a standard keystore, the P-256 key sealed under it.

The chain key lies in a Web3 Secret Storage file, version 3 (scrypt, AES-128-CTR, a Keccak-256
check), which any Ethereum wallet opens with the passphrase. The P-256 key lies in encrypted PKCS#8
whose password is derived from the chain key (HKDF-SHA256, RFC 5869): so one scrypt a party unlocks
both, guessing is as dear for one as for the other, and a file of another party does not open.
docs/decisions/2026-11-21-keystores.md has the reasons.
"""

from __future__ import annotations

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from eth_account import Account

from app.services.passphrase import Passphrase
from crypto.envelope import PrivateKey

CHAIN_KEY_BYTES = 32
_LABEL = b"consilium/keystore/p256/v1"
_PASSWORD_BYTES = 32


class WrongPassphrase(Exception):
    """The file is a keystore, and this passphrase does not open it."""


class NoKeystore(Exception):
    """The file is no keystore of this kind; the text says what it lacks."""


def seal_chain_key(key: bytes, passphrase: Passphrase) -> bytes:
    """The keystore file of a secp256k1 key of 32 bytes; it names the key's address in clear."""
    fields = Account.encrypt(key, passphrase.text, kdf="scrypt", iterations=passphrase.scrypt_n)
    return json.dumps(fields, indent=1).encode()


def open_chain_key(file: bytes, passphrase: Passphrase) -> bytes:
    """The key of a keystore file, sealed with scrypt or PBKDF2.

    Raises WrongPassphrase, and NoKeystore when the file is none.
    """
    try:
        fields: Any = json.loads(file)
        if fields["version"] != 3:
            raise NoKeystore(f"expected version 3, got {fields['version']!r}")
        key = bytes(Account.decrypt(fields, passphrase.text))
    except ValueError as error:
        # The library has no error of its own for the passphrase.
        if str(error) == "MAC mismatch":
            raise WrongPassphrase from error
        raise NoKeystore(f"{type(error).__name__}: {error}") from error
    except (KeyError, TypeError, AttributeError, AssertionError) as error:
        raise NoKeystore(f"{type(error).__name__}: {error}") from error
    if len(key) != CHAIN_KEY_BYTES:
        raise NoKeystore(f"expected a key of {CHAIN_KEY_BYTES} bytes, got {len(key)}")
    return key


def seal_signing_key(key: PrivateKey, chain_key: bytes) -> bytes:
    """The P-256 key as encrypted PKCS#8 in PEM, to be opened with the chain key."""
    return key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(_password(chain_key))
    )


def open_signing_key(file: bytes, chain_key: bytes) -> PrivateKey:
    """The inverse of `seal_signing_key`.

    Raises NoKeystore when the file holds no P-256 key, or one of another party.
    """
    try:
        key = load_pem_private_key(file, _password(chain_key))
    except (ValueError, TypeError) as error:
        raise NoKeystore(f"it does not open with the party's chain key: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise NoKeystore("expected a key of P-256")
    return key


def _password(chain_key: bytes) -> bytes:
    derived = HKDF(SHA256(), _PASSWORD_BYTES, salt=None, info=_LABEL).derive(chain_key)
    return derived.hex().encode("ascii")
