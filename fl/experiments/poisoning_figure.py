"""The figure of the poisoning experiment: a panel a federation, a line an attack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fl.experiments.intervals import interval
from fl.experiments.poisoning import COMPARED, FEDAVG, NONE, ORACLE, REVIEW, TITLES, Results

# Told apart by shape, not by colour alone. Colours: Okabe, Ito, "Color Universal Design", 2008.
_MARKS = {REVIEW: ("o", "#0072B2"), FEDAVG: ("s", "#D55E00"), ORACLE: ("D", "#000000")}
_OTHERS = ("^", "v", "<", ">", "P", "X")
_GREY = "#8a8a8a"
# So that equal values do not hide each other.
_SHIFTS = {REVIEW: -0.18, FEDAVG: 0.18}
_LINE_HEIGHT, _MARGIN, _WIDTH = 0.34, 1.5, 8.5


def draw(results: Sequence[Results], path: Path) -> None:
    """Write the figure to `path`; its suffix (.svg, .png, .pdf) is its kind."""
    lines = [1 + len(one.scenario.attacks) for one in results]
    figure = Figure(
        figsize=(_WIDTH, sum(lines) * _LINE_HEIGHT + _MARGIN * len(results)), layout="constrained"
    )
    panels = figure.subplots(len(results), 1, squeeze=False, height_ratios=lines)[:, 0]
    for panel, one in zip(panels, results, strict=True):
        _panel(panel, one)
    # The same results give the same bytes.
    with rc_context({"svg.hashsalt": "consilium", "svg.fonttype": "none"}):
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, metadata=metadata, dpi=150)


def _panel(panel: Axes, results: Results) -> None:
    scenario = results.scenario
    attacks = (NONE, *scenario.attacks)
    others = [defence for defence in scenario.defences if defence not in COMPARED]
    # What matters most is drawn last, on top.
    for defence in (*others, *[d for d in reversed(COMPARED) if d in scenario.defences]):
        mark, colour = _MARKS.get(defence) or (_OTHERS[others.index(defence) % len(_OTHERS)], _GREY)
        known = [interval(results.by_seed(attack, defence, scenario.value)) for attack in attacks]
        panel.errorbar(
            [100 * one.mean for one in known],
            [position + _SHIFTS.get(defence, 0.0) for position in range(len(attacks))],
            xerr=[100 * (one.half_width or 0.0) for one in known] if defence in COMPARED else None,
            fmt=mark,
            color=colour,
            markersize=6 if defence in COMPARED else 4,
            markerfacecolor="none" if defence == ORACLE else colour,
            linewidth=1,
            label=TITLES[defence],
        )
    # Few seeds have intervals far beyond what a share can be; they are cut at the frame.
    panel.set_xlim(0, 100)
    metric = "accuracy" if scenario.metric == "accuracy" else "balanced accuracy"
    panel.set_yticks(range(len(attacks)), ["no attack", *scenario.attacks])
    panel.invert_yaxis()
    panel.set_xlabel(f"{metric} on all hospitals' test rows, %")
    panel.set_title(scenario.title, loc="left")
    panel.grid(axis="x", linewidth=0.3)
    panel.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
