"""What a training will cost, told before it starts: seconds, bytes, transactions.

Transactions follow from the protocol. Seconds and bytes are those of a training that was measured
on this machine, the yardstick, step by step, each scaled by the work of that step: rows for local
training, shares for sealing and checking, donated rows for the review.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import AttemptRow, StepRow, TrainingRow
from app.services.request_parts import chosen_of, partition_of, sampled_of
from app.services.requests import TrainingRequest
from app.services.round_names import is_update
from app.services.simulation import attackers_asked, majority_warning
from app.services.training_outcome import FINISHED
from app.stores.rounds import FINALISED
from contracts.records import Policy
from fl.datasets import Partition, SplitRule, get_task, split, task_of
from fl.errors import FlError
from fl.networks import NetworkSpec, parameter_count
from fl.plan import Plan
from fl.round import STEPS

# To open the training and to end it.
_AROUND: Final = 2


@dataclass(frozen=True)
class Shape:
    """What the cost of a round depends on.

    `members` is how many hospitals there are, `hospitals` how many take part in a round, `passes`
    how many rows of theirs local training goes through in it (rows times epochs, on average over
    the rounds), `donated` how many rows all hospitals donate, `entries` the length of an update.
    """

    rounds: int
    members: int
    hospitals: int
    nodes: int
    entries: int
    passes: float
    donated: int
    reviewed: bool

    @property
    def transactions(self) -> int:
        """Of all rounds, the statistics, the donation (which nobody votes on), and around them."""
        # Opened and joined, submitted and closed, revealed and challenged, signed and published.
        steps = (self.nodes + 2) + 1 + (self.nodes + 1) + (self.nodes + 1)
        statistics = steps + self.members + self.nodes
        donation = steps + self.members if self.reviewed else 0
        a_round = steps + self.hospitals + self.nodes
        return statistics + donation + self.rounds * a_round + _AROUND


@dataclass(frozen=True)
class Cost:
    """What a training will cost at most; `yardstick` is the measured training, or None.

    Without a yardstick `seconds` and `bytes` are None. `warning` says what too many attackers mean.
    """

    transactions: int
    rounds: int
    seconds: float | None = None
    bytes: float | None = None
    yardstick: str | None = None
    warning: str = ""


@dataclass(frozen=True)
class _Yardstick:
    training: str
    shape: Shape
    seconds: Mapping[str, float]
    bytes: Mapping[str, float]


Work = Callable[[Shape], float]


def _shares(shape: Shape) -> float:
    return shape.hospitals * shape.nodes * shape.entries


def _models(shape: Shape) -> float:
    return shape.hospitals * shape.entries


def _sums(shape: Shape) -> float:
    return shape.nodes * shape.entries


def _tested(shape: Shape) -> float:
    """Each update on every hospital's donated rows."""
    return shape.hospitals * shape.donated if shape.reviewed else 0


# What the seconds of a step grow with. Steps that only wait for the chain grow with its blocks.
_TAKEN: Final[Mapping[str, Work]] = {
    "open": lambda s: s.nodes + 2,
    "train": lambda s: s.passes,
    "share": _shares,
    "submit": lambda s: s.hospitals + 1,
    "check": _shares,
    "review": _tested,
    "agree": lambda s: s.nodes + 1,
    "aggregate": _sums,
    "vote": lambda s: s.nodes,
    "distribute": _models,
}
# And its bytes.
_SENT: Final[Mapping[str, Work]] = {
    **_TAKEN,
    "open": lambda s: s.nodes,
    "train": _models,
    "submit": lambda s: s.hospitals,
    "vote": _sums,
}


def estimate(database: Database, request: TrainingRequest, nodes: int) -> Cost:
    """The cost of what is asked for. Raises RequestError for what cannot be asked.

    A stopping rule may end it before that.
    """
    shape = _shape_of_request(request, nodes)
    warning = majority_warning(attackers_asked(request), shape.members)
    known = _find_yardstick(database, request.task)
    if known is None:
        return Cost(shape.transactions, shape.rounds, warning=warning)
    seconds, sent = _scaled(known, shape)
    whole = sum(seconds.values())
    # Statistics and donated rows go through the steps of a round, too, with little to compute.
    before = (2 if shape.reviewed else 1) * (whole - seconds["train"] - seconds["review"])
    # At the end the same is trained once more in the clear, and twice again where some attack.
    clear = (3 if request.attack_words else 1) * shape.rounds * seconds["train"]
    return Cost(
        transactions=shape.transactions,
        rounds=shape.rounds,
        seconds=shape.rounds * whole + before + clear,
        bytes=shape.rounds * sum(sent.values()),
        yardstick=known.training,
        warning=warning,
    )


