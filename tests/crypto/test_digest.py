"""Digests are bound to all they are about, in one form of bytes; Merkle trees are RFC 6962's."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.context import PROTOCOL_VERSION, Context, canonical, parse
from crypto.digest import (
    SHARE_LABEL,
    UPDATE_LABEL,
    merkle_root,
    share_digest,
    update_digest,
)
from crypto.errors import EncodingError
from tests.crypto.parties import CONTEXT, OTHER_CONTEXTS

SALT = bytes(range(32))
CONTEXT_ITEMS = [1, 1337, bytes(range(20)), bytes(range(32)), 2, 1]

others = pytest.mark.parametrize("other", OTHER_CONTEXTS.values(), ids=OTHER_CONTEXTS)


def test_digests_are_sha_256_of_label_context_and_parts() -> None:
    parts = [UPDATE_LABEL, *CONTEXT_ITEMS, "north", SALT, b"update"]
    expected = sha256(cbor2.dumps(parts, canonical=True)).digest()
    assert update_digest(CONTEXT, "north", SALT, b"update") == expected
    parts = [SHARE_LABEL, *CONTEXT_ITEMS, "north", "Ada", SALT, b"share"]
    expected = sha256(cbor2.dumps(parts, canonical=True)).digest()
    assert share_digest(CONTEXT, "north", "Ada", SALT, b"share") == expected


def test_a_context_begins_with_the_version_of_the_protocol() -> None:
    assert CONTEXT.items() == CONTEXT_ITEMS
    assert PROTOCOL_VERSION == 1


@others
def test_another_attempt_gives_other_digests(other: Context) -> None:
    arguments = "north", "Ada", SALT, b"share"
    assert share_digest(CONTEXT, *arguments) != share_digest(other, *arguments)
    assert update_digest(CONTEXT, "north", SALT, b"x") != update_digest(other, "north", SALT, b"x")


def test_every_part_of_a_share_digest_counts() -> None:
    digests = [
        share_digest(CONTEXT, "north", "Ada", SALT, b"share"),
        share_digest(CONTEXT, "south", "Ada", SALT, b"share"),
        share_digest(CONTEXT, "Ada", "north", SALT, b"share"),
        share_digest(CONTEXT, "north", "Ben", SALT, b"share"),
        share_digest(CONTEXT, "north", "Ada", bytes(32), b"share"),
        share_digest(CONTEXT, "north", "Ada", SALT, b"shard"),
        share_digest(CONTEXT, "northA", "da", SALT, b"share"),
        share_digest(CONTEXT, "north", "Ada", SALT + b"s", b"hare"),
    ]
    assert len(set(digests)) == len(digests)


def test_every_part_of_an_update_digest_counts() -> None:
    digests = [
        update_digest(CONTEXT, "north", SALT, b"update"),
        update_digest(CONTEXT, "south", SALT, b"update"),
        update_digest(CONTEXT, "north", bytes(32), b"update"),
        update_digest(CONTEXT, "north", SALT, b"updata"),
        update_digest(CONTEXT, "north", SALT + b"u", b"pdate"),
        share_digest(CONTEXT, "north", "", SALT, b"update"),
    ]
    assert len(set(digests)) == len(digests)


# Deterministic bytes

values = st.recursive(
    st.integers(-(2**70), 2**70) | st.text() | st.binary() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@given(items=st.lists(values, max_size=4))
def test_what_canonical_writes_parse_reads(items: list[Any]) -> None:
    assert parse(canonical("label", *items)) == ["label", *items]


@given(data=st.binary(max_size=40))
def test_any_bytes_are_read_in_one_form_or_refused(data: bytes) -> None:
    try:
        item = parse(data)
    except EncodingError:
        return
    assert cbor2.dumps(item, canonical=True) == data


OTHER_FORMS = {
    "nothing": b"",
    "cut off": b"\x82\x01",
    "a byte too many": b"\x81\x01\x00",
    "a length in two bytes": b"\x98\x01\x01",
    "a number in two bytes": b"\x81\x18\x01",
    "an open array": b"\x9f\x01\xff",
    "an unsorted map": b"\xa2\x02\x00\x01\x00",
    "a key twice": b"\xa2\x01\x00\x01\x00",
    "a wide float": b"\xfb" + bytes(8),
    "a text that is no UTF-8": b"\x61\xff",
    "an array in itself": b"\xd8\x1c\x81\xd8\x1d\x00",
    "too deep": b"\x81" * 100_000,
    "larger than memory": b"\x9b" + b"\x7f" * 8,
    "no date": b"\xc0\x61x",
    "no expression": b"\xd8\x23\x61(",
}


@pytest.mark.parametrize("data", OTHER_FORMS.values(), ids=OTHER_FORMS)
def test_other_forms_are_refused(data: bytes) -> None:
    with pytest.raises(EncodingError, match="expected deterministic CBOR"):
        parse(data)


# Merkle trees: the leaves and roots that implementations of RFC 6962 use as known answers, since
# Certificate Transparency's first log.

LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("count", range(1, 9))
def test_merkle_roots_of_the_known_leaves(count: int) -> None:
    assert merkle_root(LEAVES[:count]).hex() == ROOTS[count - 1]


def test_the_root_of_no_leaves_is_the_hash_of_nothing() -> None:
    assert merkle_root([]).hex() == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


def test_a_tree_of_five_written_out() -> None:
    def node(left: bytes, right: bytes) -> bytes:
        return sha256(b"\x01" + left + right).digest()

    a, b, c, d, e = (sha256(b"\x00" + leaf).digest() for leaf in LEAVES[:5])
    assert merkle_root(LEAVES[:5]) == node(node(node(a, b), node(c, d)), e)


@given(leaves=st.lists(st.binary(max_size=4), min_size=2, max_size=9), data=st.data())
def test_order_and_number_of_leaves_count(leaves: list[bytes], data: st.DataObject) -> None:
    root = merkle_root(leaves)
    shuffled = data.draw(st.permutations(leaves))
    assert (merkle_root(shuffled) == root) == (shuffled == leaves)
    assert merkle_root([*leaves, leaves[-1]]) != root
    assert merkle_root(leaves[:-1]) != root


def test_an_inner_node_does_not_pass_for_a_leaf() -> None:
    left, right = (sha256(b"\x00" + leaf).digest() for leaf in LEAVES[1:3])
    assert merkle_root([left + right]) != merkle_root(LEAVES[1:3])
