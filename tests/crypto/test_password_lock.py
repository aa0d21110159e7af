"""A secret under a password."""

from __future__ import annotations

import cbor2
import pytest
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import EncodingError, LockError
from crypto.password_lock import LABEL, Cost, lock, unlock

CHEAP = Cost(passes=1, memory=8, lanes=1)
SECRET = bytes(range(32))


@settings(max_examples=25)
@given(secret=st.binary(max_size=64), password=st.text(max_size=20))
def test_the_password_opens_it(secret: bytes, password: str) -> None:
    assert unlock(lock(secret, password, CHEAP, b"ada"), password, b"ada") == secret


def test_another_password_or_person_does_not() -> None:
    locked = lock(SECRET, "quiet river", CHEAP, b"ada")
    for password, whose in (("quiet rivers", b"ada"), ("quiet river", b"bob")):
        with pytest.raises(LockError):
            unlock(locked, password, whose)


def test_the_key_is_argon2id_of_the_salt_and_costs_that_it_tells() -> None:
    """Written again with the primitives: the form in docs/formats.md."""
    locked = lock(SECRET, "quiet river", Cost(2, 16, 2), b"ada", 7)
    label, passes, memory, lanes, salt, sealed = cbor2.loads(locked)
    assert (label, passes, memory, lanes, len(salt)) == (LABEL, 2, 16, 2, 16)
    key = hash_secret_raw(b"quiet river", salt, 2, 16, 2, 32, Type.ID)
    bound = cbor2.dumps([LABEL, 2, 16, 2, salt, [b"ada", 7]], canonical=True)
    assert AESGCM(key).decrypt(bytes(12), sealed, bound) == SECRET


def test_locking_twice_gives_nothing_in_common() -> None:
    one, other = (lock(SECRET, "quiet river", CHEAP) for _ in range(2))
    assert cbor2.loads(one)[4] != cbor2.loads(other)[4]
    assert cbor2.loads(one)[5] != cbor2.loads(other)[5]


@pytest.mark.parametrize("data", [b"", b"\x80", cbor2.dumps(["other/v1", 1, 8, 1, b"", b""])])
def test_what_is_no_lock_is_told(data: bytes) -> None:
    with pytest.raises(EncodingError):
        unlock(data, "quiet river")


def test_altered_costs_do_not_open_it() -> None:
    fields = cbor2.loads(lock(SECRET, "quiet river", CHEAP))
    fields[1] = 2
    with pytest.raises(LockError):
        unlock(cbor2.dumps(fields, canonical=True), "quiet river")


@pytest.mark.parametrize("costs", [(0, 8, 1), (1, 1 << 31, 1), (1, 8, 1 << 20), (1, 7, 1)])
def test_costs_that_nobody_should_pay_are_refused(costs: tuple[int, int, int]) -> None:
    with pytest.raises(EncodingError):
        unlock(cbor2.dumps([LABEL, *costs, bytes(16), bytes(48)], canonical=True), "quiet river")
