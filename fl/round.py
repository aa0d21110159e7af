"""A round as a state machine: its steps, what a finished one leaves, and how an attempt resumes.

=========== ============================== ====================================================
step        needs                          leaves
=========== ============================== ====================================================
open        the last result on the ledger  the attempt and the nodes' seats on the ledger
train       the round's model              each hospital's vector, in its own folder
share       the seats                      sealed envelopes, stored by the coordinator
submit      the envelopes                  share roots and hashes on the ledger, closed
check       the closed submissions         nonces and challenge on the ledger, signed answers
review      the answers, the slices        the outcome, signed by a committee of three
agree       answers and outcome            a quorum's signatures; the set on the ledger
aggregate   the quorum                     the nodes' shares of the sum
vote        the shares                     the result, finalised on the ledger
distribute  the result                     every party holds it; shares and seats are erased
=========== ============================== ====================================================

A donation of slices ends when it is agreed on: nothing is summed. A round in which too few updates
are accepted ends there too, with the model that it began with.

A step may be done again: parties send the same bytes, the ledger takes a transaction once in
effect, the coordinator keeps the first message of each kind. So an attempt that was killed anywhere
goes on at the first step that is not noted as finished. Only a session of the review is begun anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contracts.records import AttemptKey
from fl.channel import Channel
from fl.store import RoundStore, StepCost

STEPS = (
    "open",
    "train",
    "share",
    "submit",
    "check",
    "review",
    "agree",
    "aggregate",
    "vote",
    "distribute",
)


@dataclass(frozen=True)
class PartyDone:
    """A party did its part of a step."""

    key: AttemptKey
    step: str
    party: str


@dataclass(frozen=True)
class PartyNamed:
    """A party did not do its part, or not as it must."""

    key: AttemptKey
    step: str
    party: str
    reason: str


@dataclass(frozen=True)
class StepDone:
    """A step is finished; `cost` is what it took since it was begun or resumed."""

    key: AttemptKey
    step: str
    cost: StepCost


@dataclass(frozen=True)
class AttemptFailed:
    """An attempt ended without a result."""

    key: AttemptKey
    reason: str


# What whoever watches a training is told, as it happens.
Event = PartyDone | PartyNamed | StepDone | AttemptFailed
Watcher = Callable[[Event], None]


def run_attempt(
    key: AttemptKey,
    actions: Mapping[str, Callable[[], None]],
    channel: Channel,
    store: RoundStore,
    watch: Watcher,
) -> None:
    """Do the unfinished steps of an attempt, in order, and note each with its cost."""
    for step in STEPS:
        if store.finished(key, step):
            continue
        messages, volume, start = channel.messages, channel.bytes, time.perf_counter()
        actions[step]()
        cost = StepCost(
            seconds=time.perf_counter() - start,
            messages=channel.messages - messages,
            bytes=channel.bytes - volume,
        )
        store.finish_step(key, step, cost)
        watch(StepDone(key, step, cost))
