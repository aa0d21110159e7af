"""The measurement of records takes every step of one."""

from __future__ import annotations

import pytest

from bench import resharing
from bench.records import measure, shamir_deal, shamir_open
from crypto.feldman import ORDER


@pytest.mark.parametrize("secret", [1, ORDER - 1])
def test_the_peer_shares_the_same_scalar(secret: int) -> None:
    shares = shamir_deal(secret)
    assert shamir_open(shares) == secret
    assert shamir_open(shares | {2: (shares[2] + 1) % ORDER}) != secret


def test_every_step_is_measured() -> None:
    figures = measure(1)
    assert set(figures) == {
        *("deal", "check", "open", "seal shares", "open a share", "shamir deal", "shamir open"),
    }
    assert min(figures.values()) > 0


@pytest.mark.slow
def test_every_step_of_new_shares_is_measured_and_the_records_open() -> None:
    figures = resharing.measure(3)
    assert (figures["records"], figures["opened"]) == (3, 3)
    assert set(figures["seconds per thousand"]) == {
        *("seal", "begin", "deal", "deal and complete", "verify"),
    }
