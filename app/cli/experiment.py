"""`run.py experiment`: list the experiments, or run one and show and keep what comes out."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.cli.console import progress
from app.errors import RequestError
from app.setup.commandline import QUICK_SEEDS, SEEDS
from config import Settings
from fl.experiments.catalogue import EXPERIMENTS, Options, get_experiment
from fl.experiments.report import Grid, Report

FOLDER = "experiments"
# Wider than any table: cut lines would hide the numbers that matter.
_WIDTH = 200


def experiment(args: argparse.Namespace) -> int:
    """Run the experiment that was named; without a name, list all."""
    if args.name is None:
        return _list(args.json)
    chosen = get_experiment(args.name)
    folder = Path(args.out) if args.out else Settings().instance_dir / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(
            f"expected a folder to write to at {folder}: {error.strerror}"
        ) from error
    seeds = args.seeds or (QUICK_SEEDS if args.quick else SEEDS)
    lines = progress()
    report = chosen.run(Options(seeds, args.quick), lambda line: lines.print(line, markup=False))
    files = _keep(report, folder)
    if args.json:
        sys.stdout.write(json.dumps(report.document, allow_nan=False) + "\n")
    else:
        _show(report)
    for path in files:
        lines.print(f"Written: {path}", markup=False)
    return 0


def _list(as_json: bool) -> int:
    if as_json:
        known = [{"name": one.name, "title": one.title} for one in EXPERIMENTS.values()]
        sys.stdout.write(json.dumps(known) + "\n")
        return 0
    for one in EXPERIMENTS.values():
        sys.stdout.write(f"{one.name:<12} {one.title}\n")
    sys.stdout.write("\nRun one: python3 run.py experiment NAME [--quick]\n")
    return 0


def _keep(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write the JSON file and the figure."""
    document, figure = folder / f"{report.name}.json", folder / f"{report.name}.svg"
    text = json.dumps(report.document, indent=2, allow_nan=False)
    document.write_text(text + "\n", encoding="utf-8")
    report.draw(figure)
    return document, figure


def _show(report: Report) -> None:
    console = Console(highlight=False, width=max(_WIDTH, Console().width))
    console.print(report.title, markup=False)
    for grid in report.grids:
        console.print()
        console.print(grid.title, markup=False, style="bold")
        console.print(_table(grid))
        for note in grid.notes:
            console.print(note, markup=False, style="dim")


def _table(grid: Grid) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for index, name in enumerate(grid.columns):
        table.add_column(name, justify="left" if index == 0 else "right", no_wrap=True)
    for row in grid.rows:
        table.add_row(*row)
    return table
