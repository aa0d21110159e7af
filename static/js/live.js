/* A training's page: charts from the figures that each answer carries, announcements, what changes after a round. */
"use strict";

(() => {
  const charts = {};
  let shown = null;
  let announced = null;

  function make(id, datasets, unit, scale, type = "line", across = {}) {
    const digits = type === "line" ? 1 : 0;
    const { axis } = window.Charts;
    const made = window.Charts.make(document.getElementById(id), type, datasets, {
      interaction: { mode: "index", intersect: false },
      plugins: {
        legend: { display: datasets.length > 1, position: "bottom", labels: { usePointStyle: true, boxHeight: 7, padding: 16 } },
        tooltip: { callbacks: {
          title: (items) => `Round ${items[0].label}`,
          label: (item) => `${item.dataset.label}: ${item.parsed.y.toFixed(digits)} ${unit}`,
        } },
      },
      scales: { x: axis("round", across), y: axis(unit, scale) },
    });
    if (made) charts[id] = made;
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

  function drawAll() {
    const { bar, line, ONE_WAY, BOTH_WAYS } = window.Charts;
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
        bar("Rejected", "--chart-4", ONE_WAY),
        bar("Refused", "--chart-2", BOTH_WAYS),
      ],
      "updates",
      { beginAtZero: true, stacked: true, ticks: { precision: 0 } },
      "bar",
      { stacked: true },
    );
    window.Charts.paintAll();
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (window.Charts) drawAll();
    follow(true);
  });
  document.addEventListener("htmx:sendError", () => noteAnswer(false));
  document.addEventListener("htmx:responseError", () => noteAnswer(false));
  document.addEventListener("htmx:afterOnLoad", () => noteAnswer(true));
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "live") follow(false);
  });
})();
