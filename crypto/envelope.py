"""Sealed and signed envelopes between named parties, and their signatures.

Sealing is ECIES on P-256: an ephemeral key agrees on a secret with the receiver's key (SEC 1,
section 6.1), HKDF-SHA256 turns it into an AES-256-GCM key, and the sender signs what results.
Associated data, key derivation and signature all cover the attempt, the purpose, sender and
receiver, so that an envelope opens only where it belongs. Confidentiality rests on ECDH over P-256,
integrity and origin on ECDSA with SHA-256.
"""

from __future__ import annotations

from dataclasses import dataclass

import cbor2
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)

from crypto.context import Context, parse
from crypto.errors import EncodingError, EnvelopeError, SealError

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey

SEAL_LABEL = "consilium/seal/v1"
ENVELOPE_LABEL = "consilium/envelope/v1"

PRIVATE_KEY_BYTES = 32
PUBLIC_KEY_BYTES = 65
# A key encrypts one message, so a constant nonce never meets the same key twice.
_NONCE = bytes(12)
_FIELD_TYPES = [str, str, bytes, bytes, bytes]


def new_private_key() -> PrivateKey:
    """A fresh P-256 key of the operating system's entropy."""
    return ec.generate_private_key(ec.SECP256R1())


def private_key_bytes(key: PrivateKey) -> bytes:
    """The scalar, 32 bytes, big-endian."""
    return key.private_numbers().private_value.to_bytes(PRIVATE_KEY_BYTES, "big")


def load_private_key(data: bytes) -> PrivateKey:
    """The key of a 32-byte scalar. Raises EncodingError when it is none."""
    if len(data) != PRIVATE_KEY_BYTES:
        raise EncodingError(f"expected a scalar of {PRIVATE_KEY_BYTES} bytes, got {len(data)}")
    try:
        return ec.derive_private_key(int.from_bytes(data, "big"), ec.SECP256R1())
    except ValueError as error:
        raise EncodingError(f"expected a scalar of P-256: {error}") from error


def public_key_bytes(key: PublicKey) -> bytes:
    """The point, uncompressed (SEC 1, section 2.3.3): 65 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def load_public_key(data: bytes) -> PublicKey:
    """The key of an uncompressed point. Raises EncodingError when the point is not on the curve."""
    if len(data) != PUBLIC_KEY_BYTES:
        raise EncodingError(f"expected a public key of {PUBLIC_KEY_BYTES} bytes, got {len(data)}")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)
    except ValueError as error:
        raise EncodingError(f"expected a point of P-256: {error}") from error


@dataclass(frozen=True)
class Envelope:
    """What travels: who to whom, the ephemeral key, the ciphertext with its tag, the signature."""

    sender: str
    receiver: str
    ephemeral_key: bytes
    ciphertext: bytes
    signature: bytes

    def to_bytes(self) -> bytes:
        """The envelope as a CBOR array, in the order of the fields."""
        fields = [self.sender, self.receiver, self.ephemeral_key, self.ciphertext, self.signature]
        return cbor2.dumps(fields, canonical=True)

    @classmethod
    def from_bytes(cls, data: bytes) -> Envelope:
        """The inverse of `to_bytes`. Raises EncodingError."""
        fields = parse(data)
        if not isinstance(fields, list) or [type(field) for field in fields] != _FIELD_TYPES:
            raise EncodingError("expected an envelope of two names and three byte strings")
        return cls(*fields)


def seal(
    context: Context,
    purpose: str,
    sender: str,
    signing_key: PrivateKey,
    receiver: str,
    receiving_key: PublicKey,
    plaintext: bytes,
) -> Envelope:
    """An envelope that only the holder of `receiving_key` opens, in this context and purpose."""
    ephemeral = new_private_key()
    ephemeral_key = public_key_bytes(ephemeral.public_key())
    bound = context.bind(SEAL_LABEL, purpose, sender, receiver, ephemeral_key)
    key = derive_sealing_key(ephemeral.exchange(ec.ECDH(), receiving_key), bound, receiving_key)
    ciphertext = AESGCM(key).encrypt(_NONCE, plaintext, bound)
    signature = sign(
        signing_key, _signed(context, purpose, sender, receiver, ephemeral_key, ciphertext)
    )
    return Envelope(sender, receiver, ephemeral_key, ciphertext, signature)


def open_sealed(
    context: Context,
    purpose: str,
    sender: str,
    envelope: Envelope,
    verifying_key: PublicKey,
    receiver: str,
    receiving_key: PrivateKey,
) -> bytes:
    """The plaintext, after the signature was checked.

    Raises EnvelopeError when the envelope is for another receiver, another context or purpose, was
    altered, or is not signed by the sender that it names; SealError when the sender did sign it but
    it does not open, which is then the sender's doing.
    """
    if (envelope.sender, envelope.receiver) != (sender, receiver):
        raise EnvelopeError(
            f"expected an envelope from {sender} to {receiver}, "
            f"got one from {envelope.sender} to {envelope.receiver}"
        )
    ephemeral_key = envelope.ephemeral_key
    signed = _signed(context, purpose, sender, receiver, ephemeral_key, envelope.ciphertext)
    verify(verifying_key, signed, envelope.signature, sender)
    bound = context.bind(SEAL_LABEL, purpose, sender, receiver, ephemeral_key)
    try:
        shared = receiving_key.exchange(ec.ECDH(), load_public_key(ephemeral_key))
        key = derive_sealing_key(shared, bound, receiving_key.public_key())
        return AESGCM(key).decrypt(_NONCE, envelope.ciphertext, bound)
    except (InvalidTag, EncodingError, ValueError) as error:
        raise SealError(f"an envelope that {sender} signed for {receiver} does not open") from error


def sign(key: PrivateKey, message: bytes) -> bytes:
    """An ECDSA signature with SHA-256 (DER) over a message that carries its own label."""
    return key.sign(message, ec.ECDSA(SHA256()))


def verify(key: PublicKey, message: bytes, signature: bytes, signer: str) -> None:
    """Check a signature. Raises EnvelopeError, naming the signer it was expected from."""
    try:
        key.verify(signature, message, ec.ECDSA(SHA256()))
    except InvalidSignature as error:
        raise EnvelopeError(f"expected a signature of {signer}, got another") from error


def derive_sealing_key(shared: bytes, bound: bytes, receiving_key: PublicKey) -> bytes:
    """The AES-256-GCM key of one message, of what ECDH agreed on and all that it is bound to."""
    info = bound + public_key_bytes(receiving_key)
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(shared)


def _signed(
    context: Context, purpose: str, sender: str, receiver: str, ephemeral: bytes, ciphertext: bytes
) -> bytes:
    return context.bind(ENVELOPE_LABEL, purpose, sender, receiver, ephemeral, ciphertext)
