"""Envelopes open where they belong and nowhere else; signatures and keys in their one form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from crypto.context import Context
from crypto.envelope import (
    ENVELOPE_LABEL,
    Envelope,
    PrivateKey,
    load_private_key,
    load_public_key,
    new_private_key,
    open_sealed,
    private_key_bytes,
    public_key_bytes,
    seal,
    sign,
    verify,
)
from crypto.errors import EncodingError, EnvelopeError, SealError
from tests.crypto.parties import ADA, BEN, CONTEXT, MALLORY, NORTH, OTHER_CONTEXTS

PLAIN = b"salt and share"

# The generator of P-256 (SEC 2, section 2.4.2) is the public key of the scalar 1.
GENERATOR = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def sealed(plain: bytes = PLAIN) -> Envelope:
    return seal(CONTEXT, "share", "north", NORTH, "Ada", ADA.public_key(), plain)


def opened(envelope: Envelope, **changes: Any) -> bytes:
    """Open as Ada does for a share of north's, but for what the test changes."""
    arguments: dict[str, Any] = {
        "context": CONTEXT,
        "purpose": "share",
        "sender": "north",
        "verifying_key": NORTH.public_key(),
        "receiver": "Ada",
        "receiving_key": ADA,
    }
    return open_sealed(envelope=envelope, **(arguments | changes))


def signed_again(envelope: Envelope, key: PrivateKey = NORTH) -> Envelope:
    """The envelope with a genuine signature over whatever is in it now."""
    parts = (envelope.ephemeral_key, envelope.ciphertext)
    message = CONTEXT.bind(ENVELOPE_LABEL, "share", envelope.sender, envelope.receiver, *parts)
    return replace(envelope, signature=sign(key, message))


@given(plain=st.binary(max_size=200))
def test_an_envelope_opens_for_its_receiver(plain: bytes) -> None:
    envelope = Envelope.from_bytes(sealed(plain).to_bytes())
    assert opened(envelope) == plain


def test_an_envelope_hides_what_is_in_it_and_is_never_the_same_twice() -> None:
    one, two = sealed(), sealed()
    assert PLAIN not in one.to_bytes()
    assert one.ephemeral_key != two.ephemeral_key
    assert one.ciphertext != two.ciphertext
    assert len(one.ciphertext) == len(PLAIN) + 16


def test_every_altered_byte_is_refused() -> None:
    data = sealed().to_bytes()
    for at in range(len(data)):
        for flip in (0x01, 0x20, 0x80, 0xFF):
            altered = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
            with pytest.raises((EncodingError, EnvelopeError)):
                opened(Envelope.from_bytes(altered))


@pytest.mark.parametrize("other", OTHER_CONTEXTS.values(), ids=OTHER_CONTEXTS)
def test_an_envelope_of_another_attempt_is_refused(other: Context) -> None:
    with pytest.raises(EnvelopeError, match="signature of north"):
        opened(sealed(), context=other)


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": "sum"},
        {"receiver": "Ben"},
        {"sender": "south"},
        {"verifying_key": MALLORY.public_key()},
        {"verifying_key": ADA.public_key()},
        {"receiver": "Ben", "receiving_key": BEN},
    ],
    ids=["purpose", "receiver", "sender", "signer", "receiver's key", "misdirected"],
)
def test_an_envelope_out_of_its_place_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(EnvelopeError, match="expected") as refusal:
        opened(sealed(), **changes)
    assert not isinstance(refusal.value, SealError)


def test_an_envelope_readdressed_by_the_carrier_is_refused() -> None:
    readdressed = replace(sealed(), receiver="Ben")
    with pytest.raises(EnvelopeError, match="signature of north"):
        opened(readdressed, receiver="Ben", receiving_key=BEN)


def test_a_stranger_cannot_put_its_name_to_an_envelope() -> None:
    # Mallory signs north's ciphertext as its own and hands it on under its own name.
    stolen = signed_again(replace(sealed(), sender="mallory"), MALLORY)
    with pytest.raises(SealError, match="mallory signed for Ada"):
        opened(stolen, sender="mallory", verifying_key=MALLORY.public_key())


