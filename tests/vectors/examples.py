"""One example of every format of `docs/formats.md`, from fixed inputs.

The envelope and the statement are built here from the library's primitives and not by the code that
they test; their signatures are deterministic (RFC 6979), so that the example stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import cbor2
import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts import digests
from contracts.records import AgreedSet, AttemptKey, Dispute, Figure, SubmissionRecord, Verdict
from crypto.context import Context
from crypto.digest import (
    SHARE_LABEL,
    UPDATE_LABEL,
    merkle_root,
    model_bytes,
    share_digest,
    update_digest,
)
from crypto.field import F61
from crypto.vss import challenge_scalars
from fl.messages import Submission, pack_answers
from tests.vectors.diagnostic import diagnostic

CONTEXT = Context(
    chain_id=1337,
    contract=bytes(range(0xC0, 0xD4)),
    training=sha256(b"training").digest(),
    round=1,
    attempt=1,
)
HOSPITAL, NODE = "Cleveland", "node-1"
SALT = bytes(range(0xA0, 0xC0))
UPDATE = np.array([1, -1, 65536], dtype="<i8")
SHARE = np.array([1, F61.modulus - 1, 65536, 7, 11], dtype=np.uint64)
SCALARS = {"sender": 3, "receiver": 5, "ephemeral": 7}


@dataclass(frozen=True)
class Example:
    """What the document shows, and what the vectors freeze."""

    text: str
    vector: Mapping[str, Any]


def context_vector() -> dict[str, Any]:
    """The context's fields, with bytes in hexadecimal."""
    return {
        "chain_id": CONTEXT.chain_id,
        "contract": CONTEXT.contract.hex(),
        "training": CONTEXT.training.hex(),
        "round": CONTEXT.round,
        "attempt": CONTEXT.attempt,
    }


def _hashed(data: bytes, digest: bytes) -> Example:
    text = f"{diagnostic(data)}\n\nSHA-256: {digest.hex()}"
    return Example(text, {"bytes": data.hex(), "sha256": digest.hex()})


def _plain(data: bytes) -> Example:
    return Example(diagnostic(data), {"bytes": data.hex()})


def model() -> Example:
    """A network with one layer of two inputs and two outputs."""
    tensors = {
        "output.weight": np.array([[1.0, -0.5], [0.0, 2.0]], dtype=np.float32),
        "output.bias": np.array([0.25, -1.0], dtype=np.float32),
    }
    data = model_bytes("mlp", tensors)
    return _hashed(data, sha256(data).digest())


def update() -> Example:
    """The salted digest of a hospital's update of three entries."""
    content = sha256(UPDATE.tobytes()).digest()
    digest = update_digest(CONTEXT, HOSPITAL, SALT, content)
    return _hashed(CONTEXT.bind(UPDATE_LABEL, HOSPITAL, SALT, content), digest)


def share() -> Example:
    """The salted digest of a node's share of that update, with its two masks."""
    data = F61.to_bytes(SHARE)
    digest = share_digest(CONTEXT, HOSPITAL, NODE, SALT, data)
    return _hashed(CONTEXT.bind(SHARE_LABEL, HOSPITAL, NODE, SALT, data), digest)


def root() -> Example:
    """The root over four digests."""
    leaves = [sha256(bytes([k])).digest() for k in range(4)]
    top = merkle_root(leaves)
    lines = [f"leaf {k}: {leaf.hex()}" for k, leaf in enumerate(leaves)]
    text = "\n".join([*lines, f"root:   {top.hex()}"])
    return Example(text, {"leaves": [leaf.hex() for leaf in leaves], "root": top.hex()})


def private_key(party: str) -> ec.EllipticCurvePrivateKey:
    """A key that protects nothing: its scalar is a small number."""
    return ec.derive_private_key(SCALARS[party], ec.SECP256R1())


def _point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _bound(label: str, *items: Any) -> bytes:
    place = [1, CONTEXT.chain_id, CONTEXT.contract, CONTEXT.training, CONTEXT.round]
    return cbor2.dumps([label, *place, CONTEXT.attempt, *items], canonical=True)


def _signature(message: bytes) -> bytes:
    algorithm = ec.ECDSA(SHA256(), deterministic_signing=True)
    return private_key("sender").sign(message, algorithm)


def envelope() -> Example:
    """An envelope with a salt and a share in it."""
    ephemeral, receiver = private_key("ephemeral"), private_key("receiver")
    names = ("share", HOSPITAL, NODE, _point(ephemeral))
    bound = _bound("consilium/seal/v1", *names)
    secret = ephemeral.exchange(ec.ECDH(), receiver.public_key())
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=bound + _point(receiver))
    plain = SALT + F61.to_bytes(SHARE)
    ciphertext = AESGCM(derive.derive(secret)).encrypt(bytes(12), plain, bound)
    signature = _signature(_bound("consilium/envelope/v1", *names, ciphertext))
    fields = [HOSPITAL, NODE, _point(ephemeral), ciphertext, signature]
    data = cbor2.dumps(fields, canonical=True)
    return Example(diagnostic(data), {"bytes": data.hex(), "plaintext": plain.hex(), **SCALARS})


def answers() -> Example:
    """What a node says about three hospitals."""
    given = {"Cleveland": (1, F61.modulus - 1), "Hungary": "missing", "Switzerland": "disputed"}
    return _plain(pack_answers(given))


