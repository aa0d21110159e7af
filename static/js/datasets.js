/* Bars of patients by class, from the figures that each canvas carries; beside each stands its table. */
"use strict";

(() => {
  const charts = [];
  const names = ["--chart-1", "--chart-2", "--chart-3", "--chart-4"];
  const strokes = [[], [[[0, 8], [8, 0]]], [[[0, 8], [8, 0]], [[0, 0], [8, 8]]], [[[0, 4], [8, 4]]]];

  /* A custom property that holds light-dark() has no colour until an element is painted with it. */
  function colour(name) {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  /* Classes differ by their hatching, too, for who cannot tell the colours apart. */
  function hatched(at) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = tile.getContext("2d");
    pen.fillStyle = colour(names[at % names.length]);
    pen.fillRect(0, 0, 8, 8);
    pen.strokeStyle = colour("--surface");
    pen.lineWidth = 1.5;
    for (const [from, to] of strokes[at % strokes.length]) {
      pen.beginPath();
      pen.moveTo(...from);
      pen.lineTo(...to);
      pen.stroke();
    }
    return pen.createPattern(tile, "repeat");
  }

  function colours(at) {
    return { borderColor: colour(names[at % names.length]), backgroundColor: hatched(at) };
  }

  function make(canvas) {
    const given = JSON.parse(canvas.dataset.chart);
    const axis = (text, extra) => ({ title: { display: true, text }, ticks: {}, grid: {}, border: {}, ...extra });
    return new window.Chart(canvas, {
      type: "bar",
      data: {
        labels: given.labels,
        datasets: given.series.map((one, at) => ({ label: one.label, data: one.data, maxBarThickness: 28, borderWidth: 1, ...colours(at) })),
      },
      options: {
        animation: false,
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        plugins: {
          legend: { position: "bottom", labels: { boxHeight: 10, boxWidth: 18, padding: 12 } },
          tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${item.parsed.y} patients` } },
        },
        scales: { x: axis(given.across), y: axis("patients", { beginAtZero: true, ticks: { precision: 0 } }) },
      },
    });
  }

  function paint(chart) {
    const ink = colour("--ink-quiet");
    const rule = colour("--line");
    chart.data.datasets.forEach((dataset, at) => Object.assign(dataset, colours(at)));
    for (const scale of Object.values(chart.options.scales)) {
      scale.title.color = scale.ticks.color = ink;
      scale.grid.color = scale.border.color = rule;
    }
    chart.options.plugins.legend.labels.color = ink;
    chart.update();
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (!window.Chart) return;
    window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    for (const canvas of document.querySelectorAll("canvas[data-chart]")) charts.push(make(canvas));
    charts.forEach(paint);
  });
  document.addEventListener("themechange", () => charts.forEach(paint));
})();
