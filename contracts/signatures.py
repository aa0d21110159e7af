"""Messages signed by an account of the chain (EIP-191, EIP-712): no transaction, nothing is spent.

Of the forms that a signature can be given, one is taken: a second one of the same (EIP-2) is none.
"""

from __future__ import annotations

import re
from typing import Final

from eth_account import Account
from eth_account.messages import SignableMessage, encode_defunct
from eth_account.signers.local import LocalAccount
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

SIGNATURE_BYTES: Final = 65

_WRITTEN: Final = re.compile(r"0x[0-9A-Fa-f]{130}")
_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1
_RECOVERY: Final = (0, 1, 27, 28)


def sign_message(account: LocalAccount, message: bytes) -> bytes:
    """The account's signature of a message, 65 bytes."""
    return bytes(account.sign_message(encode_defunct(primitive=message)).signature)


def find_signer(message: bytes, signature: bytes) -> str | None:
    """The address that signed the message; None where the signature is none."""
    return _recover(encode_defunct(primitive=message), signature)


def find_wallet(signed: SignableMessage, written: str) -> str | None:
    """The address that signed, by "0x" and 130 digits as wallets give them; None for none."""
    if _WRITTEN.fullmatch(written) is None:
        return None
    return _recover(signed, bytes.fromhex(written[2:]))


def _recover(signed: SignableMessage, signature: bytes) -> str | None:
    if len(signature) != SIGNATURE_BYTES or signature[64] not in _RECOVERY:
        return None
    if int.from_bytes(signature[32:64]) > _ORDER // 2:
        return None
    try:
        return str(Account.recover_message(signed, signature=signature))
    except (BadSignature, ValidationError, ValueError):
        return None
