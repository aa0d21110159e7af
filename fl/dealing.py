"""What a hospital commits to in an attempt, as a function of its update and one seed.

The seed determines masks, coefficients and salts, so update and seed, shown to an auditor,
reproduce the share root and the update's digest that stand on the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from crypto.context import Context
from crypto.digest import merkle_root, share_digest, update_digest
from crypto.field import F61, Field
from crypto.fixedpoint import Integers
from crypto.kernels import Words
from crypto.prg import Stream
from crypto.shamir import share
from crypto.vss import MASKS

STREAM_LABEL = "consilium/dealer/v1"
SALT_BYTES = 32


@dataclass(frozen=True)
class Dealing:
    """Shares of shape (L + 2,) and salts by node, their digests in order, and the commitments.

    `update_salt` and `update_sha256` open `update_hash` to whoever is shown them, who learns
    nothing else of the update.
    """

    shares: Mapping[str, Words]
    salts: Mapping[str, bytes]
    digests: tuple[bytes, ...]
    share_root: bytes
    update_hash: bytes
    update_salt: bytes
    update_sha256: bytes


def deal(
    context: Context,
    hospital: str,
    points: Mapping[str, int],
    threshold: int,
    update: Integers,
    seed: bytes,
    field: Field = F61,
) -> Dealing:
    """Share an encoded update of shape (L,) among the nodes in `points`, with two masks behind it.

    Drawn from the stream in this order: masks, coefficients, a salt for each node, the update's
    salt.
    """
    stream = Stream(seed, STREAM_LABEL, context.bind(STREAM_LABEL, hospital))
    vector = np.concatenate([field.from_signed(update), stream.elements(MASKS, field)])
    rows = share(vector, threshold, list(points.values()), stream, field)
    shares = {node: rows[index] for index, node in enumerate(points)}
    salts = {node: stream.bytes(SALT_BYTES) for node in points}
    digests = tuple(
        share_digest(context, hospital, node, salts[node], field.to_bytes(shares[node]))
        for node in points
    )
    salt = stream.bytes(SALT_BYTES)
    content = sha256(update.astype("<i8").tobytes()).digest()
    update_hash = update_digest(context, hospital, salt, content)
    return Dealing(shares, salts, digests, merkle_root(digests), update_hash, salt, content)
