/* The charts of finished trainings: each canvas carries what is drawn on it, the same as its table and its files. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  if (!window.Chart) return;
  const drawn = [...document.querySelectorAll("canvas[data-chart]")].map((canvas) => {
    const chart = JSON.parse(canvas.dataset.chart);
    return [window.Charts.draw(canvas, chart), chart];
  });
  window.Charts.paintAll();
  for (const [one, chart] of drawn) one.show(chart);
});
