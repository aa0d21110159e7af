"""What encrypted verification costs against peers: `python -m bench.verification [--quick]`.

One task for all: rows that nobody may see are classified by models that nobody may see, in fixed
point with 16 fractional bits. Two networks: `mlp`, 10-64-32-2 on 256 rows; `cnn`, on 256 images of
28 x 28: convolution 3 x 3 to 8 channels, average pooling, ReLU, convolution 3 x 3 to 16, average
pooling, ReLU, linear to 10 classes. Each with one model and with eight (`mlp8`, `cnn8`).

Engines: `consilium`, the engine in crypto/mpc; `torch`, the same networks in the clear on one
thread; SPU, CrypTen and MPyC, each in an environment of its own that is made here
(bench/requirements-PEER.txt, bench/.peers/PEER). How each is set up stands in its file under
bench/peers/; where a choice was open, it is the one that is quickest for the peer. A peer that
cannot be installed or run is named with the reason, and the others go on.

Measured is the inference alone, after a first one that warms up and is compared with float64:
neither start, nor compiling, nor sharing of models and rows. The engines take turns, so that a busy
machine is busy for all; figures are medians over the turns:

  CPU s     user and system time of all parties' threads and processes together, of one inference
  wall s    from its start to its end, with as many cores as the machine has for the parties
  rounds    messages one after another; for SPU, how often its busiest party sends (some of these
            travel together); MPyC does not count
  MB        what all parties send together
  x ours    the engine's CPU seconds over those of `consilium`
  x torch   the engine's CPU seconds over those of plain torch
  right     predictions equal to float64's, rows with logits closer than 2^-9 left out

Linux only. Takes about ten minutes, and a few more when it makes the environments; `--quick`, one
turn with one model, about one. Without `--quick`, bench/results/verification.json is written:
`ratios` (`x ours` by "task/peer"), `plain_ratio` (`consilium` over plain torch by task), all
figures, versions, date and machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from app.setup.console import Console
from app.setup.errors import InstallFailed
from bench.peers.environments import python_of
from bench.peers.process import EngineFailed, EngineProcess

OURS, PLAIN = "consilium", "torch"
PEERS = ("spu", "crypten", "mpyc")
ROWS = 256
SECONDS = 0.5  # of a turn, at least one inference
RESULTS = Path(__file__).parent / "results" / "verification.json"
TITLES = {"mlp": f"MLP 10-64-32-2, {ROWS} rows", "cnn": f"CNN 28x28, {ROWS} images"}

Figures = dict[str, dict[str, Any]]


def start_engines(absent: dict[str, str]) -> dict[str, EngineProcess]:
    """A process for each engine that runs here; why not, for the others, goes to `absent`."""
    engines: dict[str, EngineProcess] = {}
    console = Console()
    for name in (OURS, PLAIN, *PEERS):
        try:
            python = python_of(name, console) if name in PEERS else Path(sys.executable)
            engines[name] = EngineProcess(name, python)
        except (InstallFailed, EngineFailed) as error:
            absent[name] = f"{type(error).__name__}: {error}"
    return engines


def measure(
    engines: dict[str, EngineProcess], task: str, models: int, turns: int, absent: dict[str, str]
) -> Figures:
    """Medians by engine; one that fails leaves `engines` for good."""
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in engines}
    for _ in range(turns):
        for name, engine in list(engines.items()):
            try:
                answer = engine.ask(task=task, models=models, rows=ROWS, seconds=SECONDS)
                answers[name].append(answer)
            except EngineFailed as error:
                absent[name] = f"{task}, {models} models: {error}"
                engines.pop(name).close()
    return {name: _figures(found) for name, found in answers.items() if len(found) == turns}


def _figures(answers: list[dict[str, Any]]) -> dict[str, Any]:
    first = answers[0]
    return {
        "cpu_seconds": median(a["cpu"] for a in answers),
        "wall_seconds": median(a["wall"] for a in answers),
        "rounds": first["rounds"],
        "bytes": first["bytes"],
        "right": first["right"],
        "rows_computed": round(ROWS * first["share"]),
        "cpu_seconds_by_turn": [a["cpu"] for a in answers],
        "inferences_by_turn": [a["inferences"] for a in answers],
    }


def show(task: str, models: int, figures: Figures) -> None:
    """A table a task."""
    print(f"\n{TITLES[task]}, {models} model{'s' if models > 1 else ''}")
    heads = ("CPU s", "wall s", "rounds", "MB", "x ours", "x torch", "right")
    print(f"{'':<12}" + "".join(f"{head:>11}" for head in heads))
    for name, row in figures.items():
        cells = (
            f"{row['cpu_seconds']:.5f}",
            f"{row['wall_seconds']:.5f}",
            "-" if row["rounds"] is None else str(row["rounds"]),
            f"{row['bytes'] / 1e6:.1f}",
            *(_times(figures, name, other) for other in (OURS, PLAIN)),
            f"{100 * row['right']:.1f} %",
        )
        scaled = row["rows_computed"]
        note = "" if scaled == ROWS else f"   scaled from {scaled} of {ROWS} rows"
        print(f"{name:<12}" + "".join(f"{cell:>11}" for cell in cells) + note)


def ratio(figures: Figures, name: str, other: str) -> float:
    """CPU seconds of one engine over another's; KeyError when one was not measured."""
    return float(figures[name]["cpu_seconds"] / figures[other]["cpu_seconds"])


def _times(figures: Figures, name: str, other: str) -> str:
    if other not in figures:
        return "-"
    times = ratio(figures, name, other)
    return f"{times:.1f}" if times >= 1 else f"{times:.2g}"


def document(
    tasks: dict[str, Figures], versions: dict[str, dict[str, str]], absent: dict[str, str]
) -> dict[str, Any]:
    """What is written: see the module's docstring."""
    measured = {task: figures for task, figures in tasks.items() if OURS in figures}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions,
        "ratios": {
            f"{task}/{peer}": round(ratio(figures, peer, OURS), 1)
            for task, figures in measured.items()
            for peer in PEERS
            if peer in figures
        },
        "plain_ratio": {
            task: round(ratio(figures, OURS, PLAIN), 1)
            for task, figures in measured.items()
            if PLAIN in figures
        },
        "not_measured": absent,
        "figures": tasks,
    }


def machine() -> dict[str, Any]:
    """Where it ran, and how busy it was besides."""
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "processor": found[1] if found else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def main() -> None:
    """Print the tables, write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one turn, one model, no file")
    parser.add_argument("--turns", type=int, default=5, help="for each task")
    arguments = parser.parse_args()
    turns, counts = (1, (1,)) if arguments.quick else (arguments.turns, (1, 8))
    absent: dict[str, str] = {}
    before = machine()
    engines = start_engines(absent)
    versions = {name: engine.versions for name, engine in engines.items()}
    for name, setting in versions.items():
        print(f"{name:<12}" + ", ".join(f"{key} {value}" for key, value in setting.items()))
    tasks: dict[str, Figures] = {}
    try:
        for task in TITLES:
            for models in counts:
                figures = measure(engines, task, models, turns, absent)
                tasks[task if models == 1 else f"{task}{models}"] = figures
                show(task, models, figures)
    finally:
        for engine in engines.values():
            engine.close()
    for name, reason in absent.items():
        print(f"\n{name} was not measured: {reason}")
    if not arguments.quick:
        RESULTS.parent.mkdir(exist_ok=True)
        whole = document(tasks, versions, absent) | {"machine": before, "turns": turns}
        RESULTS.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
