"""What a review said of a hospital's update, as pages, commands and the JSON document tell it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.models import SubmissionRow
from app.stores.rounds import ACCEPTED, REFUSED, REJECTED
from contracts.records import Bits
from fl.agreement import threshold
from fl.errors import FlError
from fl.plan import Plan
from fl.verdict import Rule


@dataclass(frozen=True)
class Warning:
    """A bit that is shown and rejects nobody: in a few words, and what it can mean."""

    words: str
    meaning: str


WARNINGS = {
    Bits.AGREES_EVERYWHERE: Warning(
        "says what the global model says",
        "On every row that it was tested on it predicts as the global model did before the "
        "round: it may have learnt nothing (a free rider), or the training has converged.",
    ),
    Bits.COSINE_HIGH: Warning(
        "unusually close to the others",
        "It points almost exactly where the sum of the others points: so do updates that hide in "
        "the others' spread (ALIE, min-max), and hospitals that are much alike.",
    ),
    Bits.COSINE_LOW: Warning(
        "against the others",
        "It points away from the sum of the others: so does inner product manipulation, and a "
        "hospital whose patients differ much.",
    ),
}


@dataclass(frozen=True)
class Measure:
    """What a training's reviews are read by: its rule, its numbers of classes and of nodes."""

    rule: Rule
    classes: int
    nodes: int

    @classmethod
    def find(cls, plan: str) -> Measure | None:
        """The measure of a stored plan; None without a review, or where the plan is unreadable.

        An unreadable plan is for the verification to report; pages show the rest meanwhile.
        """
        try:
            known = Plan.from_json(plan)
        except FlError:
            return None
        if known.review is None:
            return None
        return cls(known.review.rule, len(known.data.classes), len(known.nodes))

    def share(self, steps: int | None) -> float | None:
        """A figure in the rule's steps (twentieths) as a share of 1."""
        return None if steps is None else steps / self.rule.steps

    def threshold(self, reference: int | None) -> float | None:
        """What must be reached, from a reference in steps; it is as coarse as the reference."""
        known = self.share(reference)
        return None if known is None else threshold(self.rule, known, self.classes)


def warnings_of(bits: int | None) -> list[Warning]:
    """The warnings among a submission's bits."""
    return [warning for bit, warning in WARNINGS.items() if bits and bits & bit]


def findings(submission: SubmissionRow, measure: Measure | None) -> dict[str, Any]:
    """What was opened of an update.

    Keys: verdict, reason; balanced_accuracy, reference and threshold, shares of 1 as opened or None
    where they stayed closed; warnings (`Warning`s).
    """
    return {
        "verdict": submission.verdict,
        "reason": submission.reason,
        "balanced_accuracy": measure.share(submission.balanced_accuracy) if measure else None,
        "reference": measure.share(submission.reference) if measure else None,
        "threshold": measure.threshold(submission.reference) if measure else None,
        "warnings": warnings_of(submission.bits),
    }


def tally(verdicts: Iterable[str]) -> dict[str, int]:
    """How many updates were accepted, rejected and refused."""
    said = list(verdicts)
    return {name: said.count(name) for name in (ACCEPTED, REJECTED, REFUSED)}
