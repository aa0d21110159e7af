"""The review on shares against the same rule in the clear, and vectors that must not get in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from contracts.records import Bits
from crypto.digest import model_bytes
from crypto.field import F61
from crypto.fixedpoint import SCALE, encode
from crypto.kernels import Words
from crypto.mpc.session import Program, Session
from fl.clipping import norm_limit
from fl.datasets import INPUT_BOUND, SplitRule, get_task
from fl.networks import NetworkSpec, flatten, initial_parameters, unflatten
from fl.outcome import Finding, SliceOutcome, UpdateOutcome, read_slices, read_updates
from fl.plan import Member, Plan, Review
from fl.review import (
    REACH,
    Donated,
    Slice,
    Updates,
    range_vectors,
    slice_program,
    update_program,
)
from fl.training import LocalSettings
from fl.verdict import NOBODY, Rule, judge
from tests.fl.committee import run, shared

NAMES = ("Cleveland", "Hungary", "Switzerland", "VA Long Beach")
COMMITTEE = ("Node 1", "Node 2", "Node 3")
CHALLENGE = bytes(range(32))
BOUND = round(1.5 * SCALE)
HELD = Bits.IN_RANGE | Bits.IN_NORM


def make_plan(**changes: object) -> Plan:
    task = get_task("heart")
    members = [Member(name, f"account {name}", "") for name in (*NAMES, *COMMITTEE, "Node 4")]
    plan = Plan(
        task=task.name,
        partition=task.partition,
        split=SplitRule(),
        network="mlp",
        rounds=2,
        local=LocalSettings(1, 64, 0.01, 1.5, True),
        seed=7,
        hospitals=tuple(members[:4]),
        nodes=tuple(members[4:]),
        review=Review(adaptive_clipping=False),
    )
    return replace(plan, **changes)  # type: ignore[arg-type]


PLAN = make_plan()
SPEC: NetworkSpec = PLAN.spec
INITIAL = flatten(SPEC, initial_parameters(SPEC, 7))
LENGTH = INITIAL.size


@dataclass
class Rows:
    """Donated rows in the clear: inputs (inputs, rows) as fixed point, labels (rows,)."""

    inputs: NDArray[np.int64]
    labels: NDArray[np.int64]

    @property
    def one_hot(self) -> NDArray[np.int64]:
        return (self.labels[None] == np.arange(2)[:, None]).astype(np.int64)

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(int(n) for n in self.one_hot.sum(axis=1))


def random_rows(generator: np.random.Generator, count: int) -> Rows:
    inputs = generator.normal(size=(SPEC.inputs, count)).clip(-INPUT_BOUND, INPUT_BOUND)
    return Rows(encode(inputs, INPUT_BOUND), generator.integers(0, 2, count))


def clipped(delta: NDArray[np.float64], bound: float = 1.5) -> NDArray[np.int64]:
    norm = float(np.linalg.norm(delta))
    return encode(delta * min(1.0, bound / norm) if norm else delta, 64.0)


def review(
    vectors: NDArray[np.int64] | Words,
    rows: Sequence[Rows],
    *,
    names: Sequence[str] = NAMES,
    model: NDArray[np.float64] = INITIAL,
    first_round: bool = False,
    clip_bits: Sequence[int] | None = None,
    bound: int = BOUND,
    points: tuple[int, int, int] = (1, 2, 3),
    rule: Rule | None = None,
) -> UpdateOutcome:
    """Share everything, run the three parties, read what they opened."""
    parts = shared(vectors, points)
    bits = shared(np.array(clip_bits), points) if clip_bits is not None else [None] * 3
    given_rows = [(shared(one.inputs, points), shared(one.one_hot, points)) for one in rows]
    data = model_bytes("mlp", unflatten(SPEC, model))

    def program(session: Session, party: int) -> Program[bytes]:
        updates = Updates(
            tuple(names), parts[party], bits[party], data, bound, CHALLENGE, first_round
        )
        slices = [
            Slice(donor, one.sizes, x[party], y[party])
            for donor, one, (x, y) in zip(NAMES, rows, given_rows, strict=False)
        ]
        return update_program(session, PLAN, rule or Rule(), updates, slices, 1, COMMITTEE)

    return read_updates(run(program, points)[0])


def predictions(parameters: NDArray[np.float64], rows: Rows) -> NDArray[np.float64]:
    """Logits by plain float64 arithmetic, (2, rows)."""
    values = rows.inputs / SCALE
    arrays = list(unflatten(SPEC, parameters).values())
    for index, (weight, bias) in enumerate(zip(arrays[::2], arrays[1::2], strict=True)):
        values = weight.astype(np.float64) @ values + bias[:, None]
        values = np.maximum(values, 0) if index < 2 else values
    return values


def counts(parameters: NDArray[np.float64], rows: Sequence[Rows]) -> NDArray[np.int64]:
    """Right answers (slices, classes); rows too close to call must not be there."""
    found = np.zeros((len(rows), 2), dtype=np.int64)
    for index, one in enumerate(rows):
        logits = predictions(parameters, one)
        right = (logits[1] > logits[0]).astype(np.int64) == one.labels
        np.add.at(found[index], one.labels[right], 1)
    return found


def clear_of_ties(rows: Rows, models: Sequence[NDArray[np.float64]]) -> Rows:
    """The rows on which no model's two logits are within 2^-9 of each other."""
    kept = np.ones(rows.labels.size, dtype=bool)
    for parameters in models:
        logits = predictions(parameters, rows)
        kept &= np.abs(logits[1] - logits[0]) >= 2**-9
    return Rows(np.ascontiguousarray(rows.inputs[:, kept]), rows.labels[kept])


