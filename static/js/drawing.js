/* Draws a chart of each kind from its definition: see app/services/chart.py. */
"use strict";

(() => {
  const { axis, bar, line, make, ONE_WAY, BOTH_WAYS } = window.Charts;
  const STROKES = { 1: [], 2: BOTH_WAYS, 3: [], 4: ONE_WAY };
  const DASHES = { 1: [], 2: [6, 4], 3: [2, 3], 4: [10, 3, 2, 3] };
  const POINTS = { 1: "circle", 2: "triangle", 3: "rect", 4: "rectRot" };
  const RING = [3, 4, 2];
  const PERCENT = "%";

  const said = (value, chart) => `${Number.isInteger(value) ? value : value.toFixed(chart.digits)} ${chart.unit}`;
  const values = (chart) => chart.series.map((one) => one.values);

  function titles(items, chart) {
    return chart.across === "round" ? `Round ${items[0].label}` : items[0].label;
  }

  /* A drawn chart, and how it takes the figures of the same chart when there are more of them. */
  function grid(canvas, first, type, datasets, across, up) {
    let chart = first;
    const drawn = make(canvas, type, datasets, {
      interaction: { mode: "index", intersect: false },
      plugins: {
        legend: { display: datasets.length > 1, position: "bottom", labels: { usePointStyle: true, boxHeight: 7, padding: 16 } },
        tooltip: { callbacks: {
          title: (items) => titles(items, chart),
          label: (item) => (item.raw === null ? "" : `${item.dataset.label}: ${said(item.raw, chart)}`),
        } },
      },
      scales: { x: axis(chart.across, across), y: axis(chart.unit, up) },
    });
    return [drawn, (next) => {
      chart = next;
      drawn.data.labels = next.labels;
      drawn.data.datasets.forEach((dataset, at) => { dataset.data = values(next)[at]; });
    }];
  }

  const barsOf = (chart) => chart.series.map((one) => bar(one.name, `--chart-${one.colour}`, STROKES[one.colour]));

  function bars(canvas, chart) {
    return grid(canvas, chart, "bar", barsOf(chart), {}, chart.unit === PERCENT ? { min: 0, max: 100 } : { beginAtZero: true });
  }

  function stacked(canvas, chart) {
    return grid(canvas, chart, "bar", barsOf(chart), { stacked: true }, { stacked: true, beginAtZero: true, ticks: { precision: 0 } });
  }

  function lines(canvas, chart) {
    const sets = chart.series.map((one) => line(one.name, `--chart-${one.colour}`, DASHES[one.colour], POINTS[one.colour]));
    return grid(canvas, chart, "line", sets, {}, chart.unit === PERCENT ? { suggestedMin: 50, suggestedMax: 100 } : { beginAtZero: true });
  }

  /* Hospitals stand side by side in their round, each with a dash where its threshold is. */
  function dots(canvas, first) {
    let chart = first;
    const mark = (label, name, pointStyle, radius, extra) => ({
      label, colourName: name, data: [], pointStyle, pointRadius: radius, pointHoverRadius: radius + 1, borderWidth: 2, ...extra,
    });
    const sets = [
      mark("Accepted", "--chart-3", "circle", 4),
      mark("Rejected", "--chart-4", "crossRot", 6),
      mark("Without a verdict", "--chart-2", "triangle", 5),
      mark("Threshold", "--chart-1", "line", 7),
    ];
    const of = { accepted: 0, rejected: 1 };
    const text = (value) => value.toFixed(chart.digits);
    const drawn = make(canvas, "scatter", sets, {
      plugins: {
        legend: { position: "bottom", labels: { usePointStyle: true, boxHeight: 7, padding: 16, filter: (item) => sets[item.datasetIndex].data.length > 0 } },
        tooltip: { callbacks: {
          title: (items) => `Round ${items[0].raw.round}`,
          label: ({ raw, dataset }) => `${raw.name}: ${dataset.label.toLowerCase()} ${text(raw.y)}${raw.against === undefined ? "" : `, threshold ${raw.against === null ? "not opened" : text(raw.against)}`}`,
        } },
      },
      scales: {
        x: axis(chart.across, {
          type: "linear",
          afterBuildTicks: (scale) => { scale.ticks = chart.labels.map((_, at) => ({ value: at })); },
          ticks: { callback: (value) => chart.labels[value] ?? "" },
        }),
        y: axis(chart.unit, { min: 0, max: 1 }),
      },
    });
    return [drawn, (next) => {
      chart = next;
      for (const set of sets) set.data = [];
      const width = 0.7 / Math.max(1, next.series.length);
      next.series.forEach((one, number) => {
        const offset = (number - (next.series.length - 1) / 2) * width;
        one.values.forEach((value, at) => {
          const place = { x: at + offset, round: next.labels[at], name: one.name };
          const against = one.against[at];
          if (value !== null) sets[of[one.said[at]] ?? 2].data.push({ ...place, y: value, against });
          if (against !== null) sets[3].data.push({ ...place, y: against });
        });
      });
      Object.assign(drawn.options.scales.x, { min: -0.5, max: Math.max(next.labels.length, 1) - 0.5 });
    }];
  }

  function ring(canvas, first) {
    let chart = first;
    const parts = chart.labels.map((_, at) => [`--chart-${RING[at]}`, STROKES[RING[at]]]);
    const whole = () => chart.series[0].values.reduce((sum, value) => sum + value, 0);
    const label = (item) => `${item.label}: ${item.raw} (${(100 * item.raw / whole()).toFixed(1)} %)`;
    const sets = [{ label: chart.series[0].name, parts, data: [], borderWidth: 2 }];
    const drawn = make(canvas, "doughnut", sets, { plugins: { tooltip: { callbacks: { label } } } });
    return [drawn, (next) => {
      chart = next;
      drawn.data.labels = next.labels;
      [drawn.data.datasets[0].data] = values(next);
    }];
  }

  /* The interval is a thin bar from its one end to the other, the share a short thick one on it. */
  function ranges(canvas, first) {
    let chart = first;
    const told = (item) => {
      const [one, at] = [chart.series[0], item.dataIndex];
      return `${said(one.values[at], chart)}, from ${said(one.low[at], chart)} to ${said(one.high[at], chart)}`;
    };
    const sets = [
      { ...bar("Share kept out", "--chart-1", []), barThickness: 22, grouped: false },
      { ...bar("95 % interval", "--chart-2", BOTH_WAYS), barThickness: 8, grouped: false },
    ];
    const drawn = make(canvas, "bar", sets, {
      indexAxis: "y",
      plugins: { tooltip: { callbacks: { label: told } } },
      scales: { x: axis(chart.unit, { min: 0, max: 100 }), y: axis("", {}) },
    });
    return [drawn, (next) => {
      chart = next;
      const one = next.series[0];
      drawn.data.labels = next.labels;
      drawn.data.datasets[0].data = one.values.map((value) => [value - 0.6, value + 0.6]);
      drawn.data.datasets[1].data = one.low.map((low, at) => [low, one.high[at]]);
    }];
  }

  const DRAW = { bars, stacked, lines, dots, ring, ranges };

  /* Draws the axes; `show` puts the figures in once the colours are known, and again when there are others. */
  window.Charts.draw = (canvas, chart) => {
    if (!canvas || !window.Chart) return null;
    const [drawn, take] = DRAW[chart.kind](canvas, chart);
    return { show: (next) => { take(next); drawn.update(); } };
  };
})();
