"""A finalised attempt at a round, as its training's pages and the JSON document need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.models import AttemptRow, StepRow, SubmissionRow, TrainingRow
from app.services.round_names import is_update, round_title
from app.services.verdicts import Measure, findings, tally
from contracts.records import DONATION
from crypto.fixedpoint import SCALE
from fl.errors import FlError
from fl.plan import Plan
from fl.training import accuracy

View = dict[str, Any]


def round_view(attempt: AttemptRow, measure: Measure | None, plan: Plan | None) -> View:
    """What came out of an attempt and what it cost. Keys:

    round, title, attempt, accuracy, result_sha256
        Its number on the ledger, what people call it; `accuracy` is None where there is no model.
    bytes, seconds and bytes_by_step (by step, in order), transactions, transaction_ms (mean),
    encryption_ms (of the step share)
        What it cost.
    hospitals
        Each with name, samples, weight, update_sha256, transaction, what was found (see
        `verdicts.findings`), and in the donation rows (of each class) or None.
    not_drawn
        The hospitals that had no part in it by the plan's draw.
    counts, kept_out
        How many updates were accepted, rejected, refused; the share of the last two, or None where
        nothing is tested.
    reviewed, kept, reason, norm_bound, committee, flagged, signers, judged
        Whether there was a review; whether the round ended with the model that it began with, and
        why; the norm that updates were held to; the three nodes; donors whose slices were set
        aside; nodes that signed the agreed set, each with its transaction; whether enough rows were
        there to judge by.
    faults
        Who was named (party, step, reason).
    """
    matrices = [np.array(evaluation.confusion) for evaluation in attempt.evaluations]
    return {
        "round": attempt.round,
        "title": round_title(attempt.round),
        "attempt": attempt.number,
        "accuracy": accuracy(np.sum(matrices, axis=0)) if matrices else None,
        "result_sha256": attempt.result_sha256,
        "faults": named_faults(attempt),
        "hospitals": _hospitals(attempt, measure),
        "not_drawn": not_drawn(plan, attempt.round),
        **_cost(attempt.steps),
        **_review(attempt),
    }


def failed_attempt(attempt: AttemptRow) -> View:
    """An attempt that ended without a result: round, title, attempt, reason, who was named."""
    return {
        "round": attempt.round,
        "title": round_title(attempt.round),
        "attempt": attempt.number,
        "reason": attempt.reason,
        "faults": named_faults(attempt),
    }


def named_faults(attempt: AttemptRow) -> list[dict[str, str]]:
    """Who was named in an attempt, at which step, and why."""
    return [
        {"party": fault.party, "step": fault.step, "reason": fault.reason}
        for fault in attempt.faults
    ]


def find_plan(row: TrainingRow) -> Plan | None:
    """A training's plan; None where it is unreadable, which is for the verification to report."""
    try:
        return Plan.from_json(row.plan)
    except FlError:
        return None


def not_drawn(plan: Plan | None, number: int) -> list[str]:
    """The hospitals that had no part in a round, since they were not drawn for it."""
    if plan is None:
        return []
    drawn = plan.drawn(number)
    return [hospital.name for hospital in plan.hospitals if hospital not in drawn]


def poisoning(rounds: Sequence[View]) -> dict[str, Any] | None:
    """Counts over all reviewed rounds and the share kept out; None where none was reviewed."""
    reviewed = [one for one in rounds if one["reviewed"]]
    if not reviewed:
        return None
    counts = {name: sum(one["counts"][name] for one in reviewed) for name in reviewed[0]["counts"]}
    return {"rounds": len(reviewed), "counts": counts, "kept_out": _kept_out(counts)}


def tally_by_hospital(rounds: Sequence[View]) -> dict[str, dict[str, int]]:
    """How many updates of each hospital were accepted, rejected and refused."""
    verdicts: dict[str, list[str]] = {}
    for one in rounds:
        for hospital in one["hospitals"]:
            verdicts.setdefault(hospital["name"], []).append(hospital["verdict"])
    return {name: tally(said) for name, said in verdicts.items()}


def _cost(steps: Sequence[StepRow]) -> View:
    sent = sum(step.transactions or 0 for step in steps)
    waited = sum(step.transaction_seconds or 0.0 for step in steps)
    shared = (1000 * step.seconds for step in steps if step.name == "share")
    return {
        "bytes": sum(step.bytes for step in steps),
        "seconds": {step.name: step.seconds for step in steps},
        "bytes_by_step": {step.name: step.bytes for step in steps},
        "transactions": sent,
        "transaction_ms": 1000 * waited / sent if sent else None,
        "encryption_ms": next(shared, None),
    }


def _review(attempt: AttemptRow) -> View:
    review = attempt.review or {}
    counts = tally(submission.verdict for submission in attempt.submissions)
    tested = attempt.review is not None and is_update(attempt.round)
    signers = review.get("signers", {})
    return {
        "reviewed": attempt.review is not None,
        "judged": any(one.balanced_accuracy is not None for one in attempt.submissions),
        "kept": attempt.kept,
        "reason": attempt.reason,
        "norm_bound": None if attempt.norm_bound is None else attempt.norm_bound / SCALE,
        "committee": review.get("committee", []),
        "flagged": review.get("flagged", []),
        "signers": [{"node": node, "transaction": sent} for node, sent in signers.items()],
        "counts": counts,
        "kept_out": _kept_out(counts) if tested else None,
    }


def _kept_out(counts: Mapping[str, int]) -> float | None:
    submitted = sum(counts.values())
    return 1 - counts["accepted"] / submitted if submitted else None


def _hospitals(attempt: AttemptRow, measure: Measure | None) -> list[View]:
    slices = (attempt.review or {}).get("slices", {})
    return [
        _hospital(submission, measure)
        | ({"rows": slices.get(submission.hospital)} if attempt.round == DONATION else {})
        for submission in attempt.submissions
    ]


def _hospital(submission: SubmissionRow, measure: Measure | None) -> View:
    return {
        "name": submission.hospital,
        "samples": submission.samples,
        "weight": submission.weight,
        "update_sha256": submission.update_sha256,
        "transaction": submission.transaction,
    } | findings(submission, measure)
