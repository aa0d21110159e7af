"""Made-up patients: ordinary values, ends of ranges, and what is not known, all mixed."""

from __future__ import annotations

import numpy as np

from fl.datasets import Column, Task

SEED = 4711


def random_patients(task: Task, count: int) -> list[dict[str, float | None]]:
    """Patients with at least one known value; the first has every value, the second but one."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    patients: list[dict[str, float | None]] = []
    for number in range(count):
        missing = [0.0, 1.0, 0.3, 0.7][number] if number < 4 else generator.random()
        extreme = generator.random() < 0.3
        patient = {
            column.name: None
            if generator.random() < missing
            else _value(column, generator, extreme)
            for column in task.columns
        }
        if all(value is None for value in patient.values()):
            chosen = task.columns[int(generator.integers(len(task.columns)))]
            patient[chosen.name] = _value(chosen, generator, extreme)
        patients.append(patient)
    return patients


def _value(column: Column, generator: np.random.Generator, extreme: bool) -> float:
    if column.kind != "number":
        return float(generator.integers(len(column.categories)))
    if extreme:
        return float(generator.choice([column.low, column.high]))
    return float(generator.uniform(column.low, column.high))
