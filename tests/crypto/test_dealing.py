"""What a hospital deals is a function of its update and seed, and says nothing without them."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.context import Context
from crypto.digest import merkle_root, share_digest, update_digest
from crypto.errors import EncodingError, FieldError
from crypto.field import F61
from crypto.prg import Stream
from crypto.shamir import decode
from crypto.vss import MASKS
from fl.dealing import STREAM_LABEL, Dealing, deal
from tests.crypto.parties import CONTEXT, OTHER_CONTEXTS

NODES = {"Ada": 1, "Ben": 2, "Cem": 3, "Dana": 4}
SEED = bytes(range(32))
UPDATE = np.array([5, -3, 0, 2**40, -(2**40)])


def dealing(context: Context = CONTEXT, hospital: str = "north", seed: bytes = SEED) -> Dealing:
    return deal(context, hospital, NODES, 1, UPDATE, seed)


@given(
    update=st.lists(st.integers(-(2**50), 2**50), min_size=1, max_size=6),
    seed=st.binary(min_size=32, max_size=32),
    setting=st.sampled_from([(3, 1), (4, 1), (5, 2), (7, 2)]),
)
def test_the_shares_hold_the_update_with_its_masks_behind_it(
    update: list[int], seed: bytes, setting: tuple[int, int]
) -> None:
    n, t = setting
    nodes = {f"node {x}": x for x in range(1, n + 1)}
    dealt = deal(CONTEXT, "north", nodes, t, np.array(update, dtype=np.int64), seed)
    decoded = decode(list(nodes.values()), np.stack(list(dealt.shares.values())), t)
    masks = Stream(seed, STREAM_LABEL, CONTEXT.bind(STREAM_LABEL, "north")).elements(MASKS)
    assert F61.to_signed(decoded.values[:-MASKS]).tolist() == update
    assert decoded.values[-MASKS:].tolist() == masks.tolist()
    assert decoded.wrong == ()


def test_the_commitments_are_to_these_shares_salts_and_this_update() -> None:
    dealt = dealing()
    digests = tuple(
        share_digest(CONTEXT, "north", node, dealt.salts[node], F61.to_bytes(dealt.shares[node]))
        for node in NODES
    )
    assert dealt.digests == digests
    assert dealt.share_root == merkle_root(digests)


def test_the_order_of_drawing_is_masks_coefficients_salts() -> None:
    dealt = dealing()
    stream = Stream(SEED, STREAM_LABEL, CONTEXT.bind(STREAM_LABEL, "north"))
    masks = stream.elements(MASKS)
    slopes = stream.elements(UPDATE.size + MASKS)
    salts = [stream.bytes(32) for _ in NODES]
    vector = np.concatenate([F61.from_signed(UPDATE), masks])
    assert dealt.shares["Ada"].tolist() == F61.add(vector, slopes).tolist()
    assert list(dealt.salts.values()) == salts
    content = sha256(UPDATE.astype("<i8").tobytes()).digest()
    assert dealt.update_hash == update_digest(CONTEXT, "north", stream.bytes(32), content)


def test_salt_and_hash_open_the_commitment_without_the_update() -> None:
    dealt = dealing()
    assert dealt.update_sha256 == sha256(UPDATE.astype("<i8").tobytes()).digest()
    opened = dealt.update_salt, dealt.update_sha256
    assert update_digest(CONTEXT, "north", *opened) == dealt.update_hash


def test_update_and_seed_reproduce_everything_that_stands_on_the_ledger() -> None:
    one, two = dealing(), dealing()
    assert (one.share_root, one.update_hash) == (two.share_root, two.update_hash)


def words(dealt: Dealing) -> set[int]:
    return {int(word) for share in dealt.shares.values() for word in share}


@pytest.mark.parametrize("other", OTHER_CONTEXTS.values(), ids=OTHER_CONTEXTS)
def test_the_same_seed_in_another_attempt_deals_other_words(other: Context) -> None:
    one, two = dealing(), dealing(context=other)
    assert words(one).isdisjoint(words(two))
    assert set(one.salts.values()).isdisjoint(two.salts.values())


@pytest.mark.parametrize("changes", [{"hospital": "south"}, {"seed": bytes(32)}])
def test_another_hospital_or_seed_deals_other_words(changes: dict[str, str | bytes]) -> None:
    one, two = dealing(), dealing(**changes)  # type: ignore[arg-type]
    assert words(one).isdisjoint(words(two))
    assert one.update_hash != two.update_hash


def test_equal_updates_have_unequal_hashes_and_no_share_shows_one() -> None:
    one, two = dealing(), dealing(seed=bytes(32))
    assert one.update_hash != two.update_hash
    assert words(one).isdisjoint(F61.from_signed(UPDATE).tolist())


def test_no_salt_serves_twice() -> None:
    dealt = dealing()
    assert len(set(dealt.salts.values())) == len(NODES)
    assert {len(salt) for salt in dealt.salts.values()} == {32}


@pytest.mark.parametrize("entry", [2**60, -(2**60)])
def test_an_update_beyond_the_field_is_refused(entry: int) -> None:
    with pytest.raises(FieldError):
        deal(CONTEXT, "north", NODES, 1, np.array([0, entry]), SEED)


def test_a_short_seed_is_refused() -> None:
    with pytest.raises(EncodingError):
        dealing(seed=b"seed")


def test_an_alteration_of_the_update_shows_in_its_hash() -> None:
    altered = UPDATE.copy()
    altered[3] += 1
    other = deal(CONTEXT, "north", NODES, 1, altered, SEED)
    assert other.update_hash != dealing().update_hash
    assert other.share_root != dealing().share_root