def expected(
    vectors: NDArray[np.int64], rows: Sequence[Rows], model: NDArray[np.float64], first: bool
) -> UpdateOutcome:
    """The same judgement in the clear, by `fl.verdict`."""
    fixed = np.rint(model * SCALE)
    models = [(fixed + vector) / SCALE for vector in vectors]
    right = np.stack([counts(one, rows) for one in models])
    sizes = np.array([one.sizes for one in rows], dtype=np.int64)
    owners = list(range(len(rows))) if len(vectors) == len(rows) else [NOBODY] * len(vectors)
    judged = judge(right, counts(fixed / SCALE, rows), sizes, owners, Rule(), first)
    findings = {
        name: Finding(HELD, one.accepted if len(judged.classes) > 1 else None, one.balanced,
                      one.reference)
        for name, one in zip(NAMES, judged.verdicts, strict=False)
    }  # fmt: skip
    flagged = tuple(NAMES[index] for index in judged.flagged)
    classes = len(judged.classes) if len(judged.classes) > 1 else 0
    return UpdateOutcome(1, COMMITTEE, findings, flagged, classes, None)


def without_warnings(outcome: UpdateOutcome) -> UpdateOutcome:
    findings = {name: replace(one, bits=one.bits & HELD) for name, one in outcome.findings.items()}
    return replace(outcome, findings=findings)


