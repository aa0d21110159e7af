/* Charts of the pages' look: colours of the theme, marks and hatching for who cannot tell colours apart. */
"use strict";

window.Charts = (() => {
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const made = [];

  const ONE_WAY = [[[0, 8], [8, 0]]];
  const BOTH_WAYS = [[[0, 8], [8, 0]], [[0, 0], [8, 8]]];

  /* A custom property that holds light-dark() has no colour until an element is painted with it. */
  function colour(name) {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  /* Lines differ by their points and dashes, too. */
  function line(label, name, dash, pointStyle) {
    return { label, colourName: name, data: [], borderDash: dash, borderWidth: 2, pointStyle, pointRadius: 4, tension: 0 };
  }

  /* Bars differ by their hatching, too: none, one way, both ways. */
  function bar(label, name, strokes) {
    return { label, colourName: name, strokes, data: [], maxBarThickness: 36, borderWidth: 1 };
  }

  function hatched(name, strokes) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = tile.getContext("2d");
    pen.fillStyle = colour(name);
    pen.fillRect(0, 0, 8, 8);
    pen.strokeStyle = colour("--surface");
    pen.lineWidth = 1.5;
    for (const [from, to] of strokes) {
      pen.beginPath();
      pen.moveTo(...from);
      pen.lineTo(...to);
      pen.stroke();
    }
    return pen.createPattern(tile, "repeat");
  }

  function axis(text, extra) {
    return { title: { display: Boolean(text), text }, ticks: {}, grid: {}, border: {}, ...extra };
  }

  /* Colours are set when it is painted: they change with the theme. */
  function make(canvas, type, datasets, options) {
    if (!canvas || !window.Chart) return null;
    window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    const { plugins, ...rest } = options;
    const chart = new window.Chart(canvas, {
      type,
      data: { labels: [], datasets },
      options: {
        animation: still ? false : { duration: 300 },
        maintainAspectRatio: false,
        plugins: { colors: { enabled: false }, legend: { position: "bottom", labels: { usePointStyle: true, boxHeight: 7, padding: 16 } }, ...plugins },
        ...rest,
      },
    });
    made.push(chart);
    return chart;
  }

  function fillOf(name, strokes) {
    return strokes && strokes.length ? hatched(name, strokes) : colour(name);
  }

  function paint(chart) {
    const ink = colour("--ink-quiet");
    const rule = colour("--line");
    for (const dataset of chart.data.datasets) {
      if (dataset.parts) {
        dataset.borderColor = colour("--surface");
        dataset.backgroundColor = dataset.parts.map(([name, strokes]) => fillOf(name, strokes));
        continue;
      }
      dataset.borderColor = colour(dataset.colourName);
      dataset.backgroundColor = dataset.strokes ? fillOf(dataset.colourName, dataset.strokes) : dataset.borderColor;
    }
    for (const scale of Object.values(chart.options.scales || {})) {
      scale.title.color = scale.ticks.color = ink;
      scale.grid.color = scale.border.color = rule;
    }
    if (chart.options.plugins.legend.labels) chart.options.plugins.legend.labels.color = ink;
    chart.update("none");
  }

  function paintAll() {
    made.forEach(paint);
  }

  document.addEventListener("themechange", paintAll);
  return { axis, bar, line, make, paintAll, ONE_WAY, BOTH_WAYS };
})();
