"""RSA against elliptic curves for one sealed and signed message: `python -m bench.envelope`.

The service is that of `crypto.envelope`: only the receiver reads, and the sender signs. P-256 is
that module (ECIES, ECDSA). RSA of 2048 and 3072 bits does the same with the same library: OAEP with
SHA-256 wraps an AES-256-GCM key (RFC 8017, section 7.1), PSS signs (section 8.1). By NIST SP 800-57
part 1 (revision 5, table 2), P-256 and RSA-3072 have 128 bits of strength, RSA-2048 has 112.

For each: bytes of a public and a private key (DER), bytes that a message grows by, and the median
times of making a key, sealing and opening a message of 32 bytes (a key's share) and one of 64 KiB
(a share of a small model), in turns within one run. `ratios` are RSA's figures over P-256's.
Writes bench/results/envelope.json; takes about half a minute, `--quick` less and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final, Protocol, TypeVar

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bench.verification import machine
from crypto.context import Context
from crypto.envelope import Envelope, PrivateKey, new_private_key, open_sealed, seal

RESULTS: Final = Path(__file__).parent / "results" / "envelope.json"
SIZES: Final = {"32 B": 32, "64 KiB": 64 * 1024}
CONTEXT: Final = Context(1337, bytes(20), bytes(32), 1, 1)
_NONCE: Final = bytes(12)  # A key encrypts one message.
Figures = dict[str, float]
Result = TypeVar("Result")


class Scheme(Protocol):
    """Two parties' keys, and how one seals for the other."""

    def private_key(self) -> PrivateKey | rsa.RSAPrivateKey:
        """A fresh private key."""
        ...

    def seal(self, message: bytes) -> bytes:
        """The sealed and signed message."""
        ...

    def open(self, sealed: bytes) -> bytes:
        """The message; raises where it was altered."""
        ...


class Curve:
    """What Consilium uses."""

    def __init__(self) -> None:
        self._sender, self._receiver = self.private_key(), self.private_key()

    def private_key(self) -> PrivateKey:
        """A fresh key of P-256."""
        return new_private_key()

    def seal(self, message: bytes) -> bytes:
        """An envelope from the one to the other."""
        public = self._receiver.public_key()
        return seal(CONTEXT, "b", "A", self._sender, "B", public, message).to_bytes()

    def open(self, sealed: bytes) -> bytes:
        """What is in the envelope. Raises EnvelopeError."""
        envelope, key = Envelope.from_bytes(sealed), self._sender.public_key()
        return open_sealed(CONTEXT, "b", "A", envelope, key, "B", self._receiver)


@dataclass
class Rsa:
    """The same with RSA of so many bits."""

    bits: int

    def __post_init__(self) -> None:
        self._sender, self._receiver = self.private_key(), self.private_key()

    def private_key(self) -> rsa.RSAPrivateKey:
        """A fresh key."""
        return rsa.generate_private_key(65537, self.bits)

    def seal(self, message: bytes) -> bytes:
        """Wrapped key, ciphertext, signature over both."""
        key = os.urandom(32)
        wrapped = self._receiver.public_key().encrypt(key, _oaep())
        body = wrapped + AESGCM(key).encrypt(_NONCE, message, None)
        return body + self._sender.sign(body, _pss(), SHA256())

    def open(self, sealed: bytes) -> bytes:
        """What was sealed. Raises InvalidSignature."""
        width = self.bits // 8
        body, signature = sealed[:-width], sealed[-width:]
        self._sender.public_key().verify(signature, body, _pss(), SHA256())
        key = self._receiver.decrypt(body[:width], _oaep())
        return AESGCM(key).decrypt(_NONCE, body[width:], None)


def _oaep() -> padding.OAEP:
    return padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)


def _pss() -> padding.PSS:
    return padding.PSS(padding.MGF1(SHA256()), padding.PSS.DIGEST_LENGTH)


SCHEMES: Final[Mapping[str, Callable[[], Scheme]]] = {
    "p256": Curve,
    "rsa2048": lambda: Rsa(2048),
    "rsa3072": lambda: Rsa(3072),
}


def measure(keys: int, messages: int) -> dict[str, Figures]:
    """The figures of each scheme, from so many keys and messages of each size, in turns."""
    schemes = {name: make() for name, make in SCHEMES.items()}
    seconds: dict[str, dict[str, list[float]]] = {name: {} for name in schemes}
    for _ in range(keys):
        for name, scheme in schemes.items():
            _time(seconds[name], "key", scheme.private_key)
    grown: dict[str, int] = {}
    for size, count in SIZES.items():
        message = os.urandom(count)
        for _ in range(messages):
            for name, scheme in schemes.items():
                sealed = _time(seconds[name], f"seal {size}", partial(scheme.seal, message))
                opened = _time(seconds[name], f"open {size}", partial(scheme.open, sealed))
                assert opened == message
                grown[name] = len(sealed) - count
    return {
        name: _sizes(scheme)
        | {"message grows by, bytes": grown[name]}
        | {f"{what}, ms": 1000 * median(times) for what, times in seconds[name].items()}
        for name, scheme in schemes.items()
    }


def _time(seconds: dict[str, list[float]], what: str, act: Callable[[], Result]) -> Result:
    start = time.perf_counter()
    result = act()
    seconds.setdefault(what, []).append(time.perf_counter() - start)
    return result


def _sizes(scheme: Scheme) -> Figures:
    key = scheme.private_key()
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {"public key, bytes": len(public), "private key, bytes": len(private)}


def ratios(figures: Mapping[str, Figures]) -> Figures:
    """RSA's figures over P-256's."""
    own = figures["p256"]
    return {
        f"{name}/{what}": round(value / own[what], 2)
        for name, row in figures.items()
        if name != "p256"
        for what, value in row.items()
    }


def main() -> None:
    """Print the table, and write it unless it was a quick look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    figures = measure(keys=3 if quick else 25, messages=20 if quick else 300)
    print(f"{'':<26}" + "".join(f"{name:>10}" for name in figures))
    for what in figures["p256"]:
        print(f"{what:<26}" + "".join(f"{figures[name][what]:>10.4g}" for name in figures))
    if not quick:
        document = {"machine": machine(), "figures": figures, "ratios": ratios(figures)}
        RESULTS.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
