/* A patient's numbers over time: each canvas carries what is drawn on it, the same as the table beside it. */
"use strict";

(() => {
  const DAY = 24 * 60 * 60 * 1000;
  const day = new Intl.DateTimeFormat("en-CA", { timeZone: "UTC", year: "numeric", month: "2-digit", day: "2-digit" });
  const text = (value) => Number(value.toPrecision(6)).toString();

  /* Where a date axis begins and ends: a lone moment stands in the middle of a month. */
  function span(moments) {
    const first = Math.min(...moments);
    const last = Math.max(...moments);
    const room = Math.max((last - first) * 0.06, last === first ? 15 * DAY : DAY / 2);
    return [first - room, last + room];
  }

  /* From the lowest to the highest of the numbers and of what is typical, with some room. */
  function reach(chart) {
    if (chart.whole !== null) return { min: 0, max: chart.whole };
    const all = [...chart.series[0].values, ...(chart.typical || [])];
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const room = (high - low) * 0.1 || Math.abs(high) * 0.1 || 1;
    return { suggestedMin: low - room, suggestedMax: high + room };
  }

  /* What is typical lies behind the line, from one end of the axis to the other. */
  function band(chart, from, to) {
    if (chart.typical === null) return [];
    const edge = (value, fill) => ({
      ...window.Charts.line("Typical", "--chart-band", [], "rect"),
      later: [{ x: from, y: value }, { x: to, y: value }], fill, order: 2, borderWidth: 1, pointRadius: 0, pointHitRadius: 0,
    });
    return [edge(chart.typical[0], false), edge(chart.typical[1], "-1")];
  }

  /* Axes alone; the figures wait as `later` until the colours are known: Chart.js keeps those of its first points. */
  function draw(canvas) {
    const chart = JSON.parse(canvas.dataset.chart);
    const moments = chart.labels.map((at) => Date.parse(`${at}Z`));
    const [from, to] = span(moments);
    const { axis, line, make } = window.Charts;
    const values = chart.series[0].values.map((value, at) => ({ x: moments[at], y: value }));
    const own = { ...line(chart.series[0].name, "--chart-1", [], "circle"), later: values, order: 1 };
    return make(canvas, "line", [...band(chart, from, to), own], {
      plugins: {
        legend: { display: false },
        tooltip: {
          filter: (item) => item.dataset.order === 1,
          callbacks: {
            title: (items) => (items.length ? day.format(items[0].parsed.x) : ""),
            label: (item) => `${text(item.parsed.y)} ${chart.unit}`,
          },
        },
      },
      scales: {
        x: axis("", {
          type: "linear", min: from, max: to,
          afterBuildTicks: (scale) => { scale.ticks = ticks(moments); },
          ticks: { callback: (value) => day.format(value), maxRotation: 0, autoSkip: true, autoSkipPadding: 12 },
        }),
        y: axis(chart.unit, { ...reach(chart), ticks: { maxTicksLimit: 6 } }),
      },
    });
  }

  /* A tick at the first and last day, and one in the middle if there is time between. */
  function ticks(moments) {
    const [first, last] = [Math.min(...moments), Math.max(...moments)];
    const at = last - first > 4 * DAY ? [first, (first + last) / 2, last] : [first, last];
    return [...new Set(at)].map((value) => ({ value }));
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (!window.Chart) return;
    const drawn = [...document.querySelectorAll("canvas[data-chart]")].map(draw);
    window.Charts.paintAll();
    for (const chart of drawn) {
      for (const dataset of chart.data.datasets) dataset.data = dataset.later;
      chart.update();
    }
    // After the repainting of charts.js, which leaves points as they are.
    document.addEventListener("themechange", () => drawn.forEach((chart) => chart.update()));
  });
})();
