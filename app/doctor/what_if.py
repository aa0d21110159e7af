"""The knobs of "what if": each number that the model uses, with the range that it is moved in.

A browser computes with them (`static/js/what-if.js`); nothing is sent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from app.doctor.forms import ValuesForm
from app.doctor.measures import Measure
from app.services.numbers import read_number
from fl.datasets import Statistics
from fl.datasets.typical import typical

# A slider takes about so many steps from end to end.
STEPS = 60
_NICE = (1.0, 2.0, 5.0, 10.0)
# Digits of the ends of a range: beyond, a float's own error would show.
_DIGITS = 9
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Knob:
    """A number in the unit in which it was typed; `factor` leads to the column's own (as
    `fl.datasets.units.Unit`). `typed` is "" where the value is not known: `start` is the
    federation's mean then, else the value. `published` tells that the range is that of published
    patients, not all that is possible.
    """

    column: str
    label: str
    unit: str
    factor: float
    low: float
    high: float
    step: float
    start: float
    typed: str
    published: bool


@dataclass(frozen=True)
class Knobs:
    """The knobs, and every value of the patient in the order of the columns, None where unknown."""

    every: tuple[Knob, ...]
    values: tuple[float | None, ...]


def knobs(form: ValuesForm, statistics: Statistics) -> Knobs:
    """What can be moved of a valid form's values, for a model that scales by `statistics`."""
    means = typical(form.task, statistics)
    used = frozenset(_used(form, statistics))
    return Knobs(
        tuple(
            _knob(one, means[one.column.name][0])
            for one in form.measures()
            if one.column.kind == "number" and one.column.name in used
        ),
        tuple(form.values().values()),
    )


def _used(form: ValuesForm, statistics: Statistics) -> Iterator[str]:
    """The columns in which hospitals' patients differ: of others the model sees nothing."""
    start = 0
    for column in form.task.columns:
        own = slice(start, start + column.inputs)
        start += column.inputs
        if statistics.count[own].any() and statistics.deviation[own].any():
            yield column.name


def _knob(measure: Measure, mean: float) -> Knob:
    column, unit, value = measure.column, measure.unit, measure.read()
    known = value is not None
    start = (mean if value is None else value) / unit.factor
    usual = measure.plausible or column
    low, high, step = _range(usual.low / unit.factor, usual.high / unit.factor)
    # A value that was confirmed may lie outside of what is published.
    low, high = min(low, _down(start, step)), max(high, _up(start, step))
    return Knob(
        column=column.name,
        label=column.label,
        unit=unit.name,
        factor=unit.factor,
        low=round(max(low, column.low / unit.factor), _DIGITS),
        high=round(min(high, column.high / unit.factor), _DIGITS),
        step=round(step, _DIGITS),
        start=round(start, _DIGITS),
        typed=f"{read_number(measure.field.data):g}" if known else "",
        published=measure.plausible is not None,
    )


def _range(low: float, high: float) -> tuple[float, float, float]:
    """A range and its step, 1, 2 or 5 times a power of ten: the one nearest to the wanted number of
    steps, or a finer one on which both ends lie; where none is, the range inwards to whole steps.
    """
    rough = (high - low) / STEPS
    power = 10.0 ** math.floor(math.log10(rough))
    nearest = min((nice * power for nice in _NICE), key=lambda one: abs(math.log(one / rough)))
    finer = (nice * ten for ten in (power, power / 10) for nice in reversed(_NICE))
    for step in finer:
        if step <= nearest and _is_whole(low / step) and _is_whole(high / step):
            return low, high, step
    return _up(low, nearest), _down(high, nearest), nearest


def _is_whole(number: float) -> bool:
    return abs(number - round(number)) < _TOLERANCE


def _up(value: float, step: float) -> float:
    return math.ceil(value / step - _TOLERANCE) * step


def _down(value: float, step: float) -> float:
    return math.floor(value / step + _TOLERANCE) * step
