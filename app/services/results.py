"""What came out of a training, as one document: the same for `--json` and for the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.database import Database
from app.errors import RequestError
from app.models import AttemptRow, TrainingRow
from app.services.appeals import appeals_in_a_word
from app.services.detection import detection
from app.services.live import whole_training
from app.services.metrics import hospital_figures, pooled_figures, reliability, round_figures
from app.services.round_names import STATISTICS, in_order, is_update
from app.services.round_view import View, failed_attempt, find_plan, poisoning, round_view
from app.services.simulation import Simulation
from app.services.verdicts import Measure
from app.stores.rounds import FINALISED, OPEN
from contracts.records import DONATION
from fl.datasets import get_task

DIGITS = 4


def training_document(database: Database, identifier: str) -> dict[str, Any]:
    """The document of a training. Raises RequestError when there is no such training.

    Accuracies are shares of right answers over the test rows of all hospitals that reported of a
    round (`test_rows`, fewer in a round that one did not report of), seconds are wall clock,
    bytes count every message between coordinator and parties. Round 0, the secure sum of the
    statistics, and the donation of slices stand apart as `statistics` and `donation`. What a review
    opened of an update is as it was opened: rounded down, and `threshold` is worked out from the
    rounded reference; `appeal` is how one against the verdict stands ("asked", "upheld",
    "dismissed", "not taken"), "" without one. Where hospitals attack on purpose, `attacker` tells
    which and `attack` in what way, `detection` how often the reviews were right, and
    `detection_by_attack` the same of each kind. `results` is what the hospitals reported of the
    last round's model (see `metrics`), None before there is one.
    """
    with database.transaction() as session:
        row = session.scalars(whole_training(identifier, counts=True)).one_or_none()
        if row is None:
            raise RequestError(f"expected a training of this installation, got {identifier}")
        attempts = sorted(row.attempts, key=lambda one: (in_order(one.round), one.number))
        measure = Measure.find(row.plan)
        plan = find_plan(row)
        appeals = appeals_in_a_word(session, identifier)
        finalised = [
            round_view(one, measure, plan)
            | round_figures(one.evaluations)
            | {"appeals": appeals.get(one.round, {})}
            for one in attempts
            if one.state == FINALISED
        ]
        failed = [failed_attempt(one) for one in attempts if one.state not in (FINALISED, OPEN)]
        known = Simulation.from_row(row.simulation)
        rounds = [one for one in finalised if is_update(one["round"])]
        return _facts(row) | {
            "simulation": known.to_row() if known else None,
            "fedavg_accuracy": _rounded(row.fedavg_accuracy),
            "oracle_accuracy": _rounded(row.oracle_accuracy),
            "poisoning": _poisoning(rounds),
            "detection": _fractions(detection(rounds, known.attackers)) if known else None,
            "detection_by_attack": _fractions(_by_attack(rounds, known)) if known else None,
            "results": _fractions(_results(attempts, row.task)),
            "statistics": _apart(finalised, STATISTICS, known),
            "donation": _apart(finalised, DONATION, known),
            "rounds": [_round(one, known) for one in rounds],
            "failed": failed,
        }


def _facts(row: TrainingRow) -> dict[str, Any]:
    return {
        "task": row.task,
        "seed": row.seed,
        "model": row.network,
        "state": row.state,
        "reason": row.reason,
        "training": row.id,
        "accuracy": _rounded(row.accuracy),
        "balanced_accuracy": _rounded(row.balanced_accuracy),
        "plain_accuracy": _rounded(row.plain_accuracy),
        "model_sha256": row.model_sha256,
    }


def _results(attempts: Sequence[AttemptRow], task: str) -> dict[str, Any] | None:
    """The figures of the last model that hospitals reported on: by hospital, and pooled."""
    models = [a for a in attempts if a.state == FINALISED and is_update(a.round) and a.evaluations]
    if not models:
        return None
    last = models[-1]
    return {
        "round": last.round,
        "model_sha256": last.result_sha256,
        "classes": list(get_task(task).classes),
        "hospitals": [hospital_figures(one) for one in last.evaluations],
        "pooled": pooled_figures(last.evaluations),
        "reliability": reliability(last.evaluations),
    }


def _by_attack(rounds: Sequence[View], known: Simulation) -> dict[str, Any] | None:
    """How many updates of the attackers of each kind were kept out."""
    found = {kind: detection(rounds, names) for kind, names in known.by_kind.items()}
    return {kind: one["true_rejections"] for kind, one in found.items() if one} or None


def _fractions(value: Any) -> Any:
    """The same with every fraction rounded, however deep it lies."""
    if isinstance(value, dict):
        return {key: _fractions(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_fractions(one) for one in value]
    return round(value, DIGITS) if isinstance(value, float) else value


def _poisoning(rounds: list[View]) -> dict[str, Any] | None:
    found = poisoning(rounds)
    return None if found is None else found | {"kept_out": _rounded(found["kept_out"])}


def _apart(finalised: list[View], number: int, known: Simulation | None) -> dict[str, Any] | None:
    """The finalised statistics or donation, or None."""
    found = next((one for one in finalised if one["round"] == number), None)
    return None if found is None else _round(found, known)


def _round(view: View, known: Simulation | None) -> dict[str, Any]:
    return {
        "round": view["round"],
        **_result(view),
        "bytes": view["bytes"],
        "seconds": {step: round(taken, DIGITS) for step, taken in view["seconds"].items()},
        "bytes_by_step": view["bytes_by_step"],
        "hospitals": [_hospital(one, view["appeals"], known) for one in view["hospitals"]],
        "not_drawn": view["not_drawn"],
        "committee": view["committee"],
        "signers": view["signers"],
        "faults": view["faults"],
    }


def _result(view: View) -> dict[str, Any]:
    """What a round leaves, by what it is for."""
    if view["round"] == STATISTICS:
        return {"statistics_sha256": view["result_sha256"]}
    if view["round"] == DONATION:
        return {"set_sha256": view["result_sha256"]}
    return {
        "accuracy": _rounded(view["accuracy"]),
        "train_accuracy": _rounded(view["train_accuracy"]),
        "balanced_accuracy": _rounded(view["balanced_accuracy"]),
        "auc": _rounded(view["auc"]),
        "loss": _rounded(view["loss"]),
        "test_rows": view["test_rows"],
        "model_sha256": view["result_sha256"],
        "kept": view["kept"],
        "reason": view["reason"],
        "norm_bound": _rounded(view["norm_bound"]),
        "flagged": view["flagged"],
        **view["counts"],
    }


def _hospital(one: View, appeals: Mapping[str, str], known: Simulation | None) -> dict[str, Any]:
    document = {
        "name": one["name"],
        "samples": one["samples"],
        "update_sha256": one["update_sha256"],
        "transaction": one["transaction"],
        "verdict": one["verdict"],
        "balanced_accuracy": _rounded(one["balanced_accuracy"]),
        "threshold": _rounded(one["threshold"]),
        "reason": one["reason"],
        "warnings": [warning.words for warning in one["warnings"]],
        "appeal": appeals.get(one["name"], ""),
    }
    if "rows" in one:
        document["rows"] = one["rows"]
    if known is None:
        return document
    attack = known.kind_of(one["name"])
    return document | {"attacker": attack is not None, "attack": attack}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
