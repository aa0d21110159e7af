"""The contract's digests, computed again in Python.

All are SHA-256 over the contract ABI's encoding (Solidity's `abi.encode`), so that the contract
and every party derive the same bytes:

    nonce commitment   training, round, attempt, node, nonce
    submissions root   previous root (32 zero bytes at first), hospital, share root, update hash,
                       samples; folded in the order of submission
    challenge          label, chain id, contract, training, round, attempt, submissions root,
                       nonces in the training's order of nodes, 32 zero bytes for an absent one
    agreed set         training, round, attempt, set
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from eth_abi.abi import encode

from contracts.records import AgreedSet, AttemptKey, Dispute, Figure, SubmissionRecord

ZERO_HASH = bytes(32)
CHALLENGE_LABEL = "consilium/challenge/v1"
SET_TYPE = (
    "(bytes32,bool,bool,address[],uint64[],address[],address[],address[],(address,address)[],"
    "bytes32,(address,uint8,uint8,uint8)[],address[],uint64,string)"
)


def set_fields(agreed: AgreedSet) -> tuple[object, ...]:
    """Return the set as the tuple that the ABI encodes, in the order of `SET_TYPE`."""
    return (
        agreed.submissions_root,
        agreed.opens,
        agreed.keeps,
        agreed.accepted,
        agreed.weights,
        agreed.refused,
        agreed.rejected,
        agreed.left_out,
        tuple((dispute.hospital, dispute.node) for dispute in agreed.disputes),
        agreed.review,
        tuple((f.hospital, f.balanced_accuracy, f.reference, f.bits) for f in agreed.figures),
        agreed.flagged,
        agreed.norm_bound,
        agreed.reason,
    )


def set_digest(key: AttemptKey, agreed: AgreedSet) -> bytes:
    """Return the 32 bytes that a node signs when it agrees to `agreed`."""
    types = ("bytes32", "uint32", "uint32", SET_TYPE)
    return sha256(
        encode(types, (key.training, key.round, key.attempt, set_fields(agreed)))
    ).digest()


def nonce_commitment(key: AttemptKey, node: str, nonce: bytes) -> bytes:
    """Return the commitment that `node` publishes when it joins; `nonce` is 32 bytes, not zero."""
    types = ("bytes32", "uint32", "uint32", "address", "bytes32")
    return sha256(encode(types, (key.training, key.round, key.attempt, node, nonce))).digest()


def set_of(fields: Mapping[str, Any]) -> AgreedSet:
    """Return the set that `publishSet` was called with, its fields by name.

    Raises ValueError for one that no node could have signed.
    """
    disputes = tuple(Dispute(**one) for one in fields["disputes"])
    figures = tuple(
        Figure(one["hospital"], one["balanced_accuracy"], one["reference_accuracy"], one["bits"])
        for one in fields["figures"]
    )
    return AgreedSet(**{**fields, "disputes": disputes, "figures": figures})


def submissions_root(records: Iterable[SubmissionRecord]) -> bytes:
    """Return the root over `records`, which stand in the order of submission."""
    root = ZERO_HASH
    types = ("bytes32", "address", "bytes32", "bytes32", "uint32")
    for one in records:
        fields = (root, one.hospital, one.share_root, one.update_hash, one.samples)
        root = sha256(encode(types, fields)).digest()
    return root


def challenge_digest(
    chain_id: int, contract: str, key: AttemptKey, root: bytes, nonces: Sequence[bytes | None]
) -> bytes:
    """Return the challenge of an attempt.

    `root` is the submissions' root; `nonces` stand in the training's order of nodes, None for a
    node that revealed none.
    """
    types = ("string", "uint256", "address", "bytes32", "uint32", "uint32", "bytes32", "bytes32[]")
    revealed = [nonce or ZERO_HASH for nonce in nonces]
    place = (CHALLENGE_LABEL, chain_id, contract, key.training, key.round, key.attempt)
    return sha256(encode(types, (*place, root, revealed))).digest()
