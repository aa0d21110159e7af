/* The charts of finished trainings: each canvas carries what is drawn on it, the same as its table and its files. */
"use strict";

(() => {
  const { axis, bar, line, make, paintAll, ONE_WAY, BOTH_WAYS } = window.Charts;
  const STROKES = { 1: [], 2: BOTH_WAYS, 3: [], 4: ONE_WAY };
  const DASHES = { 1: [], 2: [6, 4], 3: [2, 3], 4: [10, 3, 2, 3] };
  const POINTS = { 1: "circle", 2: "triangle", 3: "rect", 4: "rectRot" };
  const RING = [3, 4, 2];

  const said = (value, unit) => `${Number.isInteger(value) ? value : value.toFixed(1)} ${unit}`;

  const waiting = [];

  /* Drawn once its colours are known. */
  function fill(chart, labels, values) {
    if (!chart) return;
    waiting.push(() => {
      chart.data.labels = labels;
      chart.data.datasets.forEach((dataset, at) => { dataset.data = values[at]; });
      chart.update();
    });
  }

  function tooltips(chart) {
    return { callbacks: {
      title: (items) => (chart.across === "round" ? `Round ${items[0].label}` : items[0].label),
      label: (item) => (item.raw === null ? "" : `${item.dataset.label}: ${said(item.raw, chart.unit)}`),
    } };
  }

  function grid(canvas, chart, type, datasets, across, up) {
    const options = {
      interaction: { mode: "index", intersect: false },
      plugins: { tooltip: tooltips(chart) },
      scales: { x: axis(chart.across, across), y: axis(chart.unit, up) },
    };
    fill(make(canvas, type, datasets, options), chart.labels, chart.series.map((one) => one.values));
  }

  function bars(canvas, chart) {
    const sets = chart.series.map((one) => bar(one.name, `--chart-${one.colour}`, STROKES[one.colour]));
    grid(canvas, chart, "bar", sets, {}, { min: 0, max: 100 });
  }

  function stacked(canvas, chart) {
    const sets = chart.series.map((one) => bar(one.name, `--chart-${one.colour}`, STROKES[one.colour]));
    grid(canvas, chart, "bar", sets, { stacked: true }, { stacked: true, beginAtZero: true, ticks: { precision: 0 } });
  }

  function lines(canvas, chart) {
    const sets = chart.series.map((one) => line(one.name, `--chart-${one.colour}`, DASHES[one.colour], POINTS[one.colour]));
    grid(canvas, chart, "line", sets, {}, { suggestedMin: 50, suggestedMax: 100 });
  }

  function ring(canvas, chart) {
    const parts = chart.labels.map((_, at) => [`--chart-${RING[at]}`, STROKES[RING[at]]]);
    const whole = chart.series[0].values.reduce((sum, value) => sum + value, 0);
    const label = (item) => `${item.label}: ${item.raw} (${(100 * item.raw / whole).toFixed(1)} %)`;
    fill(
      make(canvas, "doughnut", [{ label: chart.series[0].name, parts, data: [], borderWidth: 2 }], { plugins: { tooltip: { callbacks: { label } } } }),
      chart.labels,
      [chart.series[0].values],
    );
  }

  /* The interval is a thin bar from its one end to the other, the share a short thick one on it. */
  function ranges(canvas, chart) {
    const one = chart.series[0];
    const ends = one.low.map((low, at) => [low, one.high[at]]);
    const marks = one.values.map((value) => [value - 0.6, value + 0.6]);
    const told = (item) => `${said(one.values[item.dataIndex], chart.unit)}, from ${said(one.low[item.dataIndex], chart.unit)} to ${said(one.high[item.dataIndex], chart.unit)}`;
    const options = {
      indexAxis: "y",
      plugins: { tooltip: { callbacks: { label: told } } },
      scales: { x: axis(chart.unit, { min: 0, max: 100 }), y: axis("", {}) },
    };
    const sets = [
      { ...bar("Share kept out", "--chart-1", []), barThickness: 22, grouped: false },
      { ...bar("95 % interval", "--chart-2", BOTH_WAYS), barThickness: 8, grouped: false },
    ];
    fill(make(canvas, "bar", sets, options), chart.labels, [marks, ends]);
  }

  const DRAW = { bars, stacked, lines, ring, ranges };

  document.addEventListener("DOMContentLoaded", () => {
    if (!window.Chart) return;
    for (const canvas of document.querySelectorAll("canvas[data-chart]")) {
      const chart = JSON.parse(canvas.dataset.chart);
      DRAW[chart.kind](canvas, chart);
    }
    paintAll();
    for (const draw of waiting) draw();
  });
})();
