"""Who takes part in the tests of digests, envelopes and messages, and to what they are bound.

North is a hospital, Ada and Ben are nodes, Mallory is a stranger.
"""

from __future__ import annotations

from dataclasses import replace

from crypto.context import Context
from crypto.envelope import load_private_key

CONTEXT = Context(
    chain_id=1337, contract=bytes(range(20)), training=bytes(range(32)), round=2, attempt=1
)

# The same attempt, but for one field each.
OTHER_CONTEXTS = {
    "chain": replace(CONTEXT, chain_id=1338),
    "contract": replace(CONTEXT, contract=bytes(20)),
    "training": replace(CONTEXT, training=bytes(32)),
    "round": replace(CONTEXT, round=3),
    "attempt": replace(CONTEXT, attempt=2),
    "round and attempt swapped": replace(CONTEXT, round=1, attempt=2),
}

NORTH, ADA, BEN, MALLORY = (load_private_key(bytes([k]) * 32) for k in (1, 2, 3, 4))
