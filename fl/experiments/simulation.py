"""Trainings with attackers and defences, in plaintext, all cases of an experiment in step.

What takes the review's part here are the same integers: updates rounded to 2^-16, the norm bound,
the counts of right answers on donated rows, `fl.verdict`, capped weights, the adaptive bound.
A simulation knows who attacks and looks at everything; no party of a federation could.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crypto.fixedpoint import SCALE, decode_mean
from fl.attacks import HONEST, Behaviour, Scene
from fl.attacks.behaviour import Rows, Vector
from fl.batched import Job, batched_updates
from fl.clipping import clip, next_bound, within
from fl.defences import DEFENCES, Defence, Round
from fl.experiments.federations import Federation
from fl.experiments.plaintext_review import Review, judge_updates
from fl.networks import unflatten
from fl.training import local_seed
from fl.verdict import Judgement, Rule
from fl.weights import capped_weights

Model = NDArray[np.float32]
Integers = NDArray[np.int64]
ROOT = "server"


@dataclass(frozen=True)
class Unbounded:
    """Vanilla FedAvg: nobody is left out, no norm bound is enforced."""


@dataclass(frozen=True, eq=False)
class Case:
    """One training: a federation, the hospitals that attack it, and what stands against them.

    With `adaptive` the norm bound follows the updates that are within it, for every defence alike;
    `Unbounded` has none.
    """

    federation: Federation
    behaviours: Mapping[str, Behaviour]
    defence: Review | Unbounded | Defence
    adaptive: bool = True

    @property
    def attackers(self) -> tuple[str, ...]:
        """The hospitals that do not follow the protocol."""
        return tuple(n for n in self.federation.names if n in self.behaviours)

    def behaviour(self, name: str) -> Behaviour:
        """What the hospital does."""
        return self.behaviours.get(name, HONEST)


@dataclass(frozen=True, eq=False)
class RoundResult:
    """What a round did with the hospitals' updates.

    `sent` are those that were drawn, `accepted` those that passed (with too few of them the model
    stays), `norm_bound` is in units of 2^-16; `judgement` is the review's, on the hospitals whose
    updates were within it.
    """

    sent: frozenset[str]
    accepted: frozenset[str]
    norm_bound: int
    judgement: Judgement | None = None


@dataclass(eq=False)
class Outcome:
    """A training that was simulated: its rounds, and the flat float32 model at the end."""

    case: Case
    model: Model
    norm_bound: int
    rounds: list[RoundResult] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Sent:
    """What the hospitals drawn for a round of one case sent, in the order of their names.

    `reals` float64 (hospitals, parameters) are the updates as decoded, `integers` as shared.
    """

    integers: Integers
    reals: Vector
    samples: Mapping[str, int]
    unclipped: tuple[bool, ...]
    root: Vector

    @property
    def names(self) -> tuple[str, ...]:
        """The hospitals that sent something."""
        return tuple(self.samples)


def simulate(cases: Sequence[Case]) -> list[Outcome]:
    """Train all cases, round by round; they must agree in network, settings and rounds.

    A case has the same outcome in whatever company it is trained, to float32 rounding.
    """
    outcomes = [
        Outcome(case, case.federation.initial(), round(case.federation.local.norm_bound * SCALE))
        for case in cases
    ]
    slices = [_slices(case) for case in cases]
    for number in range(1, cases[0].federation.rounds + 1):
        trained = _train(outcomes, number)
        for outcome, deltas, donated in zip(outcomes, trained, slices, strict=True):
            sent = _send(outcome, deltas, number)
            _finish(outcome, sent, donated)
    return outcomes


def _train(outcomes: Sequence[Outcome], number: int) -> list[Vector]:
    """Each case's trained differences, unclipped, float64 (jobs, parameters): see `_jobs`."""
    jobs: list[Job] = []
    starts: list[Model] = []
    ends = []
    for outcome in outcomes:
        mine = _jobs(outcome, number)
        jobs += mine
        starts += [outcome.model] * len(mine)
        ends.append(len(jobs))
    federation = outcomes[0].case.federation
    settings = federation.local.in_round(number)
    deltas = batched_updates(federation.spec, np.stack(starts), jobs, settings)
    return np.split(deltas, ends[:-1])


def _jobs(outcome: Outcome, number: int) -> list[Job]:
    """A job for every hospital that was drawn; one for the server if the defence trains its own."""
    case = outcome.case
    jobs = []
    for name in case.federation.drawn(number):
        rows, behaviour = case.federation.train[name], case.behaviour(name)
        features, labels = behaviour.rows(*rows, _scene(outcome, name, number))
        jobs.append(Job(features, labels, local_seed(case.federation.seed, number, name)))
    if isinstance(case.defence, Defence) and case.defence.needs_root:
        donated = case.federation.donated.values()
        features = np.concatenate([x for x, _ in donated])
        labels = np.concatenate([y for _, y in donated])
        jobs.append(Job(features, labels, local_seed(case.federation.seed, number, ROOT)))
    return jobs


def _scene(outcome: Outcome, name: str, number: int, trained: Vector | None = None) -> Scene:
    case, bound = outcome.case, outcome.norm_bound / SCALE
    names = case.federation.drawn(number)

    def honest() -> dict[str, Vector]:
        if trained is None:
            return {}
        mine = zip(names, trained[: len(names)], strict=True)
        return {n: clip(delta, bound) for n, delta in mine if n not in case.behaviours}

    return Scene(
        case.federation.spec,
        name,
        tuple(n for n in names if n in case.behaviours),
        len(names),
        number,
        case.federation.seed,
        bound,
        unflatten(case.federation.spec, outcome.model.astype(np.float64)),
        honest,
    )


