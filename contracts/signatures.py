"""Messages signed by an account of the chain (EIP-191): no transaction, and nothing is spent."""

from __future__ import annotations

from typing import Final

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

SIGNATURE_BYTES: Final = 65


def sign_message(account: LocalAccount, message: bytes) -> bytes:
    """The account's signature of a message, 65 bytes."""
    return bytes(account.sign_message(encode_defunct(primitive=message)).signature)


def find_signer(message: bytes, signature: bytes) -> str | None:
    """The address that signed the message; None where the signature is none."""
    if len(signature) != SIGNATURE_BYTES:
        return None
    try:
        found = Account.recover_message(encode_defunct(primitive=message), signature=signature)
    except (BadSignature, ValidationError, ValueError):
        return None
    return str(found)
