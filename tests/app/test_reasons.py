"""Why a model answers as it does: the effects add up, and belong to what was entered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.services.reasons import Explanation, explain
from fl.datasets import Column, Statistics, encode, get_task
from fl.datasets.statistics import local_sums
from fl.networks import NetworkSpec, build, initial_parameters

TASK = get_task("heart")
TABLES = TASK.load().values()
STATISTICS = Statistics.from_sums(
    TASK,
    np.sum([local_sums(TASK, table.features) for table in TABLES], axis=0),
)


def risks_of(seed: int) -> NDArray[np.float64]:
    """The last layer's probability of disease, by a network of random parameters."""
    spec = NetworkSpec("mlp", TASK.inputs, 2)
    # Three times as large as a network begins with, so that answers differ.
    parameters = {name: 3 * array for name, array in initial_parameters(spec, seed).items()}
    module = build(spec, parameters).eval()

    def risks(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        with torch.inference_mode():
            logits = module(torch.from_numpy(encode(TASK, rows, STATISTICS))).double()
            return torch.softmax(logits, 1)[:, -1].numpy()

    return risks


values = st.tuples(
    *(
        st.none()
        | (
            st.floats(column.low, column.high)
            if column.kind == "number"
            else st.sampled_from(range(len(column.categories)))
        )
        for column in TASK.columns
    )
)


def explained(entered: tuple[float | None, ...], seed: int = 3) -> Explanation:
    row = np.array([[np.nan if one is None else one for one in entered]], dtype=np.float64)
    return explain(TASK, STATISTICS, risks_of(seed), row)


@settings(max_examples=25, deadline=None)
@given(values, st.integers(0, 50))
def test_effects_add_up_to_the_risk_less_the_average_patient_s(
    entered: tuple[float | None, ...], seed: int
) -> None:
    found = explained(entered, seed)
    risks = risks_of(seed)
    row = np.array([[np.nan if one is None else one for one in entered]], dtype=np.float64)
    assert found.risk == pytest.approx(risks(row)[0], abs=1e-6)
    assert found.baseline == pytest.approx(risks(np.full_like(row, np.nan))[0], abs=1e-6)
    effects = sum(reason.effect for reason in found.reasons)
    assert effects == pytest.approx(found.risk - found.baseline, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(values)
def test_what_is_known_is_a_reason_and_what_is_not_is_none(
    entered: tuple[float | None, ...],
) -> None:
    found = explained(entered)
    known = {c.name: v for c, v in zip(TASK.columns, entered, strict=True) if v is not None}
    assert {reason.column.name: reason.value for reason in found.reasons} == known
    assert [c.name for c in found.unknown] == [c.name for c in TASK.columns if c.name not in known]
    sizes = [abs(reason.effect) for reason in found.reasons]
    assert sizes == sorted(sizes, reverse=True)


def test_one_known_value_is_the_whole_reason() -> None:
    found = explained((70.0, *(None for _ in TASK.columns[1:])))
    (reason,) = found.reasons
    assert reason.effect == pytest.approx(found.risk - found.baseline, abs=1e-9)


def test_an_input_that_the_network_does_not_see_has_no_effect() -> None:
    """Resting blood pressure is set to nothing before the network sees it."""
    at = [column.name for column in TASK.columns].index("trestbps")
    risks = risks_of(3)

    def blind(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return risks(np.where(np.arange(rows.shape[1]) == at, np.nan, rows))

    row = np.array([[63.0, 1, 3, 145, 233, 1, 2, 150, 0, 2.3]])
    effects = {r.column.name: r.effect for r in explain(TASK, STATISTICS, blind, row).reasons}
    assert effects.pop("trestbps") == pytest.approx(0, abs=1e-12)
    assert all(abs(effect) > 1e-6 for effect in effects.values())


def many_columns() -> tuple[Column, ...]:
    return tuple(Column(f"c{i}", f"Column {i}", "number", "", -10, 10) for i in range(16))


def test_many_values_are_sampled_and_still_add_up() -> None:
    """A plain sum through a sigmoid, over more values than can be tried in every combination."""
    task = replace(TASK, columns=many_columns())
    rows = np.random.default_rng(0).normal(size=(50, 16))
    statistics = Statistics.from_sums(task, local_sums(task, rows))

    def risks(given: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1 / (1 + np.exp(-np.nansum(given * np.linspace(-1, 1, 16), axis=1)))

    found = explain(task, statistics, risks, rows[:1])
    assert not found.exact
    effects = sum(reason.effect for reason in found.reasons)
    assert effects == pytest.approx(found.risk - found.baseline, abs=1e-9)
    assert all(reason.error < 0.02 for reason in found.reasons)