def _send(outcome: Outcome, trained: Vector, number: int) -> _Sent:
    case, bound = outcome.case, outcome.norm_bound / SCALE
    names = case.federation.drawn(number)
    bounded = not isinstance(case.defence, Unbounded)
    integers, samples, unclipped = [], {}, []
    for name, delta in zip(names, trained[: len(names)], strict=True):
        behaviour = case.behaviour(name)
        update = delta
        if name in case.behaviours:
            update = behaviour.update(delta, _scene(outcome, name, number, trained))
        unclipped.append(float(np.linalg.norm(update)) <= bound)
        if bounded and behaviour.clips:
            update = clip(update, bound)
        vector = np.rint(update * SCALE).astype(np.int64)
        # Without a bound nothing is shared, so there is no field to wrap round.
        integers.append(behaviour.vector(vector) if bounded else vector)
        samples[name] = behaviour.samples(len(case.federation.train[name][1]))
    vectors = np.stack(integers)
    root = trained[-1]
    return _Sent(vectors, vectors / SCALE, samples, tuple(unclipped), root)


def _finish(outcome: Outcome, sent: _Sent, slices: Mapping[str, Rows]) -> None:
    """Let the defence decide, and move the model and the bound."""
    case, everybody = outcome.case, frozenset(sent.names)
    if isinstance(case.defence, Unbounded):
        _move(outcome, _weighted(sent, sent.names, sent.samples))
        outcome.rounds.append(RoundResult(everybody, everybody, outcome.norm_bound))
        return
    standing = [i for i, row in enumerate(sent.integers) if within(row, outcome.norm_bound)]
    if len(standing) < case.federation.least_accepted:
        outcome.rounds.append(RoundResult(everybody, frozenset(), outcome.norm_bound))
        return
    if isinstance(case.defence, Defence):
        result = _by_baseline(outcome, sent, standing, case.defence)
    else:
        result = _by_review(outcome, sent, standing, slices, case.defence.rule)
    outcome.rounds.append(result)
    if case.adaptive:
        _move_bound(outcome, sent, standing)


def _move_bound(outcome: Outcome, sent: _Sent, standing: Sequence[int]) -> None:
    """Follow the updates within the bound; an oracle counts the honest ones alone."""
    case = outcome.case
    counted = list(standing)
    if case.defence is DEFENCES["oracle"]:
        counted = [i for i in standing if sent.names[i] not in case.behaviours]
    unclipped = sum(sent.unclipped[index] for index in counted)
    if counted:
        outcome.norm_bound = next_bound(outcome.norm_bound, unclipped, len(counted))


def _by_baseline(
    outcome: Outcome, sent: _Sent, standing: Sequence[int], defence: Defence
) -> RoundResult:
    """Baselines get what is within the bound: that check is not what they are compared by."""
    names = sent.names
    samples = {names[index]: sent.samples[names[index]] for index in standing}
    honest = np.array([names[index] not in outcome.case.behaviours for index in standing])
    given = Round(
        sent.reals[standing],
        tuple(capped_weights(samples).values()),
        int((~honest).sum()),
        sent.root,
        honest,
    )
    _move(outcome, defence.combine(given))
    return RoundResult(frozenset(names), frozenset(samples), outcome.norm_bound)


def _by_review(
    outcome: Outcome,
    sent: _Sent,
    standing: Sequence[int],
    slices: Mapping[str, Rows],
    rule: Rule,
) -> RoundResult:
    federation, names = outcome.case.federation, sent.names
    owners = [federation.names.index(names[index]) for index in standing]
    # As long as every round kept the initial model, the global model has learnt nothing.
    untrained = np.array_equal(outcome.model, federation.initial())
    updates = sent.reals[standing]
    judgement = judge_updates(
        federation.spec, outcome.model, updates, owners, list(slices.values()), rule, untrained
    )
    verdicts = zip(standing, judgement.verdicts, strict=True)
    accepted = tuple(names[index] for index, verdict in verdicts if verdict.accepted)
    if len(accepted) >= federation.least_accepted:
        samples = {name: sent.samples[name] for name in accepted}
        _move(outcome, _weighted(sent, accepted, capped_weights(samples)))
    return RoundResult(frozenset(names), frozenset(accepted), outcome.norm_bound, judgement)


def _slices(case: Case) -> dict[str, Rows]:
    """What each hospital donates, as its behaviour has it."""
    federation = case.federation
    outcome = Outcome(case, federation.initial(), round(federation.local.norm_bound * SCALE))
    return {
        name: case.behaviour(name).donated(*rows, _scene(outcome, name, 0))
        for name, rows in federation.donated.items()
    }


def _weighted(sent: _Sent, used: Sequence[str], weights: Mapping[str, int]) -> Vector:
    """The weighted mean in integers, as it is opened: float64 (parameters,)."""
    total = np.zeros(sent.integers.shape[1], dtype=np.int64)
    for name in used:
        total += weights[name] * sent.integers[sent.names.index(name)]
    return decode_mean(total, sum(weights[name] for name in used))


def _move(outcome: Outcome, delta: Vector) -> None:
    outcome.model = (outcome.model.astype(np.float64) + delta).astype(np.float32)
