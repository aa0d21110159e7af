"""Charts as figures for paper and slides: SVG and PNG, drawn by matplotlib.

Each figure is an object of its own, drawn by the renderer of the form that is wanted, and nothing
is kept. They are drawn one at a time, because matplotlib's settings and fonts are the process's.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from textwrap import fill
from threading import Lock

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from app.services.chart import Chart, Series

TYPES: Mapping[str, str] = {"svg": "image/svg+xml", "png": "image/png"}
DOTS_PER_INCH = 200
_SIZE = (7.2, 4.2)
_CAPTION_WIDTH = 105

# Okabe, Ito, "Color Universal Design", 2008, as close to the pages' colours as it gets; what is
# told apart by colour is told apart by hatching or marks, too.
_COLOURS = {1: "#0072B2", 2: "#E69F00", 3: "#009E73", 4: "#D55E00"}
_HATCHES = {1: "", 2: "xx", 3: "", 4: "//"}
_MARKS = {1: "o", 2: "^", 3: "s", 4: "D"}
_DASHES = {1: "-", 2: "--", 3: "-.", 4: ":"}
_VERDICTS = (3, 4, 2)  # colours of a ring's parts

_DRAWING = Lock()


def render(chart: Chart, form: str, source: str) -> bytes:
    """Draw a chart with its caption as "svg" or "png"; `source` says what it is of.

    Raises KeyError for another form.
    """
    if form not in TYPES:
        raise KeyError(form)
    with _DRAWING:
        return _drawn(chart, form, source)


def _drawn(chart: Chart, form: str, source: str) -> bytes:
    figure = Figure(figsize=_SIZE, layout="constrained")
    panel = figure.subplots()
    _DRAW[chart.kind](panel, chart)
    panel.set_title(chart.title, loc="left", fontweight="bold")
    figure.supxlabel(
        f"{fill(chart.caption, _CAPTION_WIDTH)}\n{source}", fontsize=7.5, x=0.01, ha="left"
    )
    written = io.BytesIO()
    # The same figures give the same bytes.
    with rc_context({"svg.hashsalt": "consilium", "svg.fonttype": "none"}):
        metadata = {"Date": None} if form == "svg" else None
        figure.savefig(written, format=form, metadata=metadata, dpi=DOTS_PER_INCH)
    return written.getvalue()


def _bars(panel: Axes, chart: Chart) -> None:
    width = 0.8 / len(chart.series)
    for place, series in enumerate(chart.series):
        offset = (place - (len(chart.series) - 1) / 2) * width
        bars = panel.bar(
            np.arange(len(chart.labels)) + offset,
            _heights(series),
            width,
            label=series.name,
            color=_COLOURS[series.colour],
            hatch=_HATCHES[series.colour],
            edgecolor="white",
        )
        panel.bar_label(bars, [_said(value) for value in series.values], fontsize=7, padding=1)
    _labelled(panel, chart)
    panel.set_ylim(0, 108)


def _stacked(panel: Axes, chart: Chart) -> None:
    below = np.zeros(len(chart.labels))
    for series in chart.series:
        heights = _heights(series)
        panel.bar(
            np.arange(len(chart.labels)),
            heights,
            0.7,
            below,
            label=series.name,
            color=_COLOURS[series.colour],
            hatch=_HATCHES[series.colour],
            edgecolor="white",
        )
        below += heights
    _labelled(panel, chart)
    panel.yaxis.set_major_locator(MaxNLocator(integer=True))


def _lines(panel: Axes, chart: Chart) -> None:
    for series in chart.series:
        panel.plot(
            np.arange(len(series.values)),
            [np.nan if value is None else value for value in series.values],
            label=series.name,
            color=_COLOURS[series.colour],
            marker=_MARKS[series.colour],
            linestyle=_DASHES[series.colour],
            markersize=4,
        )
    _labelled(panel, chart)


def _dots(panel: Axes, chart: Chart) -> None:
    """Hospitals of a round side by side: each figure, and as a dash what it is held against."""
    kinds = {
        "accepted": ("Accepted", "o", 3),
        "rejected": ("Rejected", "x", 4),
        "": ("Without a verdict", "s", 2),
    }
    places: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    bounds: list[tuple[float, float]] = []
    width = 0.7 / max(1, len(chart.series))
    for number, series in enumerate(chart.series):
        offset = (number - (len(chart.series) - 1) / 2) * width
        figures = zip(series.values, series.against, series.said, strict=True)
        for place, (value, against, said) in enumerate(figures):
            if value is not None:
                places[said if said in kinds else ""].append((place + offset, value))
            if against is not None:
                bounds.append((place + offset, against))
    for name, (label, mark, colour) in kinds.items():
        if places[name]:
            across, up = zip(*places[name], strict=True)
            panel.scatter(across, up, s=22, c=_COLOURS[colour], marker=mark, label=label)
    if bounds:
        across, up = zip(*bounds, strict=True)
        panel.scatter(across, up, s=70, c=_COLOURS[1], marker="_", label="Threshold")
    _labelled(panel, chart)
    panel.set_ylim(0, 1.03)


def _ring(panel: Axes, chart: Chart) -> None:
    values = _heights(chart.series[0])
    total = values.sum()
    wedges, *_ = panel.pie(
        values,
        colors=[_COLOURS[colour] for colour in _VERDICTS[: len(values)]],
        hatch=[_HATCHES[colour] for colour in _VERDICTS[: len(values)]],
        startangle=90,
        counterclock=False,
        wedgeprops={"width": 0.4, "edgecolor": "white"},
    )
    names = [
        f"{label}: {value:.0f} ({100 * value / total:.1f} %)"
        for label, value in zip(chart.labels, values, strict=True)
    ]
    panel.legend(wedges, names, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    panel.text(0, 0, f"{total:.0f}\n{chart.unit}", ha="center", va="center")


def _ranges(panel: Axes, chart: Chart) -> None:
    (series,) = chart.series
    values = _heights(series)
    low, high = (
        np.array([0.0 if end is None else end for end in ends])
        for ends in (series.low, series.high)
    )
    places = np.arange(len(values))
    panel.errorbar(
        values,
        places,
        xerr=[np.maximum(values - low, 0), np.maximum(high - values, 0)],
        fmt="o",
        capsize=5,
        color=_COLOURS[series.colour],
    )
    for place, value, start, end in zip(places, values, low, high, strict=True):
        panel.annotate(
            f"{value:.1f} % ({start:.1f} to {end:.1f})",
            (value, place),
            (0, 8),
            textcoords="offset points",
            ha="left" if value < 50 else "right",
            fontsize=8,
        )
    panel.set_yticks(places, chart.labels)
    panel.set_ylim(len(values) - 0.5, -0.7)
    panel.set_xlim(-2, 102)
    panel.set_xlabel(chart.unit)
    panel.grid(axis="x", linewidth=0.3)


def _labelled(panel: Axes, chart: Chart) -> None:
    places = np.arange(len(chart.labels))
    step = max(1, len(places) // 25)
    crowded = max(map(len, chart.labels)) * len(places) > 60 and chart.across != "round"
    panel.set_xticks(
        places[::step],
        chart.labels[::step],
        rotation=30 if crowded else 0,
        ha="right" if crowded else "center",
    )
    panel.set_xlabel(chart.across)
    panel.set_ylabel(chart.unit)
    panel.grid(axis="y", linewidth=0.3)
    panel.set_axisbelow(True)
    panel.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize="small")


def _heights(series: Series) -> NDArray[np.float64]:
    return np.array([0.0 if value is None else value for value in series.values])


def _said(value: float | None) -> str:
    return "not recorded" if value is None else f"{value:.1f}"


_DRAW: Mapping[str, Callable[[Axes, Chart], None]] = {
    "bars": _bars,
    "stacked": _stacked,
    "lines": _lines,
    "dots": _dots,
    "ring": _ring,
    "ranges": _ranges,
}
