/* A training's page: charts from the figures beneath them, announcements, what changes after a round. */
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

  /* The chart's canvas, and the element that carries its figures. */
  const holders = () => [...document.querySelectorAll("[data-chart]")].map((holder) => [holder, JSON.parse(holder.dataset.chart)]);

  function drawAll() {
    for (const [, chart] of holders()) {
      const drawn = window.Charts.draw(document.getElementById(`chart-${chart.name}`), chart);
      if (drawn) charts[chart.name] = drawn;
    }
    window.Charts.paintAll();
    showAll();
  }

  function showAll() {
    for (const [, chart] of holders()) charts[chart.name]?.show(chart);
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
    if (now.dataset.finalised === undefined) return; // A page without rounds.
    if (now.dataset.finalised + now.dataset.over === shown) return;
    shown = now.dataset.finalised + now.dataset.over;
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

  /* A table that somebody opened stays open when its figures change. */
  function keepOpen(event) {
    const before = event.detail.target.querySelector("details");
    const after = event.detail.fragment.querySelector("details");
    if (before && after) after.open = before.open;
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
  document.addEventListener("htmx:oobBeforeSwap", keepOpen);
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "live") follow(false);
    if (event.detail.target.id === "rounds") showAll();
  });
})();
