"""Counts by sex and age: what opens is their sum over all hospitals, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cbor2
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDH
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from crypto.context import Context
from crypto.envelope import PrivateKey, new_private_key, public_key_bytes
from fl.datasets import Table, get_task, split
from fl.plan import Member
from fl.subgroups import MASK_LABEL, count_groups, groupings_of, length_of, masked, open_sum

HEART, DIABETES = get_task("heart"), get_task("diabetes")
CONTEXT = Context(1337, bytes(20), bytes(32), 3, 1)
NAMES = ("Cleveland", "Hungary", "Switzerland", "VA Long Beach")
KEYS = {name: new_private_key() for name in NAMES}


def member(name: str, key: PrivateKey) -> Member:
    return Member(name, "0x" + "1" * 40, public_key_bytes(key.public_key()).hex())


HOSPITALS = tuple(member(name, key) for name, key in KEYS.items())


def reports(counts: dict[str, NDArray[np.uint64]], context: Context = CONTEXT) -> dict[str, bytes]:
    return {name: masked(one, context, name, KEYS[name], HOSPITALS) for name, one in counts.items()}


def row(age: float, sex: float) -> list[float]:
    values = [np.nan] * len(HEART.columns)
    values[0], values[1] = age, sex
    return values


def test_rows_are_counted_by_group_class_and_prediction() -> None:
    ages = (44.0, 45.0, 54.0, 55.0, 64.0, 65.0, np.nan)
    sexes = (0.0, 1.0, 1.0, np.nan, 0.0, 0.0, 1.0)
    labels = np.array([0, 1, 1, 0, 1, 0, 1])
    predicted = np.array([0, 1, 0, 1, 1, 0, 1])
    features = np.array([row(*one) for one in zip(ages, sexes, strict=True)])
    counts = count_groups(HEART, Table(features, labels), predicted)
    by_age, by_sex = groupings_of(HEART)
    assert by_age.groups == (
        "under 45 years", "45 to 54 years", "55 to 64 years", "65 years or more", "not known",
    )  # fmt: skip
    assert by_sex.groups == ("female", "male", "not known")
    tables = counts.reshape(-1, 2, 2).tolist()
    assert tables[:5] == [
        [[1, 0], [0, 0]], [[0, 0], [1, 1]], [[0, 1], [0, 1]], [[1, 0], [0, 0]], [[0, 0], [0, 1]],
    ]  # fmt: skip
    assert tables[5:] == [[[2, 0], [0, 1]], [[0, 0], [1, 2]], [[0, 1], [0, 0]]]


def test_the_groups_of_real_rows_add_up_to_all_of_them() -> None:
    for task in (HEART, DIABETES):
        for table in task.load().values():
            test = split(table).test
            predicted = (np.arange(len(test)) % 2).astype(np.int64)
            counts = count_groups(task, test, predicted)
            assert len(counts) == length_of(task)
            places = np.cumsum([0, *(4 * len(one.groups) for one in groupings_of(task))])
            for low, high in pairwise(places):
                assert counts[low:high].sum() == len(test)


def test_a_task_without_sex_and_age_has_no_groups() -> None:
    other = replace(HEART, name="another")
    table = HEART.load()["Cleveland"]
    assert groupings_of(other) == ()
    assert len(count_groups(other, table, table.labels)) == 0
    nothing = reports(dict.fromkeys(NAMES, np.zeros(0, dtype=np.uint64)))
    assert set(nothing.values()) == {b""}
    assert open_sum(other, nothing, HOSPITALS) is None


@given(st.lists(st.integers(0, 2**31 - 1), min_size=4, max_size=4))
def test_the_masks_cancel_in_the_sum_over_all(values: list[int]) -> None:
    length = length_of(HEART)
    given_counts = {
        name: np.arange(length, dtype=np.uint64) + np.uint64(value)
        for name, value in zip(NAMES, values, strict=True)
    }
    found = open_sum(HEART, reports(given_counts), HOSPITALS)
    assert found is not None
    told = np.concatenate([table.ravel() for groups in found.values() for table in groups.values()])
    assert told.tolist() == [4 * at + sum(values) for at in range(length)]


@pytest.mark.parametrize("left_out", NAMES)
def test_without_one_hospital_nothing_opens(left_out: str) -> None:
    """Neither by the function, nor by adding up: a mask is left in every word."""
    length = length_of(HEART)
    zeros = np.zeros(length, dtype=np.uint64)
    said = reports(dict.fromkeys(NAMES, zeros))
    fewer = {name: one for name, one in said.items() if name != left_out}
    assert open_sum(HEART, fewer, HOSPITALS) is None
    assert open_sum(HEART, fewer | {left_out: said[left_out][:-8]}, HOSPITALS) is None
    left = sum(np.frombuffer(one, dtype=">u8").astype(np.uint64) for one in fewer.values())
    assert np.count_nonzero(left) == length


def test_masks_are_another_hospital_s_and_attempt_s_own() -> None:
    """The same counts under no two masks: words repeat nowhere, so no difference tells anything."""
    zeros = np.zeros(length_of(HEART), dtype=np.uint64)
    words: list[bytes] = []
    for context in (CONTEXT, replace(CONTEXT, attempt=2), replace(CONTEXT, round=4)):
        for one in reports(dict.fromkeys(NAMES, zeros), context).values():
            words += [one[at : at + 8] for at in range(0, len(one), 8)]
    assert len(set(words)) == len(words)
    assert reports(dict.fromkeys(NAMES, zeros)) == reports(dict.fromkeys(NAMES, zeros))
    # Uniform words: the mean of bits over 12 vectors of 32 words is within five deviations of half.
    bits = np.unpackbits(np.frombuffer(b"".join(words), dtype=np.uint8))
    assert abs(bits.mean() - 0.5) < 5 * 0.5 / np.sqrt(len(bits))


def test_a_mask_is_what_the_format_says() -> None:
    """Worked out from docs/formats.md with another library's parts, for two hospitals."""
    first, second = HOSPITALS[:2]
    counts = np.arange(5, dtype=np.uint64)
    shared = KEYS[second.name].exchange(ECDH(), first.verifying_key)
    bound = cbor2.dumps(
        [
            MASK_LABEL, 1, 1337, bytes(20), bytes(32), 3, 1, first.name, second.name,
        ],
        canonical=True,
    )  # fmt: skip
    info = MASK_LABEL.encode() + b"\x00" + bound
    key = HKDF(SHA256(), 16, None, info).derive(shared)
    stream = Cipher(AES(key), CTR(bytes(16))).encryptor().update(bytes(40))
    words = [int.from_bytes(stream[at : at + 8], "little") for at in range(0, 40, 8)]
    for name, sign in ((first.name, 1), (second.name, -1)):
        expected = [(int(n) + sign * word) % 2**64 for n, word in zip(counts, words, strict=True)]
        said = masked(counts, CONTEXT, name, KEYS[name], (first, second))
        assert [int.from_bytes(said[at : at + 8], "big") for at in range(0, 40, 8)] == expected