def statement() -> Example:
    """A signed message that carries those answers."""
    body = bytes.fromhex(answers().vector["bytes"])
    signature = _signature(_bound("consilium/statement/v1", "answers", NODE, body))
    return _plain(cbor2.dumps([NODE, "answers", body, signature], canonical=True))


def submission() -> Example:
    """A submission to two nodes, with envelopes cut short."""
    leaves = tuple(bytes.fromhex(leaf) for leaf in root().vector["leaves"][:2])
    return _plain(Submission(HOSPITAL, leaves, (b"envelope 1", b"envelope 2")).to_bytes())


def scalars() -> Example:
    """The two scalars of a challenge."""
    challenge = sha256(b"challenge").digest()
    drawn = challenge_scalars(challenge)
    lines = [f"challenge: {challenge.hex()}"]
    lines += [f"rho {index}: {value}" for index, value in enumerate(drawn)]
    return Example("\n".join(lines), {"challenge": challenge.hex(), "scalars": list(drawn)})


# Digests of the contract, over Solidity's abi.encode.

KEY = AttemptKey(CONTEXT.training, CONTEXT.round, CONTEXT.attempt)
ACCOUNTS = tuple("0x" + f"{k:040x}" for k in range(1, 5))
NONCE = bytes(range(32))
SUBMITTED = SubmissionRecord(
    ACCOUNTS[0], bytes.fromhex(root().vector["root"]), sha256(b"update").digest(), 242,
    Verdict.NONE, 0,
)  # fmt: skip
SET = AgreedSet(
    submissions_root=digests.submissions_root([SUBMITTED]),
    opens=True,
    accepted=ACCOUNTS[:3],
    weights=(242, 235, 98),
    refused=(ACCOUNTS[3],),
    left_out=(),
    disputes=(Dispute(ACCOUNTS[3], ACCOUNTS[1]),),
    review=bytes(range(32)),
    figures=(Figure(ACCOUNTS[0], 16, 15, 3),),
    norm_bound=98_304,
)


def _encoded(digest: bytes, *fields: tuple[str, str, Any]) -> Example:
    shown = [(kind, name, _shown(value)) for kind, name, value in fields]
    lines = [f"{kind:<12} {name:<17} {value}" for kind, name, value in shown]
    text = "\n".join([*lines, "", f"SHA-256: {digest.hex()}"])
    return Example(text, {"fields": {n: v for _, n, v in shown}, "sha256": digest.hex()})


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(one) for one in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and not value.startswith("0x"):
        return f'"{value}"'
    return str(value)


PLACE = (
    ("bytes32", "training", KEY.training),
    ("uint32", "round", KEY.round),
    ("uint32", "attempt", KEY.attempt),
)


def nonce() -> Example:
    """A node's commitment to its nonce."""
    digest = digests.nonce_commitment(KEY, ACCOUNTS[1], NONCE)
    return _encoded(digest, *PLACE, ("address", "node", ACCOUNTS[1]), ("bytes32", "nonce", NONCE))


def submissions() -> Example:
    """The root after the first submission."""
    return _encoded(
        digests.submissions_root([SUBMITTED]),
        ("bytes32", "previous root", bytes(32)),
        ("address", "hospital", SUBMITTED.hospital),
        ("bytes32", "share root", SUBMITTED.share_root),
        ("bytes32", "update hash", SUBMITTED.update_hash),
        ("uint32", "samples", SUBMITTED.samples),
    )


def challenge() -> Example:
    """The challenge of an attempt with two nodes, one of which revealed nothing."""
    contract = "0x" + CONTEXT.contract.hex()
    top = SET.submissions_root
    digest = digests.challenge_digest(CONTEXT.chain_id, contract, KEY, top, [NONCE, None])
    return _encoded(
        digest,
        ("string", "label", digests.CHALLENGE_LABEL),
        ("uint256", "chain", CONTEXT.chain_id),
        ("address", "contract", contract),
        *PLACE,
        ("bytes32", "submissions root", top),
        ("bytes32[]", "nonces", (NONCE, bytes(32))),
    )


def agreed_set() -> Example:
    """A set that three hospitals are in."""
    return _encoded(
        digests.set_digest(KEY, SET),
        *PLACE,
        ("bytes32", "submissions root", SET.submissions_root),
        ("bool", "opens", SET.opens),
        ("bool", "keeps", SET.keeps),
        ("address[]", "accepted", SET.accepted),
        ("uint64[]", "weights", SET.weights),
        ("address[]", "refused", SET.refused),
        ("address[]", "rejected", SET.rejected),
        ("address[]", "left out", SET.left_out),
        ("(address,address)[]", "disputes", tuple((d.hospital, d.node) for d in SET.disputes)),
        ("bytes32", "review", SET.review),
        (
            "(address,uint8,uint8,uint8)[]",
            "figures",
            tuple((f.hospital, f.balanced_accuracy, f.reference, f.bits) for f in SET.figures),
        ),
        ("address[]", "flagged", SET.flagged),
        ("uint64", "norm bound", SET.norm_bound),
        ("string", "reason", SET.reason),
    )


EXAMPLES = {
    "model": model,
    "update": update,
    "share": share,
    "root": root,
    "envelope": envelope,
    "statement": statement,
    "submission": submission,
    "answers": answers,
    "scalars": scalars,
    "nonce": nonce,
    "submissions": submissions,
    "challenge": challenge,
    "agreed set": agreed_set,
}
