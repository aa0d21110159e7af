"""Which experiments there are. Each is loaded when it runs: listing them needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from fl.errors import UnknownExperimentError

if TYPE_CHECKING:
    from fl.experiments.report import Report


@dataclass(frozen=True)
class Options:
    """How an experiment runs: over so many paired seeds; `quick` leaves parts out."""

    seeds: int = 5
    quick: bool = False


@dataclass(frozen=True)
class Experiment:
    """An experiment as it is listed, and the module whose `run` runs it."""

    name: str
    title: str
    module: str

    def run(self, options: Options, progress: Callable[[str], None]) -> Report:
        """Run it; `progress` is told what is under way."""
        report: Report = import_module(self.module).run(options, progress)
        return report


_ALL = (
    Experiment(
        "poisoning",
        "What attacks do to the encrypted review, to published defences and to plain FedAvg",
        "fl.experiments.poisoning_report",
    ),
)

EXPERIMENTS = {experiment.name: experiment for experiment in _ALL}


def get_experiment(name: str) -> Experiment:
    """Return the experiment called `name`. Raises UnknownExperimentError, which lists the names."""
    try:
        return EXPERIMENTS[name]
    except KeyError:
        raise UnknownExperimentError(name, EXPERIMENTS) from None
