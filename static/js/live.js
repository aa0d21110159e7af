/* A training's page: charts from the figures that each answer carries, announcements, what changes after a round. */
"use strict";

(() => {
  // Nobody looks at a hidden page: it asks so seldom (milliseconds).
  const HIDDEN_WAIT = 15000;
  // The page's timer is not exact: a question that comes this much early is not left out.
  const EARLY = 300;
  const charts = {};
  let wait = 1000;
  let asked = -Infinity;
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
    if (!answered) wait = 1000;
    const message = document.getElementById("unreachable");
    if (message && message.hidden !== answered) message.hidden = answered;
  }

  /* Each second is the least: the server may want to be asked less often, and a hidden page asks seldom. */
  function pace(event) {
    if (event.detail.elt.id !== "live") return;
    const now = performance.now();
    if (now - asked < Math.max(wait, document.hidden ? HIDDEN_WAIT : 0) - EARLY) event.preventDefault();
    else asked = now;
  }

  function notePace(event) {
    if (event.detail.elt.id !== "live") return;
    wait = 1000 * (Number(event.detail.xhr.getResponseHeader("Consilium-Ask-After")) || 1);
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
  document.addEventListener("htmx:beforeRequest", pace);
  document.addEventListener("htmx:afterOnLoad", notePace);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) asked = -Infinity;
  });
  document.addEventListener("htmx:sendError", () => noteAnswer(false));
  document.addEventListener("htmx:responseError", () => noteAnswer(false));
  document.addEventListener("htmx:afterOnLoad", () => noteAnswer(true));
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "live") follow(false);
  });
})();
