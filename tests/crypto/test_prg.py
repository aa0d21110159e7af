"""Streams: known answers, one stream a purpose, and uniform elements by counting."""

from __future__ import annotations

import hmac
from collections import Counter
from hashlib import sha256
from itertools import product

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import EncodingError
from crypto.field import F61, Field
from crypto.kernels import Words
from crypto.prg import SEED_BYTES, Stream, new_seed
from tests.crypto.words import F7, P61, array

SEED = bytes(range(32))


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 from its two formulas."""
    key = hmac.digest(salt or bytes(32), secret, sha256)
    out, block = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(key, block + info + bytes([counter]), sha256)
        out += block
    return out[:length]


def counter_mode(key: bytes, counter: int, length: int) -> bytes:
    """SP 800-38A, section 6.5: the key stream, block by block."""
    encrypt = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    blocks = range(counter, counter - (-length // 16))
    return b"".join(encrypt.update(block.to_bytes(16, "big")) for block in blocks)[:length]


def test_the_reference_for_key_derivation_is_rfc_5869() -> None:
    # Appendix A, test cases 1 and 3.
    case_1 = hkdf(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)), 42)
    assert case_1.hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )
    assert hkdf(b"\x0b" * 22, b"", b"", 42).hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )


def test_the_reference_for_counter_mode_is_sp_800_38a() -> None:
    # Section F.5.1: the key stream is plaintext XOR ciphertext.
    plain = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
    cipher = bytes.fromhex("874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff")
    stream = counter_mode(
        bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"),
        int("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", 16),
        32,
    )
    assert bytes(p ^ s for p, s in zip(plain, stream, strict=True)) == cipher


@given(
    seed=st.binary(min_size=32, max_size=32),
    label=st.sampled_from(["consilium/dealer/v1", "a", ""]),
    context=st.binary(max_size=80),
    length=st.integers(0, 100),
)
def test_a_stream_is_counter_mode_under_a_derived_key(
    seed: bytes, label: str, context: bytes, length: int
) -> None:
    key = hkdf(seed, b"", label.encode() + b"\x00" + context, 16)
    assert Stream(seed, label, context).bytes(length) == counter_mode(key, 0, length)


def test_bytes_words_and_elements_are_drawn_from_one_stream_in_order() -> None:
    whole = Stream(SEED, "label").bytes(40)
    stream = Stream(SEED, "label")
    head, words = stream.bytes(8), stream.words(2)
    assert head + words.astype("<u8").tobytes() + stream.bytes(16) == whole
    assert Stream(SEED, "label").elements(2).tolist() == [
        int.from_bytes(whole[k : k + 8], "little") % 2**61 for k in (0, 8)
    ]


def test_another_seed_label_or_context_gives_another_stream() -> None:
    flipped = bytes([SEED[0] ^ 1]) + SEED[1:]
    streams = [
        Stream(SEED, "share", b"context"),
        Stream(flipped, "share", b"context"),
        Stream(SEED, "shares", b"context"),
        Stream(SEED, "share", b"context "),
        Stream(SEED, "share"),
        Stream(SEED, "sharecontext"),
        Stream(SEED, "share", b"\x00context"),
    ]
    drawn = [stream.bytes(64) for stream in streams]
    blocks = Counter(data[k : k + 16] for data in drawn for k in range(0, 64, 16))
    assert set(blocks.values()) == {1}


def test_the_same_seed_label_and_context_repeat_the_stream() -> None:
    one, two = (Stream(SEED, "share", b"context").elements(50).tolist() for _ in range(2))
    assert one == two


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_seed_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(EncodingError, match=f"got {length}"):
        Stream(bytes(length), "label")


def test_new_seeds_are_32_bytes_and_differ() -> None:
    seeds = {new_seed() for _ in range(20)}
    assert len(seeds) == 20
    assert {len(seed) for seed in seeds} == {SEED_BYTES}


class ScriptedStream(Stream):
    """A stream whose words are prepared, so that rejection can be counted."""

    def __init__(self, words: list[int]) -> None:
        super().__init__(SEED, "scripted")
        self._words = words

    def words(self, count: int) -> Words:
        drawn, self._words = self._words[:count], self._words[count:]
        assert len(drawn) == count
        return array(drawn)


def draw(words: list[int], count: int, field: Field) -> list[int]:
    return ScriptedStream(words).elements(count, field).tolist()


def test_elements_are_uniform_over_all_pairs_of_words() -> None:
    # The low three bits decide. Words 7 are drawn again; the third word ends the search.
    ends = Counter(
        draw([first, second, 0], 1, F7)[0]
        for first, second in product(range(16), repeat=2)
        if (first % 8, second % 8) != (7, 7)
    )
    assert ends == dict.fromkeys(range(7), 36)


def test_a_rejected_word_is_replaced_where_it_stood() -> None:
    assert draw([1, 7, 2, 15, 3, 23, 4], 4, F7) == [1, 3, 2, 4]


@pytest.mark.parametrize("high", range(8))
def test_p_never_comes_up_whatever_the_high_bits_are(high: int) -> None:
    word = P61 | high << 61
    assert draw([word, word, P61 - 1, 0], 2, F61) == [P61 - 1, 0]
    assert draw([word - 1], 1, F61) == [P61 - 1]


def test_no_elements_take_no_words() -> None:
    assert ScriptedStream([]).elements(0, F7).tolist() == []
    assert Stream(SEED, "label").elements(3, F7).dtype == np.uint64
