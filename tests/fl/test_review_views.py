"""What a committee member receives in a review: the same shape and uniform, for any models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from crypto.digest import model_bytes
from crypto.mpc.channel import run_local
from crypto.mpc.session import Inbox, Outbox, Program, Role, Session
from fl.networks import unflatten
from fl.outcome import Finding, read_updates
from fl.review import Slice, Updates, update_program
from fl.verdict import Rule
from tests.fl.committee import sessions, shared
from tests.fl.test_review import (
    BOUND,
    CHALLENGE,
    COMMITTEE,
    INITIAL,
    LENGTH,
    NAMES,
    PLAN,
    SPEC,
    Rows,
    clipped,
    random_rows,
)

# What is opened arrives as shares of it, the same number of bytes from each of the two others.
View = list[dict[Role, bytes]]


def recorded(program: Program[bytes], view: View) -> Program[bytes]:
    """The program, with all that it receives kept."""
    outbox: Outbox = next(program)
    while True:
        inbox: Inbox = yield outbox
        view.append(dict(inbox))
        try:
            outbox = program.send(inbox)
        except StopIteration as ended:
            return bytes(ended.value)


def views(
    vectors: NDArray[np.int64], rows: Sequence[Rows]
) -> tuple[list[View], dict[str, Finding]]:
    """What each party receives while these updates are reviewed, and what is opened."""
    parts = shared(vectors)
    given = [(shared(one.inputs), shared(one.one_hot)) for one in rows]
    data = model_bytes("mlp", unflatten(SPEC, INITIAL))
    kept: list[View] = [[], [], []]

    def program(session: Session, party: int) -> Program[bytes]:
        updates = Updates(NAMES, parts[party], None, data, BOUND, CHALLENGE, False)
        slices = [
            Slice(n, one.sizes, x[party], y[party])
            for n, one, (x, y) in zip(NAMES, rows, given, strict=True)
        ]
        return update_program(session, PLAN, Rule(), updates, slices, 1, COMMITTEE)

    runs = [recorded(program(one, i), kept[i]) for i, one in enumerate(sessions())]
    results, _ = run_local(runs)
    return kept, dict(read_updates(results[0]).findings)


@pytest.fixture(scope="module")
def two() -> list[tuple[list[View], dict[str, Finding]]]:
    """The reviews of two sets of updates that have nothing in common but their number."""
    generator = np.random.Generator(np.random.PCG64(21))
    rows = [random_rows(generator, 32) for _ in NAMES]
    still = np.zeros((4, LENGTH), dtype=np.int64)
    wild = np.stack([clipped(generator.normal(size=LENGTH)) for _ in NAMES])
    return [views(vectors, rows) for vectors in (still, wild)]


def test_lengths_and_order_do_not_depend_on_the_models(
    two: list[tuple[list[View], dict[str, Finding]]],
) -> None:
    def shape(view: View) -> list[dict[Role, int]]:
        return [{sender: len(data) for sender, data in inbox.items()} for inbox in view]

    (first, opened), (second, other) = two
    assert opened != other, "two reviews that open the same would show nothing"
    for role in Role:
        mine, theirs = shape(first[role]), shape(second[role])
        # The last openings show how far a reference exceeds the median, which is public by then.
        assert mine[:-1] == theirs[:-1]
        assert mine[-1].keys() == theirs[-1].keys()


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("which", [0, 1])
def test_what_a_node_receives_is_uniform(
    two: list[tuple[list[View], dict[str, Finding]]], role: Role, which: int
) -> None:
    """By each byte of a word: field elements, whose top three bits are free, or masked bits."""
    view = two[which][0][role]
    for sender in Role:
        data = b"".join(inbox.get(sender, b"") for inbox in view)
        words = np.frombuffer(data[: len(data) // 8 * 8], dtype="<u8")
        if words.size < 4096:
            continue
        for byte in range(7):  # the eighth has the three bits that no element fills
            counts = np.bincount((words >> np.uint64(8 * byte)) & np.uint64(255), minlength=256)
            mean = words.size / 256
            chi_square = float(((counts - mean) ** 2 / mean).sum())
            # 255 degrees of freedom: mean 255, deviation 22.6; seven deviations are one in 10^10.
            assert chi_square < 255 + 7 * 22.6, (sender, byte)
