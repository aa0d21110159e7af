"""Encrypted peer review: which computation three nodes run on which shares, and what they open.

Each of the three runs the same program on its own shares (`crypto.mpc`). Nothing is computed on a
vector before it is shown to be in range. Counts of right answers stay shared, because counts are an
oracle on single patients; what is opened is in `fl.outcome`, and nothing else.

In range (PINE, arXiv 2311.10237): of 128 vectors with entries -1, 0, 0, 1 each product with the
update must lie in [-12 R, 12 R]. With an entry beyond 24 R, or squares that sum beyond p, all do so
with probability at most 2^-74; an honest one leaves 6 R with probability under 10^-13. Only the
conjunction is opened; then the sum of squares is exact and is compared with R^2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from contracts.records import Bits
from crypto.digest import load_model
from crypto.field import F61
from crypto.fixedpoint import SCALE, encode
from crypto.kernels import Words
from crypto.mpc.compare import at_most
from crypto.mpc.inner import dots, sign_dots
from crypto.mpc.layers import predictions
from crypto.mpc.local import constant, negated, plus, sum_last, times, total
from crypto.mpc.multiply import open_shares, reduce_degree, zero_sharing
from crypto.mpc.session import Program, Session
from crypto.prg import Stream
from fl.clipping import norm_limit
from fl.datasets import INPUT_BOUND
from fl.outcome import Finding, SliceOutcome, UpdateOutcome
from fl.plan import LARGEST_NORM_BOUND, Plan
from fl.reviewable import bits_of, layers_of, parameters_of
from fl.secret_verdict import Counts, below_chance, open_bits, open_signs, verdicts
from fl.similarity import warnings
from fl.verdict import NOBODY, Rule, ruler

RANGE_LABEL = "consilium/range-vectors/v1"
LABELS_LABEL = "consilium/label-check/v1"
VECTORS = 128
# In units of R: what an honest product stays within, doubled.
REACH = 12
_ENTRIES = np.array([-1, 0, 0, 1], dtype=np.int8)


@dataclass(frozen=True, eq=False)
class Donated:
    """One node's shares of the donated vectors: inputs, then one-hot labels, rows innermost."""

    rows: Mapping[str, int]
    shares: Mapping[str, Words]
    inputs: int
    classes: int
    challenge: bytes


@dataclass(frozen=True, eq=False)
class Slice:
    """One node's shares of a valid slice: inputs (inputs, rows), labels (classes, rows)."""

    donor: str
    sizes: tuple[int, ...]
    inputs: Words
    labels: Words

    @classmethod
    def of(
        cls, donor: str, sizes: tuple[int, ...], share: Words, inputs: int, classes: int
    ) -> Slice:
        """The slice in a donated vector of shape ((inputs + classes) * rows,)."""
        table = share.reshape(inputs + classes, -1)
        return cls(donor, sizes, table[:inputs], table[inputs:])


@dataclass(frozen=True, eq=False)
class Updates:
    """One node's shares of the updates, (hospitals, L), and the public values of the round.

    `first_round` tells that no model was aggregated yet, so that the models judge the slices.
    `clip_bits` is (hospitals,), or None where none are shared; `norm_bound` is in units of 2^-16.
    """

    names: tuple[str, ...]
    shares: Words
    clip_bits: Words | None
    model: bytes
    norm_bound: int
    challenge: bytes
    first_round: bool


def slice_program(
    session: Session, donated: Donated, number: int, committee: tuple[str, ...]
) -> Program[bytes]:
    """Check that donated rows are in range and their labels one-hot; open the classes' sizes."""
    names = list(donated.rows)
    slices = {n: Slice.of(n, (), donated.shares[n], donated.inputs, donated.classes) for n in names}
    checks = np.array([_label_check(slices[n], donated.challenge) for n in names], dtype=np.uint64)
    hidden = F61.add(checks, zero_sharing(session, checks.shape))
    labelled = (yield from open_shares(session, hidden, degree=2)) == 0
    bound = round(INPUT_BOUND * SCALE)
    entries = np.concatenate([slices[n].inputs.ravel() for n in names])
    within = yield from at_most(session, plus(entries, bound), 2 * bound)
    ends = np.cumsum([slices[n].inputs.size for n in names])
    parts = np.split(within, ends[:-1])
    missing = [plus(total(part), -part.size) for part in parts]
    ranged = yield from open_signs(session, np.concatenate(missing))
    valid = [n for n, a, b in zip(names, labelled, ranged, strict=True) if a and b]
    if not valid:
        return SliceOutcome(number, committee, {}).to_bytes()
    counts = np.stack([sum_last(slices[n].labels) for n in valid])
    opened = yield from open_shares(session, counts)
    sizes = {n: tuple(int(c) for c in row) for n, row in zip(valid, opened, strict=True)}
    return SliceOutcome(number, committee, sizes).to_bytes()


