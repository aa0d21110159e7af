/* "What if" beside an answer: sliders and number fields, and what the model says of their values. The model is fetched when
   the section is opened first; after that nothing is asked of the server, and nothing is kept. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const { parse, Refused } = window.DeviceModel;
  const { percent, range, warnings } = window.DeviceWords;
  const panel = document.getElementById("what-if-panel");
  if (!panel) return;
  const part = (name, within = panel) => within.querySelector(`[data-part="${name}"]`);
  const entered = JSON.parse(panel.dataset.values);
  const DIGITS = 6;
  /* A reader is told where a slider came to rest, not all the way there. */
  const REST = 500;

  let asked = false;
  let model = null;
  let speaking = 0;

  /* The slider and the field of a number; `text` is what was typed, so that units convert once, as on the server. */
  const knobs = [...panel.querySelectorAll(".knob")].map((element) => ({
    element,
    name: element.dataset.column,
    factor: Number(element.dataset.factor),
    field: element.querySelector("input[type=text]"),
    slider: element.querySelector("input[type=range]"),
  }));

  /* The stored value of a knob. Throws Refused for what is none. */
  function valueOf(knob, column) {
    const text = knob.field.value.trim();
    if (text === knob.element.dataset.typed) return entered[model.file.columns.indexOf(column)];
    if (knob.factor === 1) return parse(column, text);
    const unit = knob.field.labels[0].querySelector("span").textContent;
    const other = { ...column, low: tenth(column.low / knob.factor, Math.ceil), high: tenth(column.high / knob.factor, Math.floor), unit };
    const value = parse(other, text);
    return value === null ? null : Number((value * knob.factor).toPrecision(DIGITS));
  }

  const tenth = (value, round) => round(value * 10) / 10;

  function mark(knob, sentence) {
    const wrong = part("wrong", knob.element);
    wrong.hidden = !sentence;
    part("range", knob.element).hidden = Boolean(sentence);
    wrong.querySelector("span").textContent = sentence;
    if (sentence) knob.field.setAttribute("aria-invalid", "true");
    else knob.field.removeAttribute("aria-invalid");
  }

  /* The patient's values with those of the knobs; null where one of these is wrong. */
  function read() {
    const values = [...entered];
    let right = true;
    for (const knob of knobs) {
      const at = model.file.columns.findIndex((column) => column.name === knob.name);
      try {
        values[at] = valueOf(knob, model.file.columns[at]);
        mark(knob, "");
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        mark(knob, error.message);
        right = false;
      }
    }
    return right ? values : null;
  }

  function against(risk) {
    const points = 100 * (risk - model.predict(entered).risk);
    const told = Math.abs(points).toFixed(1);
    if (told === "0.0") return "as for the values that were entered";
    return `${told} points ${points > 0 ? "more" : "less"} than for the values that were entered`;
  }

  function speak(sentence) {
    window.clearTimeout(speaking);
    speaking = window.setTimeout(() => { part("announce").textContent = sentence; }, REST);
  }

  function show() {
    const values = read();
    part("interval").hidden = part("unlike").hidden = true;
    if (values === null || values.every((value) => value === null)) {
      const none = values ? "Nothing is known of this patient now: enter a value." : "A value cannot be right: it is marked below.";
      part("percent").textContent = "No answer";
      part("against").textContent = none;
      speak(`No answer. ${none}`);
      return;
    }
    const { risk, interval } = model.predict(values);
    part("percent").textContent = percent(risk);
    part("against").textContent = against(risk);
    if (interval) part("interval").textContent = range(interval);
    part("interval").hidden = !interval;
    const unlike = warnings(model.compare(values));
    part("unlike").querySelector("span").textContent = unlike.join(" ");
    part("unlike").hidden = !unlike.length;
    const care = unlike.length ? ". Such a patient is unlike most that the model learned from" : "";
    speak(`${percent(risk)}, ${against(risk)}${care}`);
  }

  /* The slider follows the field; it stays where it is while the field holds no number. */
  function follow(knob) {
    const number = Number(knob.field.value.replace(",", ".").replace("\u2212", "-"));
    if (knob.field.value.trim() && Number.isFinite(number)) knob.slider.value = String(number);
    tell(knob);
  }

  function tell(knob) {
    knob.slider.setAttribute("aria-valuetext", knob.field.value.trim() || "not known");
  }

  function moved(knob) {
    knob.field.value = knob.slider.value;
    tell(knob);
    show();
  }

  function back() {
    for (const knob of knobs) {
      knob.field.value = knob.element.dataset.typed;
      knob.slider.value = knob.element.dataset.start;
      tell(knob);
    }
    show();
  }

  async function start() {
    if (!panel.open || asked) return;
    asked = true;
    try {
      model = await window.DeviceLoad.get(panel.dataset);
    } catch (error) {
      part("waiting").hidden = true;
      part("refused").querySelector("p").textContent = window.DeviceLoad.sentence(error);
      part("refused").hidden = false;
      return;
    }
    back();
    part("waiting").hidden = true;
    part("ready").hidden = false;
  }

  panel.addEventListener("toggle", start);
  for (const knob of knobs) {
    knob.slider.addEventListener("input", () => moved(knob));
    knob.field.addEventListener("input", () => { follow(knob); show(); });
  }
  part("back").addEventListener("click", back);
  window.addEventListener("pagehide", () => { if (model) back(); });
});