@given(
    seed=st.integers(0, 2**32),
    first=st.booleans(),
    points=st.sampled_from([(1, 2, 3), (1, 2, 4), (2, 3, 4), (3, 1, 4)]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_review_on_shares_is_the_rule_in_the_clear(
    seed: int, first: bool, points: tuple[int, int, int]
) -> None:
    generator = np.random.Generator(np.random.PCG64(seed))
    vectors = np.stack([clipped(generator.normal(size=LENGTH)) for _ in NAMES])
    fixed = np.rint(INITIAL * SCALE)
    models = [fixed / SCALE, *((fixed + vector) / SCALE for vector in vectors)]
    rows = [
        clear_of_ties(random_rows(generator, int(generator.integers(20, 33))), models)
        for _ in NAMES
    ]
    found = review(vectors, rows, first_round=first, points=points)
    assert without_warnings(found) == expected(vectors, rows, INITIAL, first)


# Vectors that must not get in


@pytest.fixture(scope="module")
def honest() -> NDArray[np.int64]:
    generator = np.random.Generator(np.random.PCG64(3))
    return np.stack([clipped(generator.normal(size=LENGTH)) for _ in NAMES])


@pytest.fixture(scope="module")
def slices() -> list[Rows]:
    generator = np.random.Generator(np.random.PCG64(4))
    return [random_rows(generator, 32) for _ in NAMES]


def with_first(honest: NDArray[np.int64], words: Sequence[int]) -> Words:
    """The honest updates as words, the first hospital's replaced: `words`, then zeros."""
    rows = np.stack([F61.from_signed(row) for row in honest])
    rows[0] = 0
    rows[0, : len(words)] = np.array([word % F61.modulus for word in words], dtype=np.uint64)
    return rows


P = F61.modulus
R = norm_limit(BOUND, LENGTH)


def square_root(value: int) -> int:
    """A square root mod p, which is 3 mod 4; the value must have one."""
    root = pow(value % P, (P + 1) // 4, P)
    assert root * root % P == value % P
    return root


def wrapping_pair() -> tuple[int, int]:
    """Two large entries whose squares sum to 1 mod p."""
    for x in range(1 << 50, (1 << 50) + 100):
        if pow((1 - x * x) % P, (P - 1) // 2, P) == 1:
            return x, square_root(1 - x * x)
    raise AssertionError("half of all numbers have a root")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([(P + 1) // 2] * 4, id="four of (p+1)/2, squares sum to 1"),
        pytest.param(wrapping_pair(), id="two whose squares sum to 1"),
        pytest.param([P // 2], id="p/2"),
        pytest.param([P // 2 + 1] * 2, id="two of p/2 + 1"),
        pytest.param([25 * R], id="an entry beyond 24 R"),
        pytest.param([2**40] * 10, id="ten of 2^40"),
        pytest.param([-(2**45)], id="-2^45"),
    ],
)
def test_a_vector_that_could_wrap_is_refused_before_anything_else(
    honest: NDArray[np.int64], slices: list[Rows], words: Sequence[int]
) -> None:
    found = review(with_first(honest, words), slices)
    assert found.findings[NAMES[0]] == Finding(Bits(0))
    others = review(honest[1:], slices, names=NAMES[1:])
    assert {n: found.findings[n] for n in NAMES[1:]} == dict(others.findings)


@pytest.mark.parametrize(
    ("words", "in_norm"),
    [
        ([R], True),
        ([-R], True),
        ([R + 1], False),
        ([-R - 1], False),
        ([R // 2] * 4, True),
        ([R // 2 + 1] * 4, False),
        ([2 * R], False),
    ],
)
def test_the_norm_is_exact(
    honest: NDArray[np.int64], slices: list[Rows], words: Sequence[int], in_norm: bool
) -> None:
    finding = review(with_first(honest, words), slices).findings[NAMES[0]]
    assert finding.in_range
    assert finding.in_norm is in_norm
    assert (finding.balanced_accuracy is not None) is in_norm


@given(seed=st.integers(0, 2**32), spread=st.sampled_from([1, 7, 100, LENGTH]))
@settings(max_examples=8, deadline=None)
def test_honest_clipped_updates_are_never_refused(seed: int, spread: int) -> None:
    generator = np.random.Generator(np.random.PCG64(seed))
    deltas = np.zeros((4, LENGTH))
    deltas[:, :spread] = generator.normal(size=(4, spread)) * 1000
    found = review(np.stack([clipped(delta) for delta in deltas]), [])
    assert [one.bits & HELD for one in found.findings.values()] == [HELD] * 4


def test_clip_bits_are_counted_and_must_be_bits(
    honest: NDArray[np.int64], slices: list[Rows]
) -> None:
    assert review(honest, slices, clip_bits=[1, 0, 1, 1]).unclipped == 3
    found = review(honest, slices, clip_bits=[2, 0, -1, 1])
    assert [one.in_range for one in found.findings.values()] == [False, True, False, True]
    assert found.unclipped == 1


def test_nothing_is_opened_of_refused_updates(slices: list[Rows]) -> None:
    words = np.full((4, LENGTH), P // 3, dtype=np.uint64)
    assert review(words, slices) == UpdateOutcome(
        1, COMMITTEE, dict.fromkeys(NAMES, Finding(Bits(0))), (), 0, None
    )
    large = np.zeros((4, LENGTH), dtype=np.int64)
    large[:, 0] = R + 1
    findings = dict.fromkeys(NAMES, Finding(Bits.IN_RANGE))
    assert review(large, slices) == UpdateOutcome(1, COMMITTEE, findings, (), 0, None)


def test_range_vectors_have_a_zero_half() -> None:
    vectors = range_vectors(CHALLENGE, 10_000)
    assert vectors.shape == (128, 10_000)
    assert set(np.unique(vectors)) == {-1, 0, 1}
    shares = [(vectors == value).mean() for value in (-1, 0, 1)]
    assert np.allclose(shares, [0.25, 0.5, 0.25], atol=0.005)
    assert not np.array_equal(vectors, range_vectors(bytes(32), 10_000))
    assert REACH == 12


# Warnings


def test_an_update_that_changes_nothing_is_a_free_riders(
    honest: NDArray[np.int64], slices: list[Rows]
) -> None:
    vectors = honest.copy()
    vectors[2] = 0
    found = review(vectors, slices).findings
    warned = [Bits.AGREES_EVERYWHERE in found[name].bits for name in NAMES]
    assert warned == [False, False, True, False]


def test_a_model_is_not_tested_on_its_own_hospitals_slice(honest: NDArray[np.int64]) -> None:
    """One that says there what the global model does not, and elsewhere the same, agrees."""
    fixed = np.rint(INITIAL * SCALE)
    own = (fixed + honest[2]) / SCALE
    many = clear_of_ties(random_rows(np.random.Generator(np.random.PCG64(9)), 3_000), [own])
    many = clear_of_ties(many, [fixed / SCALE])
    said, known = (predictions(each, many).argmax(axis=0) for each in (own, fixed / SCALE))

    def chosen(which: NDArray[np.bool_]) -> Rows:
        found = np.flatnonzero(which)[:20]
        return Rows(np.ascontiguousarray(many.inputs[:, found]), many.labels[found])

    same, other = chosen(said == known), chosen(said != known)
    assert min(same.labels.size, other.labels.size) > 0

    def agrees(slices: list[Rows]) -> bool:
        return Bits.AGREES_EVERYWHERE in review(honest, slices).findings[NAMES[2]].bits

    assert agrees([same, same, other, same])
    assert not agrees([same, other, same, same])


def test_who_is_tested_on_nothing_agrees_with_nobody(
    honest: NDArray[np.int64], slices: list[Rows]
) -> None:
    """The only slice is its own hospital's."""
    vectors = honest.copy()
    vectors[:2] = 0
    found = review(vectors, slices[:1]).findings
    warned = [Bits.AGREES_EVERYWHERE in found[name].bits for name in NAMES[:2]]
    assert warned == [False, True]


def test_directions_that_agree_or_oppose_are_warned_of() -> None:
    generator = np.random.Generator(np.random.PCG64(8))
    same = generator.normal(size=LENGTH)
    vectors = np.stack([clipped(d) for d in (same, same * 2, same * 3, -same)])
    found = review(vectors, []).findings
    high = [Bits.COSINE_HIGH in found[name].bits for name in NAMES]
    low = [Bits.COSINE_LOW in found[name].bits for name in NAMES]
    assert (high, low) == ([True, True, True, False], [False, False, False, True])
    unlike = np.stack([clipped(generator.normal(size=LENGTH)) for _ in NAMES])
    assert [one.bits for one in review(unlike, []).findings.values()] == [HELD] * 4


# Slices


def slice_outcome(rows: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> SliceOutcome:
    """Review donated vectors given as inputs and one-hot labels, by NAMES in order."""
    vectors = [np.concatenate([x.ravel(), y.ravel()]) for x, y in rows]
    parts = [shared(vector) for vector in vectors]
    names = NAMES[: len(rows)]

    def program(session: Session, party: int) -> Program[bytes]:
        donated = Donated(
            rows={n: y.shape[1] for n, (_, y) in zip(names, rows, strict=True)},
            shares={n: part[party] for n, part in zip(names, parts, strict=True)},
            inputs=SPEC.inputs,
            classes=2,
            challenge=CHALLENGE,
        )
        return slice_program(session, donated, 1, COMMITTEE)

    return read_slices(run(program)[0])


def test_sizes_of_valid_slices_are_opened(slices: list[Rows]) -> None:
    found = slice_outcome([(one.inputs, one.one_hot) for one in slices])
    assert found.sizes == {name: one.sizes for name, one in zip(NAMES, slices, strict=True)}


EDGE = round(INPUT_BOUND * SCALE)


@pytest.mark.parametrize(
    ("value", "valid"),
    [(EDGE, True), (-EDGE, True), (EDGE + 1, False), (-EDGE - 1, False), (2**50, False)],
)
def test_features_out_of_range_are_refused(slices: list[Rows], value: int, valid: bool) -> None:
    bad = slices[0].inputs.copy()
    bad[3, 5] = value
    rows = [(bad, slices[0].one_hot), *((one.inputs, one.one_hot) for one in slices[1:])]
    assert set(slice_outcome(rows).sizes) == set(NAMES if valid else NAMES[1:])


@pytest.mark.parametrize(
    "column",
    [(1000, 0), (1000, -999), (1, 1), (0, 0), (2, -1), (-1, 2), (1 << 30, 1 - (1 << 30))],
)
def test_labels_that_are_not_one_hot_are_refused(
    slices: list[Rows], column: tuple[int, int]
) -> None:
    labels = slices[1].one_hot.copy()
    labels[:, 7] = column
    rows = [(one.inputs, one.one_hot) for one in slices]
    rows[1] = (slices[1].inputs, labels)
    assert set(slice_outcome(rows).sizes) == set(NAMES) - {NAMES[1]}


def test_bad_labels_that_cancel_in_their_sum_are_refused(slices: list[Rows]) -> None:
    labels = slices[0].one_hot.copy()
    labels[:, 0], labels[:, 1] = (2, -1), (-1, 2)
    assert slice_outcome([(slices[0].inputs, labels)]).sizes == {}


def test_too_few_rows_leave_range_and_norm_to_decide(honest: NDArray[np.int64]) -> None:
    generator = np.random.Generator(np.random.PCG64(5))
    rows = [random_rows(generator, 4) for _ in NAMES]
    found = review(honest, rows)
    assert found.classes == 0
    assert {one.accepted for one in found.findings.values()} == {None}
    assert review(honest, []).classes == 0


def labelled_by(parameters: NDArray[np.float64], rows: Rows) -> Rows:
    """The rows with the labels that a model gives them."""
    logits = predictions(parameters, rows)
    return Rows(rows.inputs, (logits[1] > logits[0]).astype(np.int64))


def test_a_slice_with_flipped_labels_is_set_aside_and_moves_no_verdict() -> None:
    generator = np.random.Generator(np.random.PCG64(6))
    model = generator.normal(size=LENGTH) * 0.4
    fixed = np.rint(unflatten_round(model) * SCALE) / SCALE
    vectors = np.stack([clipped(generator.normal(size=LENGTH), 0.3) for _ in NAMES])
    vectors[3] = clipped(-fixed)  # as poisoned as the bound lets it be
    moved = [fixed + vector / SCALE for vector in vectors]
    clear = [clear_of_ties(random_rows(generator, 48), [fixed, *moved]) for _ in NAMES]
    honest = [labelled_by(fixed, one) for one in clear]
    tainted = [Rows(honest[0].inputs, 1 - honest[0].labels), *honest[1:]]
    before = review(vectors, honest, model=fixed)
    after = review(vectors, tainted, model=fixed)
    assert (before.flagged, after.flagged) == ((), (NAMES[0],))
    accepted = [[one.accepted for one in seen.findings.values()] for seen in (before, after)]
    assert accepted[0] == accepted[1]
    assert accepted[0][:3] == [True] * 3


def unflatten_round(model: NDArray[np.float64]) -> NDArray[np.float64]:
    """The model as single precision holds it."""
    return flatten(SPEC, unflatten(SPEC, model))


@pytest.mark.parametrize("first_round", [True, False])
def test_a_single_update_that_holds_is_judged_against_the_global_model(
    honest: NDArray[np.int64], slices: list[Rows], first_round: bool
) -> None:
    vectors = honest.copy()
    vectors[1:] = 0
    vectors[1:, 0] = R + 1
    found = review(vectors, slices, first_round=first_round).findings
    assert found[NAMES[0]].accepted is not None
    assert [found[name] for name in NAMES[1:]] == [Finding(Bits.IN_RANGE)] * 3