def update_program(
    session: Session,
    plan: Plan,
    rule: Rule,
    updates: Updates,
    slices: Sequence[Slice],
    number: int,
    committee: tuple[str, ...],
) -> Program[bytes]:
    """Test the updates on the donated slices; open only what the outcome holds."""
    length = updates.shares.shape[1]
    radius = norm_limit(updates.norm_bound, length)
    in_range = yield from _range_bits(session, updates, radius)
    bits = {
        name: Bits.IN_RANGE if ok else Bits(0)
        for name, ok in zip(updates.names, in_range, strict=True)
    }
    ranged = _take(updates, [i for i, ok in enumerate(in_range) if ok])
    if not ranged.names:
        return _outcome(number, committee, bits).to_bytes()
    products = dots(ranged.shares, ranged.shares)  # (models, models), degree 2
    norms = np.ascontiguousarray(np.diagonal(products))
    in_norm = yield from open_bits(session, (yield from at_most(session, norms, radius**2)))
    held = [i for i, ok in enumerate(in_norm) if ok]
    passed = _take(ranged, held)
    for name in passed.names:
        bits[name] |= Bits.IN_NORM
    if not passed.names:
        return _outcome(number, committee, bits).to_bytes()
    unclipped = None
    if passed.clip_bits is not None:
        unclipped = int((yield from open_shares(session, total(passed.clip_bits)))[0])
    gram = np.ascontiguousarray(products[np.ix_(held, held)])
    warned = yield from warnings(session, gram, radius)
    outcome = _outcome(number, committee, bits, unclipped=unclipped)
    if slices:
        outcome = yield from _judge(session, plan, rule, passed, slices, outcome)
    return _with_warnings(outcome, passed.names, warned).to_bytes()


def _judge(
    session: Session,
    plan: Plan,
    rule: Rule,
    updates: Updates,
    slices: Sequence[Slice],
    outcome: UpdateOutcome,
) -> Program[UpdateOutcome]:
    """Count right answers on shares, set slices aside, compare: see `fl.verdict`."""
    donors = [one.donor for one in slices]
    owners = [donors.index(n) if n in donors else NOBODY for n in updates.names]
    counts = yield from _count(session, plan, updates, slices, owners)
    sizes = np.array([one.sizes for one in slices], dtype=np.int64)
    below = yield from below_chance(session, counts, sizes, owners, updates.first_round)
    signs = yield from open_signs(session, np.concatenate([below, negated(counts.differing)]))
    flagged = tuple(index for index, flag in enumerate(signs[: len(slices)]) if flag)
    agrees = signs[len(slices) :]
    known = ruler(sizes, flagged, owners, rule)
    findings = dict(outcome.findings)
    for name, same in zip(updates.names, agrees, strict=True):
        if same:
            findings[name] = Finding(findings[name].bits | Bits.AGREES_EVERYWHERE)
    classes = len(known.classes) if known.decides else 0
    if known.decides:
        found = yield from verdicts(session, counts, known, rule)
        for name, (accepted, balanced, reference) in zip(updates.names, found, strict=True):
            findings[name] = Finding(findings[name].bits, accepted, balanced, reference)
    return UpdateOutcome(
        outcome.session,
        outcome.committee,
        findings,
        tuple(donors[s] for s in flagged),
        classes,
        outcome.unclipped,
    )


