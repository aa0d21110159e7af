"""A training from its opening on the ledger to its end: what comes next, and when to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contracts.ledger import Ledger
from contracts.records import (
    DONATION,
    AttemptKey,
    AttemptState,
    TrainingRecord,
    TrainingState,
)
from fl.aggregates import result_digest
from fl.channel import Channel
from fl.coordinator import Attempt
from fl.errors import PartyFailed, RoundFailed
from fl.plan import Plan
from fl.round import Event, PartyNamed, StepDone, Watcher
from fl.stopping import accuracies
from fl.store import RoundStore

# A round that failed before any node agreed to a set is tried once more, since a silent party may
# be back.
ATTEMPTS = 2
STOPPED = "stopped on request"


@dataclass(frozen=True)
class Ending:
    """How a training ended: finished, or with the reason why the last model stands.

    One that its stopping rule ended has finished, and the reason is what the rule said.
    """

    finished: bool
    reason: str = ""


def open_training(plan: Plan, training: bytes, ledger: Ledger) -> None:
    """Put the plan's hash, the initial model's hash and the parties on the ledger, once."""
    ledger.open_training(
        training,
        plan.task,
        plan.digest(),
        result_digest(plan.initial_model()),
        [hospital.account for hospital in plan.hospitals],
        [node.account for node in plan.nodes],
        plan.threshold,
    )


class FederatedTraining:
    """Runs the rounds of one training, or resumes it where it was interrupted."""

    def __init__(
        self,
        plan: Plan,
        training: bytes,
        ledger: Ledger,
        channel: Channel,
        store: RoundStore,
        watch: Watcher,
        stop_requested: Callable[[], bool] = lambda: False,
    ) -> None:
        self.plan = plan
        self.training = training
        self.ledger = ledger
        self.channel = channel
        self.store = store
        self._watch = watch
        self._stop_requested = stop_requested

    def run(self) -> Ending:
        """Run every round that is not finalised yet; end the training on the ledger.

        An interrupted attempt is finished first. The plan's stopping rule ends it after a round,
        the reason of a failed round at once, a request to stop between two steps.
        """
        try:
            while (key := self._next()) is not None:
                # An attempt under way stops at its next step, so that it ends with its reason.
                if self._stop_requested() and self.store.unfinished() is None:
                    return self._end(Ending(False, STOPPED))
                self._try(key)
        except RoundFailed as failure:
            return self._end(Ending(False, failure.reason))
        return self._end(Ending(True, self._enough()))

    def _next(self) -> AttemptKey | None:
        """The attempt to run or resume, or None when no round is to follow."""
        if (unfinished := self.store.unfinished()) is not None:
            return unfinished
        record = self.ledger.training(self.training)
        if record.next_round > self.plan.rounds or self._enough():
            return None
        if record.state == TrainingState.ENDED:
            raise RoundFailed(record.reason or "the training was ended on the ledger")
        number = self._next_round(record)
        tried = self.ledger.round(self.training, number).attempts
        if tried:
            self._check_retry(AttemptKey(self.training, number, tried))
        return AttemptKey(self.training, number, tried + 1)

    def _enough(self) -> str:
        """What the stopping rule says after the last finalised round; "" where it lets go on.

        Whoever resumes finds the same reports, and so the same.
        """
        done = self.ledger.training(self.training).next_round - 1
        if self.plan.stopping is None or not 0 < done < self.plan.rounds:
            return ""
        return self.plan.stopping.reason(accuracies(self.store.reports(), done))

    def _next_round(self, record: TrainingRecord) -> int:
        """The round that comes next: slices are donated between the statistics and the updates."""
        donates = record.next_round == 1 and record.slices is None and self.plan.reviews(DONATION)
        return DONATION if donates else record.next_round

    def _check_retry(self, last: AttemptKey) -> None:
        """Raise RoundFailed unless the ledger's record of the last attempt allows a further one.

        Whoever resumes decides the same, so a kill right after a failure buys no attempt.
        """
        record = self.ledger.attempt(last)
        agreed = record.locked or record.agreed_hash is not None
        if agreed or last.attempt >= ATTEMPTS:
            raise RoundFailed(record.reason)
        self._erase(last)

    def _try(self, key: AttemptKey) -> None:
        attempt = Attempt(self.plan, key, self.ledger, self.channel, self.store, self._between)
        try:
            attempt.run()
        except RoundFailed as failure:
            if not failure.retryable:
                raise

    def _between(self, event: Event) -> None:
        """Tell the watcher; at the end of a step, stop when that is wanted.

        An attempt that is finalised has its result, which every party gets before anything stops.
        """
        self._watch(event)
        if not isinstance(event, StepDone) or not self._stop_requested():
            return
        if self.ledger.attempt(event.key).state != AttemptState.FINALISED:
            raise RoundFailed(STOPPED)

    def _end(self, ending: Ending) -> Ending:
        record = self.ledger.training(self.training)
        if record.state == TrainingState.OPEN:
            # A reason there says that it did not finish; the rule's stands in the plan.
            self.ledger.end_training(self.training, "" if ending.finished else ending.reason)
        elif record.reason:
            ending = Ending(False, record.reason)
        for number in (record.next_round, DONATION):
            last = self.ledger.round(self.training, number)
            if last.attempts:
                self._erase(AttemptKey(self.training, number, last.attempts))
        return ending

    def _erase(self, key: AttemptKey) -> None:
        """Let the nodes forget shares that serve no more; one that cannot be reached keeps them."""
        if key.round != DONATION and self.ledger.attempt(key).state != AttemptState.FAILED:
            return
        for node in self.plan.nodes:
            try:
                self.channel.ask(node.name, "erase", key, b"")
            except PartyFailed as failure:
                self._watch(PartyNamed(key, "erase", node.name, failure.reason))
