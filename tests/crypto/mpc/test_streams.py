"""No block of a key stream is ever used twice; the two holders of a stream draw alike."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from crypto.errors import MpcError
from crypto.field import F61, Field
from crypto.mpc import streams
from crypto.mpc.activation import relu
from crypto.mpc.compare import at_most
from crypto.mpc.multiply import multiply, zero_sharing
from crypto.mpc.session import Committee, Program, Role, Session
from crypto.mpc.streams import PairStream
from tests.crypto.mpc.trio import Trio

Block = tuple[bytes, int]


class Recorder:
    """Stands before the cipher and notes each (key, counter block) that it is asked for."""

    def __init__(self, real: Any) -> None:
        self.used: list[list[Block]] = []
        self._real = real

    def __call__(self, algorithm: Any, mode: Any) -> Any:
        blocks: list[Block] = []
        self.used.append(blocks)
        return Recording(self._real(algorithm, mode).encryptor(), algorithm.key, blocks)


class Recording:
    def __init__(self, encryptor: Any, key: bytes, blocks: list[Block]) -> None:
        self._encryptor, self._key, self._blocks = encryptor, key, blocks
        self._position = 0

    def encryptor(self) -> Recording:
        return self

    def reset_nonce(self, nonce: bytes) -> None:
        self._position = 16 * int.from_bytes(nonce, "big")
        self._encryptor.reset_nonce(nonce)

    def update_into(self, data: Any, out: Any) -> int:
        first, end = self._position // 16, (self._position + len(data) + 15) // 16
        # A block whose end was left over is continued, not used again.
        first += self._position % 16 != 0
        self._blocks.extend((self._key, block) for block in range(first, end))
        self._position += len(data)
        return int(self._encryptor.update_into(data, out))


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder(streams.Cipher)
    monkeypatch.setattr(streams, "Cipher", recorder)
    return recorder


def everything(session: Session, x: Any) -> Program[Any]:
    zero_sharing(session, (5,))
    x = yield from multiply(session, x, x)
    x = yield from relu(session, x, 24)
    x = yield from relu(session, x, 18)
    return (yield from at_most(session, x, 7))


def run(trio: Trio) -> None:
    trio.run(everything, trio.share(np.arange(200)))


def check_once(recorder: Recorder) -> None:
    """Each block is drawn by the two members of a pair, once each."""
    blocks = list(itertools.chain.from_iterable(recorder.used))
    for own in recorder.used:
        assert len(set(own)) == len(own)
    assert len(blocks) == 2 * len(set(blocks)) > 0


def test_a_run_uses_each_block_once(recorder: Recorder) -> None:
    run(Trio())
    check_once(recorder)
    assert len({key for own in recorder.used for key, _ in own}) == 3


def test_roles_attempts_and_committees_have_streams_of_their_own(recorder: Recorder) -> None:
    """The same three nodes with the same pair secrets: swapped, retried, at other points."""
    same = dict.fromkeys(itertools.permutations(Role, 2), bytes(32))

    def session_of(role: Role, points: tuple[int, int, int], context: bytes) -> Session:
        secrets = {other: same[role, other] for other in Role if other is not role}
        return Session(role, Committee(points), secrets, context)

    contexts = [b"attempt 1, session 1", b"attempt 1, session 2", b"attempt 2, session 1"]
    committees = [*itertools.permutations((1, 2, 3)), (1, 2, 4)]
    for points, context in itertools.product(committees, contexts):
        trio = Trio(points)
        trio.sessions = [session_of(role, points, context) for role in Role]
        run(trio)
    check_once(recorder)
    keys = {key for own in recorder.used for key, _ in own}
    # Even with one secret for all pairs.
    assert len(keys) == 3 * len(committees) * len(contexts)


def test_a_run_that_broke_off_is_repeated_with_other_streams(recorder: Recorder) -> None:
    broken = Trio(context=b"session 1")

    def cut(number: int, _role: Role, outbox: Any) -> Any:
        return {} if number == 9 else outbox

    with pytest.raises(MpcError):
        broken.run(everything, broken.share(np.arange(200)), tamper=cut)
    run(Trio(context=b"session 2"))
    for own in recorder.used:
        assert len(set(own)) == len(own)
    first, second = (
        {block for own in half for block in own}
        for half in (recorder.used[:12], recorder.used[12:])
    )
    assert first
    assert not first & second


def test_both_holders_of_a_key_draw_alike() -> None:
    one, two = PairStream(bytes(16)), PairStream(bytes(16))
    for count in (1, 7, 65_536, 65_537, 200_000):
        assert np.array_equal(one.words(count), two.words(count))
        assert np.array_equal(one.elements(count, F61), two.elements(count, F61))


def test_draws_are_not_repeated_and_not_continued() -> None:
    """A draw does not depend on how much the one before it took."""
    one, two = PairStream(bytes(16)), PairStream(bytes(16))
    assert one.words(4)[:3].tolist() == two.words(3).tolist()
    later = one.words(4)
    assert later.tolist() == two.words(4).tolist()
    assert later.tolist() != PairStream(bytes(16)).words(4).tolist()


@pytest.mark.parametrize("bits", [2, 3, 5, 7])
def test_elements_of_a_small_field_are_uniform(bits: int) -> None:
    field = Field(bits)
    counts = np.bincount(PairStream(bytes(16)).elements(70_000, field).astype(int))
    assert counts.size == field.modulus
    expected = 70_000 / field.modulus
    assert ((counts - expected) ** 2 / expected).sum() < 250


def test_words_of_another_key_are_others() -> None:
    assert PairStream(bytes(16)).words(4).tolist() != PairStream(bytes(15) + b"1").words(4).tolist()