def _count(
    session: Session,
    plan: Plan,
    updates: Updates,
    slices: Sequence[Slice],
    owners: Sequence[int],
) -> Program[Counts]:
    """Each update is tested on all slices but its own hospital's, the global model on all."""
    _, model = load_model(updates.model)
    spec = plan.spec
    flat = np.concatenate([array.ravel().astype(np.float64) for array in model.values()])
    known = F61.from_signed(encode(flat, _largest(flat)))
    moved = [F61.add(known, share) for share in updates.shares]
    stacked = np.stack([*moved, known])  # the global model's sharing is constant
    inputs = np.ascontiguousarray(np.concatenate([one.inputs for one in slices], axis=1))
    labels = np.ascontiguousarray(np.concatenate([one.labels for one in slices], axis=1))
    bits = bits_of(spec, model, norm_limit(updates.norm_bound, flat.size) / SCALE)
    sizes = [one.labels.shape[1] for one in slices]
    donor_of_row = np.repeat(np.arange(len(slices)), sizes)
    tested = np.array([*owners, NOBODY])[:, None] != donor_of_row  # (models, rows)
    found = yield from predictions(
        session, layers_of(spec), parameters_of(spec, stacked), inputs, bits, tested
    )  # (models, classes, rows)
    hits = times(found, np.broadcast_to(labels, found.shape))
    starts = np.cumsum([0, *sizes])
    right = np.stack(
        [sum_last(hits[:, :, a:b]) for a, b in pairwise(starts)], axis=1
    )  # (models, slices, classes)
    same = times(found[:-1], np.broadcast_to(found[-1], found[:-1].shape))
    agreeing = sum_last(same.reshape(len(same), -1))
    reduced = yield from reduce_degree(session, np.concatenate([right.ravel(), agreeing]))
    return Counts(
        reduced[: right.size].reshape(right.shape),
        # Who is tested on nothing agrees with nobody.
        F61.subtract(constant(np.maximum(tested[:-1].sum(axis=1), 1)), reduced[right.size :]),
    )


def _range_bits(session: Session, updates: Updates, radius: int) -> Program[list[bool]]:
    """Whether each update is in range and its clip bit, if there is one, a bit: opened."""
    vectors = range_vectors(updates.challenge, updates.shares.shape[1])
    products = sign_dots(vectors, updates.shares)
    within = yield from at_most(session, plus(products, REACH * radius), 2 * REACH * radius)
    missing = plus(sum_last(np.ascontiguousarray(within.T)), -VECTORS)
    found = yield from open_signs(session, missing)
    if updates.clip_bits is not None:
        bits = updates.clip_bits
        squares = times(bits, plus(bits, -1))
        hidden = F61.add(squares, zero_sharing(session, squares.shape))
        opened = yield from open_shares(session, hidden, degree=2)
        found = [ok and int(value) == 0 for ok, value in zip(found, opened, strict=True)]
    return found


def range_vectors(challenge: bytes, length: int) -> NDArray[np.int8]:
    """The public vectors of a challenge of 32 bytes, (128, length), entries -1, 0, 0, 1.

    Never only -1 and 1: four entries (p + 1) / 2 pass every such vector.
    """
    stream = Stream(challenge, RANGE_LABEL)
    packed = np.frombuffer(stream.bytes(VECTORS * length // 4 + 1), dtype=np.uint8)
    pairs = np.stack([(packed >> shift) & 3 for shift in (0, 2, 4, 6)], axis=1).ravel()
    return _ENTRIES[pairs[: VECTORS * length]].reshape(VECTORS, length)


def _label_check(one: Slice, challenge: bytes) -> int:
    """A degree-2 share of what vanishes when all labels are one-hot, by random coefficients."""
    stream = Stream(challenge, LABELS_LABEL, one.donor.encode())
    bits = times(one.labels, plus(one.labels, -1)).ravel()
    sums = plus(sum_last(one.labels.T), -1)
    values = np.concatenate([bits, sums])
    return int(total(times(values, stream.elements(values.size)))[0])


def _outcome(
    number: int,
    committee: tuple[str, ...],
    bits: Mapping[str, Bits],
    unclipped: int | None = None,
) -> UpdateOutcome:
    findings = {name: Finding(one) for name, one in bits.items()}
    return UpdateOutcome(number, committee, findings, (), 0, unclipped)


def _with_warnings(
    outcome: UpdateOutcome, names: Sequence[str], warned: Sequence[Bits]
) -> UpdateOutcome:
    findings = dict(outcome.findings)
    for name, more in zip(names, warned, strict=True):
        one = findings[name]
        findings[name] = Finding(
            one.bits | more, one.accepted, one.balanced_accuracy, one.reference
        )
    return UpdateOutcome(
        outcome.session,
        outcome.committee,
        findings,
        outcome.flagged,
        outcome.classes,
        outcome.unclipped,
    )


def _take(updates: Updates, kept: list[int]) -> Updates:
    bits = None if updates.clip_bits is None else updates.clip_bits[kept]
    return Updates(
        tuple(updates.names[i] for i in kept),
        np.ascontiguousarray(updates.shares[kept]),
        bits,
        updates.model,
        updates.norm_bound,
        updates.challenge,
        updates.first_round,
    )


def _largest(values: NDArray[np.float64]) -> float:
    return max(LARGEST_NORM_BOUND, float(np.abs(values).max()))
