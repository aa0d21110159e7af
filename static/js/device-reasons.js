/* What each known value adds to a risk: exact Shapley values, as fl/explanation.py has them, and their rows in a table. */
"use strict";

window.DeviceReasons = (() => {
  /* Beyond, the server samples; here nothing is told. */
  const MOST_EXACT = 12;
  /* An effect that its row shows as 0.0 points. */
  const NOTHING = 0.0005;
  /* Half the width of the drawing of a bar, whose middle is no effect. */
  const HALF = 100;

  /* 1 / (n C(n - 1, k)) for each size k of a coalition without the player. */
  function weightsOf(players) {
    let choose = 1;
    return Array.from({ length: players }, (_, size) => {
      if (size) choose = (choose * (players - size)) / size;
      return 1 / (players * choose);
    });
  }

  function sizeOf(members) {
    let size = 0;
    for (let rest = members; rest; rest &= rest - 1) size += 1;
    return size;
  }

  /* Of a function from values to the risk, and values with null where not known: the risk of the average patient and each
     known value's part of the difference, the strongest first. Null where there are too many. */
  function explain(risk, values) {
    const known = values.flatMap((value, at) => (value === null ? [] : [at]));
    if (known.length > MOST_EXACT) return null;
    const count = 2 ** known.length;
    const worth = Float64Array.from({ length: count }, (_, members) => {
      const some = values.map(() => null);
      known.forEach((at, player) => { if (members & (1 << player)) some[at] = values[at]; });
      return risk(some);
    });
    const weights = weightsOf(known.length);
    const reasons = known.map((at, player) => {
      let effect = 0;
      for (let members = 0; members < count; members += 1) {
        if (members & (1 << player)) continue;
        effect += weights[sizeOf(members)] * (worth[members | (1 << player)] - worth[members]);
      }
      return { at, effect };
    });
    reasons.sort((one, other) => Math.abs(other.effect) - Math.abs(one.effect));
    return { baseline: worth[0], risk: worth[count - 1], reasons };
  }

  const points = (effect) => (100 * Math.abs(effect)).toFixed(1);

  function signed(effect) {
    if (Math.abs(effect) < NOTHING) return "0.0";
    return `${effect > 0 ? "+" : "\u2212"}${points(effect)}`;
  }

  function sentence(effect) {
    if (Math.abs(effect) < NOTHING) return "does not change the risk";
    return `${effect > 0 ? "raises" : "lowers"} the risk by ${points(effect)} points`;
  }

  /* A row of the table by its template; `told` are the label and the value as a person reads them. */
  function row(template, [label, value], effect, longest) {
    const made = template.content.firstElementChild.cloneNode(true);
    const set = (name, text) => { made.querySelector(`[data-reason="${name}"]`).textContent = text; };
    set("label", label);
    set("value", value);
    set("points", signed(effect));
    set("sentence", sentence(effect));
    const width = longest ? (HALF * Math.abs(effect)) / longest : 0;
    const bar = made.querySelector("rect");
    bar.setAttribute("class", effect > 0 ? "raises" : "lowers");
    bar.setAttribute("x", (effect > 0 ? HALF : HALF - width).toFixed(2));
    bar.setAttribute("width", width.toFixed(2));
    return made;
  }

  /* The rows of an explanation; `tell` gives label and value of the column at a place. */
  function rows(template, found, tell) {
    const longest = Math.max(0, ...found.reasons.map((one) => Math.abs(one.effect)));
    return found.reasons.map(({ at, effect }) => row(template, tell(at), effect, longest));
  }

  return { explain, rows };
})();