BROKEN = {
    "another key": {"ephemeral_key": public_key_bytes(MALLORY.public_key())},
    "no point of the curve": {"ephemeral_key": b"\x04" + bytes(64)},
    "no key": {"ephemeral_key": b""},
    "a compressed key": {"ephemeral_key": GENERATOR[:33]},
    "another ciphertext": {"ciphertext": bytes(30)},
    "shorter than a tag": {"ciphertext": bytes(3)},
    "no ciphertext": {"ciphertext": b""},
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_what_its_sender_signed_and_does_not_open_is_the_senders_doing(
    change: dict[str, bytes],
) -> None:
    broken = signed_again(replace(sealed(), **change))
    with pytest.raises(SealError, match="north signed for Ada does not open"):
        opened(broken)
    altered = replace(sealed(), **change)
    with pytest.raises(EnvelopeError) as refusal:
        opened(altered)
    assert not isinstance(refusal.value, SealError), "the carrier's doing, not the sender's"


def test_an_envelope_sealed_to_another_key_does_not_open() -> None:
    astray = seal(CONTEXT, "share", "north", NORTH, "Ada", BEN.public_key(), PLAIN)
    with pytest.raises(SealError):
        opened(astray)


@pytest.mark.parametrize("other", OTHER_CONTEXTS.values(), ids=OTHER_CONTEXTS)
def test_the_seal_itself_is_bound_to_its_attempt(other: Context) -> None:
    # A sender that signs an old ciphertext anew gains nothing.
    old = seal(other, "share", "north", NORTH, "Ada", ADA.public_key(), PLAIN)
    with pytest.raises(SealError):
        opened(signed_again(old))


@given(data=st.binary(max_size=80))
def test_random_bytes_are_no_envelope(data: bytes) -> None:
    with pytest.raises(EncodingError):
        Envelope.from_bytes(data)


def test_other_forms_of_an_envelope_are_refused() -> None:
    data = sealed().to_bytes()
    fields = cbor2.loads(data)
    others = [
        data + b"\x00",
        data[:-1],
        b"\x98\x05" + data[1:],
        cbor2.dumps(fields[:4], canonical=True),
        cbor2.dumps([*fields, b""], canonical=True),
        cbor2.dumps(dict.fromkeys(fields, 0), canonical=True),
        cbor2.dumps([fields[1].encode(), *fields[1:]], canonical=True),
        cbor2.dumps([*fields[:4], "signature"], canonical=True),
        cbor2.dumps([*fields[:4], [fields[4]]], canonical=True),
        cbor2.dumps("abcde", canonical=True),
    ]
    for other in others:
        with pytest.raises(EncodingError):
            Envelope.from_bytes(other)


# Signatures and keys


@given(message=st.binary(max_size=40))
def test_a_signature_is_its_signers_over_its_message(message: bytes) -> None:
    signature = sign(NORTH, message)
    verify(NORTH.public_key(), message, signature, "north")
    for key, said, given_signature in (
        (ADA.public_key(), message, signature),
        (NORTH.public_key(), message + b"\x00", signature),
        (NORTH.public_key(), message, signature[:-1]),
        (NORTH.public_key(), message, b""),
    ):
        with pytest.raises(EnvelopeError, match="expected a signature of north"):
            verify(key, said, given_signature, "north")


def test_keys_are_32_and_65_bytes_and_come_back() -> None:
    key = new_private_key()
    assert len(private_key_bytes(key)) == 32
    assert len(public_key_bytes(key.public_key())) == 65
    assert private_key_bytes(load_private_key(private_key_bytes(key))) == private_key_bytes(key)
    again = load_public_key(public_key_bytes(key.public_key()))
    assert again.public_numbers() == key.public_key().public_numbers()
    assert private_key_bytes(new_private_key()) != private_key_bytes(key)


def test_the_scalar_1_is_the_generator_of_p_256() -> None:
    key = load_private_key((1).to_bytes(32, "big"))
    assert public_key_bytes(key.public_key()) == GENERATOR
    assert isinstance(key.curve, ec.SECP256R1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(31),
        (1).to_bytes(31, "big"),
        (1).to_bytes(33, "big"),
        bytes(32),
        ORDER.to_bytes(32, "big"),
        b"\xff" * 32,
    ],
    ids=["empty", "31 zeros", "31 bytes", "33 bytes", "zero", "order", "beyond"],
)
def test_what_is_no_scalar_is_refused(data: bytes) -> None:
    with pytest.raises(EncodingError, match="expected a scalar"):
        load_private_key(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GENERATOR[:-1],
        GENERATOR + b"\x00",
        b"\x04" + bytes(64),
        b"\x05" + GENERATOR[1:],
        GENERATOR[:-1] + b"\xf4",
        b"\x02" + GENERATOR[1:33],
        b"\x00",
    ],
    ids=["empty", "64 bytes", "66 bytes", "origin", "prefix", "off the curve", "compressed", "O"],
)
def test_what_is_no_uncompressed_point_is_refused(data: bytes) -> None:
    with pytest.raises(EncodingError, match="expected a p"):
        load_public_key(data)
