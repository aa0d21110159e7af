/* A training's page: charts from the figures that each answer carries, announcements, what changes after a round. */
"use strict";

(() => {
  const charts = {};
  let shown = null;
  let announced = null;

  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  /* A custom property that holds light-dark() has no colour until an element is painted with it. */
  function colour(name) {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  /* Lines differ by their points and dashes, too, for who cannot tell the colours apart. */
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
    return { title: { display: true, text }, ticks: {}, grid: {}, border: {}, ...extra };
  }

  function make(id, datasets, unit, scale, type = "line", across = {}) {
    const canvas = document.getElementById(id);
    if (!canvas || !window.Chart) return;
    const digits = type === "line" ? 1 : 0;
    charts[id] = new window.Chart(canvas, {
      type,
      data: { labels: [], datasets },
      options: {
        animation: still ? false : { duration: 300 },
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        plugins: {
          legend: { display: datasets.length > 1, position: "bottom", labels: { usePointStyle: true, boxHeight: 7, padding: 16 } },
          tooltip: { callbacks: {
            title: (items) => `Round ${items[0].label}`,
            label: (item) => `${item.dataset.label}: ${item.parsed.y.toFixed(digits)} ${unit}`,
          } },
        },
        scales: { x: axis("round", across), y: axis(unit, scale) },
      },
    });
  }

  function paint(chart) {
    const ink = colour("--ink-quiet");
    const rule = colour("--line");
    for (const dataset of chart.data.datasets) {
      dataset.borderColor = colour(dataset.colourName);
      dataset.backgroundColor = dataset.strokes ? hatched(dataset.colourName, dataset.strokes) : dataset.borderColor;
    }
    for (const scale of Object.values(chart.options.scales)) {
      scale.title.color = scale.ticks.color = ink;
      scale.grid.color = scale.border.color = rule;
    }
    chart.options.plugins.legend.labels.color = ink;
    chart.update("none");
  }

  function fill(id, rounds, keys, factor) {
    const chart = charts[id];
    if (!chart) return;
    chart.data.labels = rounds.map((round) => round.round);
    keys.forEach((key, at) => {
      chart.data.datasets[at].data = rounds.map((round) => (round[key] === null ? null : round[key] * factor));
    });
    chart.update();
  }

  function fillVerdicts(rounds) {
    const chart = charts["poisoning-chart"];
    if (!chart) return;
    const reviewed = rounds.filter((round) => round.reviewed);
    chart.data.labels = reviewed.map((round) => round.round);
    ["accepted", "rejected", "refused"].forEach((verdict, at) => {
      chart.data.datasets[at].data = reviewed.map((round) => round.counts[verdict]);
    });
    chart.update();
  }

  function announce(text) {
    if (!text || text === announced) return;
    announced = text;
    document.getElementById("announcer").textContent = text;
  }

  function follow(first) {
    const now = document.querySelector("#live [data-announce]");
    if (!now) return;
    if (first) announced = now.dataset.announce;
    announce(now.dataset.announce);
    if (!now.dataset.rounds || now.dataset.finalised + now.dataset.over === shown) return;
    shown = now.dataset.finalised + now.dataset.over;
    const rounds = JSON.parse(now.dataset.rounds);
    fill("accuracy-chart", rounds, ["accuracy"], 100);
    fill("latency-chart", rounds, ["encryption_ms", "transaction_ms"], 1);
    fillVerdicts(rounds);
    if (!first) window.htmx.trigger("#rounds", "refresh");
    if (!first && now.dataset.over === "yes") {
      for (const element of document.querySelectorAll("[data-while-running]")) element.remove();
    }
  }

  function noteAnswer(answered) {
    const message = document.getElementById("unreachable");
    if (message && message.hidden !== answered) message.hidden = answered;
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (window.Chart) window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    make("accuracy-chart", [line("Right answers", "--chart-1", [], "circle")], "%", { suggestedMin: 50, suggestedMax: 100 });
    make(
      "latency-chart",
      [line("Encryption, all hospitals", "--chart-2", [6, 4], "triangle"), line("Transaction, mean", "--chart-1", [], "circle")],
      "ms",
      { beginAtZero: true },
    );
    make(
      "poisoning-chart",
      [
        bar("Accepted", "--chart-3", []),
        bar("Rejected", "--chart-4", [[[0, 8], [8, 0]]]),
        bar("Refused", "--chart-2", [[[0, 8], [8, 0]], [[0, 0], [8, 8]]]),
      ],
      "updates",
      { beginAtZero: true, stacked: true, ticks: { precision: 0 } },
      "bar",
      { stacked: true },
    );
    Object.values(charts).forEach(paint);
    follow(true);
  });
  document.addEventListener("themechange", () => Object.values(charts).forEach(paint));
  document.addEventListener("htmx:sendError", () => noteAnswer(false));
  document.addEventListener("htmx:responseError", () => noteAnswer(false));
  document.addEventListener("htmx:afterOnLoad", () => noteAnswer(true));
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "live") follow(false);
  });
})();
