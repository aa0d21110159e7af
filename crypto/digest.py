"""SHA-256 digests of models, updates and shares, and Merkle roots.

Every digest starts with a label that carries a version, so that no two kinds of object can share a
digest. `docs/formats.md` lists the layouts; `tests/vectors/formats.json` freezes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from crypto.context import Context, Item, canonical, parse
from crypto.errors import EncodingError

MODEL_LABEL = "consilium/model/v1"
UPDATE_LABEL = "consilium/update/v2"
SHARE_LABEL = "consilium/share/v1"

Tensors = Mapping[str, npt.NDArray[np.float32]]


def model_bytes(network: str, tensors: Tensors) -> bytes:
    """The canonical bytes of a model: its network's name, then name, shape and data of each tensor.

    Tensors keep the order of the mapping; data are little-endian float32 in C order. Raises
    EncodingError for another type or for a value that is not finite.
    """
    items: list[Item] = [network]
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32:
            raise EncodingError(f"expected float32 for {name}, got {tensor.dtype}")
        if not np.isfinite(tensor).all():
            raise EncodingError(f"expected finite values in {name}")
        data = np.ascontiguousarray(tensor, dtype="<f4").tobytes()
        items.append([name, [int(size) for size in tensor.shape], data])
    return canonical(MODEL_LABEL, *items)


def load_model(data: bytes) -> tuple[str, dict[str, npt.NDArray[np.float32]]]:
    """Network and tensors of a model's canonical bytes. Raises EncodingError for anything else."""
    try:
        label, network, *items = parse(data)
        tensors = {
            str(name): np.frombuffer(raw, dtype="<f4").astype(np.float32).reshape(shape)
            for name, shape, raw in items
        }
    except (ValueError, TypeError) as error:
        raise EncodingError(f"expected the bytes of a model: {error}") from error
    if label != MODEL_LABEL or not isinstance(network, str):
        raise EncodingError(f"expected {MODEL_LABEL} and a network's name")
    # Only the canonical bytes are the model: equal models have equal hashes.
    if model_bytes(network, tensors) != data:
        raise EncodingError("expected a model in its canonical form")
    return network, tensors


def update_digest(context: Context, hospital: str, salt: bytes, update_sha256: bytes) -> bytes:
    """The salted digest of the SHA-256 of a hospital's encoded update: hiding while the salt is.

    Over the hash and not the update, so that salt and hash can be shown without the update.
    """
    return sha256(context.bind(UPDATE_LABEL, hospital, salt, update_sha256)).digest()


def share_digest(context: Context, dealer: str, holder: str, salt: bytes, share: bytes) -> bytes:
    """The salted digest of one holder's share, which the dealer commits to."""
    return sha256(context.bind(SHARE_LABEL, dealer, holder, salt, share)).digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash of RFC 6962, section 2.1, over the leaves in order.

    Leaves and inner nodes are hashed under different first bytes, so neither passes for the other.
    """
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    # The largest power of two that is smaller than the number of leaves.
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\x01" + merkle_root(leaves[:split]) + merkle_root(leaves[split:])).digest()
