"""What an operator's wallet signs: typed data (EIP-712), written here and never read from a page.

The server rebuilds what must have been signed from its own facts and looks who signed that. So a
signature of anything else (another plan, hospital, chain or contract) is one of nobody known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from eth_account.messages import encode_typed_data
from eth_utils.exceptions import ValidationError

from contracts.signatures import find_wallet

NAME: Final = "Consilium"
VERSION: Final = "1"
MOST_REASON: Final = 200

_DOMAIN: Final = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)

TypedData = dict[str, Any]


@dataclass(frozen=True)
class Domain:
    """The federation that a signature is for: the chain and its contract there."""

    chain_id: int
    contract: str


@dataclass(frozen=True)
class Decision:
    """An operator's answer to one training. `training` and `plan` are 32 bytes in hexadecimal.

    `plan` is the configuration hash, as the ledger will hold it; `issued` is in Unix seconds.
    """

    hospital: str
    task: str
    training: str
    plan: str
    rounds: int
    approve: bool
    reason: str
    issued: int

    def typed(self, domain: Domain) -> TypedData:
        """The typed data to sign."""
        fields = (
            ("hospital", "string", self.hospital),
            ("task", "string", self.task),
            ("training", "bytes32", f"0x{self.training}"),
            ("plan", "bytes32", f"0x{self.plan}"),
            ("rounds", "uint256", self.rounds),
            ("approve", "bool", self.approve),
            ("reason", "string", self.reason),
            ("issued", "uint256", self.issued),
        )
        return _typed(domain, "TrainingApproval", fields)


@dataclass(frozen=True)
class Rule:
    """Whether every training of a hospital needs an approval by hand, from `issued` on."""

    hospital: str
    required: bool
    issued: int

    def typed(self, domain: Domain) -> TypedData:
        """The typed data to sign."""
        fields = (
            ("hospital", "string", self.hospital),
            ("required", "bool", self.required),
            ("issued", "uint256", self.issued),
        )
        return _typed(domain, "ApprovalRule", fields)


def find_signer(typed: TypedData, signature: str) -> str | None:
    """The address that signed; None where the signature is none, or a second form of one."""
    try:
        signed = encode_typed_data(full_message=typed)
    except (ValidationError, ValueError):
        return None
    return find_wallet(signed, signature)


def _typed(domain: Domain, kind: str, fields: tuple[tuple[str, str, Any], ...]) -> TypedData:
    return {
        "types": {
            "EIP712Domain": [{"name": name, "type": of} for name, of in _DOMAIN],
            kind: [{"name": name, "type": of} for name, of, _ in fields],
        },
        "primaryType": kind,
        "domain": {
            "name": NAME,
            "version": VERSION,
            "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
        },
        "message": {name: value for name, _, value in fields},
    }