def _scaled(known: _Yardstick, shape: Shape) -> tuple[dict[str, float], dict[str, float]]:
    def times(work: Work) -> float:
        before = work(known.shape)
        return work(shape) / before if before else 0.0

    seconds = {step: known.seconds.get(step, 0.0) * times(_TAKEN[step]) for step in STEPS}
    sent = {step: known.bytes.get(step, 0.0) * times(_SENT[step]) for step in STEPS}
    return seconds, sent


def _find_yardstick(database: Database, task: str) -> _Yardstick | None:
    """The last training that was reviewed and finished, of this task if there is one."""
    query = select(TrainingRow).filter_by(state=FINISHED).order_by(TrainingRow.ended_at.desc())
    with database.transaction() as session:
        rows = session.scalars(query.limit(50)).all()
        for row in sorted(rows, key=lambda one: one.task != task):
            try:
                plan = Plan.from_json(row.plan)
                shape = _shape_of_plan(plan)
            except (FlError, OSError):
                continue  # Its rows are gone, or its plan is unreadable: another one will do.
            if plan.review is not None and (measured := _measured(session, row.id)):
                return _Yardstick(row.id, shape, *measured)
    return None


def _measured(
    session: Session, training: str
) -> tuple[Mapping[str, float], Mapping[str, float]] | None:
    """Mean seconds and bytes of each step over the model's rounds; None without any."""
    query = (
        select(StepRow, AttemptRow.id, AttemptRow.round)
        .join(AttemptRow, AttemptRow.id == StepRow.attempt_id)
        .where(AttemptRow.training_id == training, AttemptRow.state == FINALISED)
    )
    found = [(step, one) for step, one, number in session.execute(query) if is_update(number)]
    attempts = len({one for _, one in found})
    if not attempts:
        return None
    seconds, sent = dict.fromkeys(STEPS, 0.0), dict.fromkeys(STEPS, 0.0)
    for step, _ in found:
        seconds[step.name] = seconds.get(step.name, 0.0) + step.seconds / attempts
        sent[step.name] = sent.get(step.name, 0.0) + step.bytes / attempts
    return seconds, sent


def _shape_of_request(request: TrainingRequest, nodes: int) -> Shape:
    task = get_task(request.task)
    defaults = task.defaults
    rule = SplitRule.of_classes(len(task.classes), request.donated_rows)
    try:
        partition = partition_of(task.partition, request)
        rows = _rows(task.name, partition, rule)
    except FlError as error:
        raise RequestError(str(error)) from error
    names = chosen_of(tuple(rows), request.hospitals)
    return _shape(
        {name: rows[name] for name in names},
        rounds=request.rounds or defaults.rounds,
        drawn=sampled_of(request.share, len(names), Plan.colluding, Policy()) or len(names),
        nodes=nodes,
        spec=NetworkSpec(defaults.network, task.inputs, len(task.classes)),
        epochs=request.local_epochs or defaults.local_epochs,
        reviewed=request.review,
    )


def _shape_of_plan(plan: Plan) -> Shape:
    rows = _rows(plan.task, plan.partition, plan.split)
    return _shape(
        {member.name: rows[member.name] for member in plan.hospitals},
        rounds=plan.rounds,
        drawn=plan.sampled or len(plan.hospitals),
        nodes=len(plan.nodes),
        spec=plan.spec,
        epochs=plan.local.epochs,
        reviewed=plan.review is not None,
    )


def _shape(
    rows: Mapping[str, tuple[int, int]],
    *,
    rounds: int,
    drawn: int,
    nodes: int,
    spec: NetworkSpec,
    epochs: int,
    reviewed: bool,
) -> Shape:
    trained = sum(train for train, _ in rows.values())
    return Shape(
        rounds=rounds,
        members=len(rows),
        hospitals=drawn,
        nodes=nodes,
        entries=parameter_count(spec),
        passes=epochs * trained * drawn / len(rows),
        donated=sum(donated for _, donated in rows.values()),
        reviewed=reviewed,
    )


@lru_cache(maxsize=64)
def _rows(task: str, partition: Partition, rule: SplitRule) -> Mapping[str, tuple[int, int]]:
    """How many rows each hospital trains on and donates; rows follow from the arguments."""
    tables = task_of(task, partition).load(partition)
    parts = {name: split(table, rule) for name, table in tables.items()}
    return {name: (len(part.train), len(part.donated)) for name, part in parts.items()}
