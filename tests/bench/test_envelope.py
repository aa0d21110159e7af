"""The measurement of envelopes compares schemes that do the same."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature

from bench.envelope import SCHEMES, measure, ratios
from crypto.errors import EnvelopeError


@pytest.mark.slow
@pytest.mark.parametrize("name", ["p256", "rsa2048"])
def test_both_open_what_they_sealed_and_nothing_else(name: str) -> None:
    scheme = SCHEMES[name]()
    sealed = scheme.seal(b"a share")
    assert b"a share" not in sealed
    assert scheme.open(sealed) == b"a share"
    assert scheme.seal(b"a share") != sealed
    with pytest.raises((InvalidSignature, EnvelopeError)):
        scheme.open(sealed[:-1] + bytes([sealed[-1] ^ 1]))


@pytest.mark.slow
def test_every_figure_of_rsa_has_its_ratio() -> None:
    figures = measure(keys=1, messages=1)
    found = ratios(figures)
    assert set(found) == {
        f"{name}/{what}" for name in ("rsa2048", "rsa3072") for what in figures["p256"]
    }
    # The scalar and the point against modulus, exponents and primes (SEC 1, RFC 8017 A.1).
    assert found["rsa3072/public key, bytes"] > found["rsa2048/public key, bytes"] > 1
    assert found["rsa2048/message grows by, bytes"] > 1
