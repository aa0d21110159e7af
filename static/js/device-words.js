/* How a model's answer on a device is told: as the server tells it (app/doctor/reading.py, reasons.py). */
"use strict";

window.DeviceWords = (() => {
  /* Never 0 or 100: no model knows that. */
  function percent(risk) {
    if (risk < 0.01) return "under 1 %";
    return risk > 0.99 ? "over 99 %" : `${(100 * risk).toFixed(0)} %`;
  }

  function range(interval) {
    const [low, high] = interval.map(percent);
    return `95 % interval: ${low === high ? low : `${low} to ${high}`}`;
  }

  const plain = (number, unit) => `${Number(number.toPrecision(6))} ${unit}`.trim().replace("-", "\u2212");

  function valueWords(column, value) {
    return column.kind === "number" ? plain(value, column.unit) : column.categories[value][1];
  }

  function warning({ column, value, deviations, mean, share }) {
    if (deviations !== undefined) {
      const side = deviations > 0 ? "above" : "below";
      const usual = plain(Number(mean.toFixed(1)), column.unit);
      return `${column.label}, ${valueWords(column, value)}: ${Math.abs(deviations).toFixed(1)} standard deviations ${side} the federation’s mean of ${usual}.`;
    }
    const told = share < 0.0005 ? "none" : `${(100 * share).toFixed(1)} %`;
    return `${column.label}, ${valueWords(column, value)}: ${told} of the federation’s patients.`;
  }

  function warnings({ unusual, distance, limit }) {
    if (unusual.length || distance === null || distance <= limit) return unusual.map(warning);
    return [
      `No single value is far off, but together they are: on average ${distance.toFixed(1)} standard deviations from the ` +
      `federation’s patients, where 99 of 100 stay below ${limit.toFixed(1)}.`,
    ];
  }

  return { percent, range, valueWords, warnings };
})();
