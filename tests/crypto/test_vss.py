"""The sharing check: sound by counting challenges, hiding by counting coefficients and masks."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from itertools import product

import cbor2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import FieldError
from crypto.field import F61, Field
from crypto.kernels import Words
from crypto.prg import Stream
from crypto.shamir import consistent, share
from crypto.vss import MASKS, answer, challenge_scalars
from tests.crypto.words import F3, F7, F31, P61, Scripted, array, words61

Pair = tuple[int, ...]
View = tuple[Pair, tuple[Pair, ...]]


@given(share_words=st.lists(words61, min_size=2, max_size=6), rhos=st.tuples(words61, words61))
def test_an_answer_is_mask_plus_powers_of_the_challenge(
    share_words: list[int], rhos: tuple[int, int]
) -> None:
    body, masks = share_words[:-2], share_words[-2:]
    expected = tuple(
        (mask + sum(rho ** (k + 1) * s for k, s in enumerate(body))) % P61
        for rho, mask in zip(rhos, masks, strict=True)
    )
    assert answer(array(share_words), rhos) == expected


@pytest.mark.parametrize("share_words", [array([]), array([1]), np.ones((2, 2), dtype=np.uint64)])
def test_a_share_without_masks_is_refused(share_words: Words) -> None:
    with pytest.raises(FieldError, match="with 2 masks"):
        answer(share_words, (1, 2))


def test_one_scalar_for_each_mask() -> None:
    with pytest.raises(ValueError, match="zip"):
        answer(array([1, 2, 3]), (1,))


@given(challenge=st.binary(max_size=40))
def test_scalars_are_128_bits_of_a_labelled_hash_each(challenge: bytes) -> None:
    expected = []
    for index in range(2):
        label = "consilium/challenge-scalar/v1"
        digest = sha256(cbor2.dumps([label, challenge, index], canonical=True)).digest()
        expected.append(int(digest[:16].hex(), 16) % P61)
    assert challenge_scalars(challenge) == tuple(expected)


def test_scalars_of_a_small_field_lie_in_it_and_reach_all_of_it() -> None:
    drawn = [challenge_scalars(bytes([k]), F7) for k in range(100)]
    assert {rho for pair in drawn for rho in pair} == set(range(7))


@given(
    secret=st.lists(words61, min_size=1, max_size=5),
    seed=st.binary(min_size=32, max_size=32),
    challenge=st.binary(min_size=32, max_size=32),
    setting=st.sampled_from([(3, 1), (4, 1), (5, 2), (7, 2)]),
)
def test_answers_to_an_honest_sharing_lie_on_a_polynomial(
    secret: list[int], seed: bytes, challenge: bytes, setting: tuple[int, int]
) -> None:
    n, t = setting
    points = list(range(1, n + 1))
    stream = Stream(seed, "test")
    vector = np.concatenate([array(secret), stream.elements(MASKS)])
    shares = share(vector, t, points, stream)
    answers = np.array(
        [answer(row, challenge_scalars(challenge)) for row in shares], dtype=np.uint64
    )
    assert consistent(points, answers, t)


# Soundness. Moving one of three shares off the line by d_1..d_L and its mask by m survives rho
# exactly when m + sum_k rho^(k+1) d_k = 0: a polynomial of degree L in rho, which is not zero.


def survives(offsets: Pair, rho: int, field: Field) -> bool:
    """Whether the first answer hides an honest sharing of zeros whose third share is off."""
    shares = np.zeros((3, len(offsets) + 1), dtype=np.uint64)
    shares[2, :-1] = offsets
    answers = np.array([answer(row, (rho, rho), field)[:1] for row in shares], dtype=np.uint64)
    return consistent([1, 2, 3], answers, 1, field)


@pytest.mark.parametrize(("field", "length"), [(F7, 1), (F7, 2), (F31, 1)])
def test_a_cheating_dealer_survives_at_most_l_of_the_p_challenges(
    field: Field, length: int
) -> None:
    p = field.modulus
    most = 0
    for offsets in product(range(p), repeat=length + 1):
        if any(offsets):
            survived = sum(survives(offsets, rho, field) for rho in range(p))
            assert survived <= length
            most = max(most, survived)
    assert most == length, "the bound is reached, so it is the right one"


def test_two_challenges_are_survived_independently() -> None:
    # One entry is off by 1, the masks by -2 and -3: rho must be 2 the first time and 3 the second.
    shares = np.zeros((3, 3), dtype=np.uint64)
    shares[2] = [1, 7 - 2, 7 - 3]
    survived = [
        rhos
        for rhos in product(range(7), repeat=2)
        if consistent(
            [1, 2, 3], np.array([answer(row, rhos, F7) for row in shares], dtype=np.uint64), 1, F7
        )
    ]
    assert survived == [(2, 3)]


@given(
    seed=st.binary(min_size=32, max_size=32),
    entry=st.integers(0, 6),
    offset=st.integers(1, P61 - 1),
    holder=st.integers(0, 3),
)
def test_one_wrong_entry_anywhere_shows_in_the_large_field(
    seed: bytes, entry: int, offset: int, holder: int
) -> None:
    stream = Stream(seed, "test")
    shares = share(stream.elements(7), 1, [1, 2, 3, 4], stream)
    shares[holder, entry] = (int(shares[holder, entry]) + offset) % P61
    rhos = challenge_scalars(seed)
    answers = np.array([answer(row, rhos) for row in shares], dtype=np.uint64)
    assert not consistent([1, 2, 3, 4], answers, 1)


# Hiding. A node sees its own share, masks included, and everybody's answers to one challenge.


def views(
    secret: Pair, holder: int, points: list[int], rhos: Pair, field: Field, one_mask: bool = False
) -> Counter[View]:
    """How often each view of one node comes up, over all masks and all coefficients (t = 1)."""
    seen: Counter[View] = Counter()
    p, width = field.modulus, len(secret) + MASKS
    for drawn in product(range(p), repeat=MASKS + width):
        masks, coefficients = drawn[:MASKS], drawn[MASKS:]
        if one_mask:
            masks = (masks[0],) * MASKS
            coefficients = (*coefficients[:-1], coefficients[-2])
        shares = share(array(secret + masks), 1, points, Scripted(coefficients), field)
        answers = tuple(answer(row, rhos, field) for row in shares)
        seen[tuple(shares[holder].tolist()), answers] += 1
    return seen


@pytest.mark.parametrize("rhos", list(product(range(3), repeat=2)))
@pytest.mark.parametrize("holder", [0, 1])
def test_a_nodes_view_of_two_entries_is_the_same_for_every_secret(holder: int, rhos: Pair) -> None:
    secrets = list(product(range(3), repeat=2))
    first = views(secrets[0], holder, [1, 2], rhos, F3)
    assert all(views(secret, holder, [1, 2], rhos, F3) == first for secret in secrets[1:])


def all_views_of_one_entry(secret: int, holder: int, rhos: Pair) -> Counter[View]:
    """The same on p = 7 with three nodes and L = 1: all 7^5 draws by one call of `share`."""
    drawn = np.array(list(product(range(7), repeat=5)), dtype=np.uint64)
    vectors = np.column_stack([np.full(len(drawn), secret, dtype=np.uint64), drawn[:, :MASKS]])
    flat = share(vectors.reshape(-1), 1, [1, 2, 3], Scripted(drawn[:, MASKS:].reshape(-1)), F7)
    rows = flat.reshape(3, len(drawn), 3)
    seen: Counter[View] = Counter()
    for k, own in enumerate(rows[holder].tolist()):
        seen[tuple(own), tuple(answer(row, rhos, F7) for row in rows[:, k])] += 1
    return seen


@pytest.mark.parametrize(("holder", "rhos"), [(0, (3, 5)), (2, (1, 6))])
def test_a_nodes_view_on_the_field_of_7_is_the_same_for_two_secrets(
    holder: int, rhos: Pair
) -> None:
    assert all_views_of_one_entry(1, holder, rhos) == all_views_of_one_entry(4, holder, rhos)


def test_one_mask_for_two_challenges_would_give_the_secret_away() -> None:
    # The control: this is why there are two masks, and the count above would notice.
    zero, one = (views((s, 0), 0, [1, 2], (1, 2), F3, one_mask=True) for s in (0, 1))
    assert zero.keys().isdisjoint(one)


def test_the_answers_without_masks_would_give_the_secret_away() -> None:
    shares = [share(array([s, 0, 0]), 1, [1, 2, 3], Scripted([2, 0, 0]), F7) for s in (0, 1)]
    opened = [[answer(row, (1, 1), F7) for row in rows] for rows in shares]
    assert opened[0] != opened[1]


def test_a_challenge_is_bound_to_its_field() -> None:
    assert all(0 <= rho < F61.modulus for rho in challenge_scalars(bytes(32)))
