/* Predicting on this device: fetches the model once, checks it, and computes with what is in the form. After that nothing
   is asked of the server, and what is entered is kept nowhere. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const { parse, unitsOf, isDoubtful, question, Refused } = window.DeviceModel;
  const { percent, range, valueWords, warnings } = window.DeviceWords;
  const { explain, rows } = window.DeviceReasons;
  const device = document.getElementById("device");
  const part = (name) => device.querySelector(`[data-part="${name}"]`);
  const form = device.querySelector("form");
  const undecided = Number(device.dataset.undecided);

  const NOTHING = "Enter at least one value. Of nothing, the model can only tell its average.";
  const WRONG = "Some values cannot be right. They are marked below; the others are kept.";
  const DOUBTFUL = "Some values are unusual. Confirm below that they are right, or correct them; the others are kept.";

  let model = null;

  function refuse(sentence) {
    part("waiting").hidden = true;
    part("refused").querySelector("p").textContent = sentence;
    part("refused").hidden = false;
  }

  async function start() {
    try {
      model = await window.DeviceLoad.get(device.dataset);
    } catch (error) {
      refuse(window.DeviceLoad.sentence(error));
      return;
    }
    const found = part("model-found");
    found.textContent = `${model.found.model.slice(0, 10)}…`;
    found.title = model.found.model;
    part("waiting").hidden = true;
    part("ready").hidden = false;
  }

  /* Where a column is asked for. */
  function placeOf(column) {
    return [...form.querySelectorAll("[data-column]")].find((one) => one.dataset.column === column.name);
  }

  /* The field of a column: one element, or its radio buttons. */
  function fieldsOf(column) {
    return [...placeOf(column).querySelectorAll("input:not([data-sure]), select:not(.unit-choice)")];
  }

  function typed(column) {
    const fields = fieldsOf(column);
    const chosen = fields[0].type === "radio" ? fields.find((one) => one.checked) : fields[0];
    return chosen ? chosen.value : "";
  }

  function unitOf(column) {
    const choice = placeOf(column).querySelector(".unit-choice");
    const units = unitsOf(column);
    return (choice && units.find((one) => one.name === choice.value)) || units[0];
  }

  function clearErrors() {
    part("wrong").hidden = true;
    for (const note of form.querySelectorAll("[data-error]")) note.remove();
    for (const field of form.querySelectorAll("[aria-invalid]")) {
      field.removeAttribute("aria-invalid");
      const about = (field.getAttribute("aria-describedby") || "").split(" ").filter((id) => !id.endsWith("-error"));
      if (about.join("")) field.setAttribute("aria-describedby", about.join(" "));
      else field.removeAttribute("aria-describedby");
    }
  }

  function mark(column, sentence) {
    const [field] = fieldsOf(column);
    const note = document.getElementById("field-error").content.firstElementChild.cloneNode(true);
    note.id = `${field.id}-error`;
    note.dataset.error = "";
    note.lastElementChild.textContent = sentence;
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", `${field.getAttribute("aria-describedby") || ""} ${note.id}`.trim());
    placeOf(column).append(note);
  }

  const doubtOf = (column) => placeOf(column).querySelector("[data-doubt]");

  /* Whether a value may be used: what is not plausible needs a tick, which counts for this very value. */
  function isSure(column, value) {
    const asked = doubtOf(column);
    const key = `${value} ${unitOf(column).name}`;
    if (isDoubtful(column, value) && asked && asked.dataset.doubt === key && asked.querySelector("input").checked) return true;
    if (asked) asked.remove();
    if (!isDoubtful(column, value)) return true;
    ask(column, key);
    return false;
  }

  function ask(column, key) {
    const block = document.getElementById("doubt").content.firstElementChild.cloneNode(true);
    const { asks, confirms } = question(column, typed(column), unitOf(column));
    const [about, tick] = [block.querySelector("p"), block.querySelector("input")];
    block.dataset.doubt = key;
    about.id = `${fieldsOf(column)[0].id}-question`;
    about.querySelector("span").textContent = asks;
    block.querySelector("label span").textContent = confirms;
    tick.dataset.sure = "";
    tick.setAttribute("aria-describedby", about.id);
    tick.setAttribute("aria-invalid", "true");
    placeOf(column).append(block);
  }

  function forgetDoubts() {
    for (const one of form.querySelectorAll("[data-doubt]")) one.remove();
  }

  function complain(sentence) {
    part("wrong").querySelector("p").textContent = sentence;
    part("wrong").hidden = false;
    const first = form.querySelector("[aria-invalid]");
    if (first) first.focus();
  }

  /* A value as it was typed; marks the field, or asks, where it cannot be used. */
  function readOne(column) {
    let value;
    try {
      value = parse(column, typed(column), unitOf(column));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      mark(column, error.message);
      return { complaint: WRONG };
    }
    return isSure(column, value) ? { value } : { complaint: DOUBTFUL };
  }

  /* The values in the order of the columns, or null where one of them cannot be used. */
  function read() {
    clearErrors();
    const found = model.file.columns.map(readOne);
    const complaints = found.map((one) => one.complaint).filter(Boolean);
    if (complaints.length) complain(complaints.includes(WRONG) ? WRONG : DOUBTFUL);
    else if (found.every((one) => one.value === null)) complain(NOTHING);
    else return found.map((one) => one.value);
    return null;
  }

  function level(risk) {
    if (Math.abs(risk - 0.5) < undecided) return "warn";
    return risk > 0.5 ? "bad" : "good";
  }

  function showWarnings(sentences) {
    part("unlike").hidden = !sentences.length;
    part("unlike").querySelector("ul").replaceChildren(...sentences.map((sentence) => {
      const item = document.createElement("li");
      item.textContent = sentence;
      return item;
    }));
  }

  function showKnown(values) {
    const known = values.filter((value) => value !== null).length;
    const few = 2 * known < values.length;
    part("known").textContent = `From ${known} of ${values.length} values${few ? ": the less is known, the more the answer is that for the average patient" : ""}.`;
  }

  function showRisk({ risk, interval }) {
    const disease = model.file.classes.at(-1);
    const text = percent(risk);
    part("percent").textContent = text;
    part("figure").classList.toggle("long", text.length > 4);
    part("arc").setAttribute("class", `arc-${level(risk)}`);
    part("arc").setAttribute("stroke-dasharray", `${(100 * risk).toFixed(1)} 200`);
    for (const badge of device.querySelectorAll("[data-level]")) badge.hidden = badge.dataset.level !== level(risk);
    part("interval").hidden = part("hundred").hidden = interval === null;
    if (interval === null) return;
    part("interval").textContent = range(interval);
    const many = Math.round(100 * risk);
    part("hundred").textContent = `Of 100 patients of the federation’s hospitals for whom the model gives this answer, about ${many} have ${disease}.`;
  }

  const tenths = (share) => `${(100 * share).toFixed(1)} %`;

  function showReasons(values) {
    const { columns } = model.file;
    const found = explain((some) => model.predict(some).risk, values);
    part("reasons").hidden = found === null;
    part("no-reasons").hidden = found !== null;
    if (found === null) return;
    part("baseline").textContent = tenths(found.baseline);
    part("total").textContent = tenths(found.risk);
    const tell = (at) => [columns[at].label, valueWords(columns[at], values[at])];
    part("rows").replaceChildren(...rows(document.getElementById("reason"), found, tell));
    const unknown = columns.filter((_, at) => values[at] === null).map((column) => column.label);
    part("unknown").hidden = !unknown.length;
    part("unknown").textContent = `Not known, so without an effect: ${unknown.join(", ")}.`;
  }

  function showScore({ score }) {
    const disease = model.file.classes.at(-1);
    const curve = model.file.calibration;
    const alike = `weighs patients with and without ${disease} alike, however rare it is`;
    part("score").textContent = curve
      ? `The model itself says ${tenths(score)}: it ${alike}. What is shown was fitted to ${Math.round(curve.rows)} test patients of the hospitals, so that it comes true as often as it says there. The interval tells how far their number alone lets it vary.`
      : `The model ${alike} around you: 50 % means that it cannot tell them apart. There are too few test patients to fit it to.`;
  }

  function predict(event) {
    event.preventDefault();
    part("result").hidden = true;
    const values = model && read();
    if (!values) return;
    const found = model.predict(values);
    showWarnings(warnings(model.compare(values)));
    showKnown(values);
    showRisk(found);
    showScore(found);
    showReasons(values);
    part("result").hidden = false;
    part("risk").focus();
  }

  function forget() {
    clearErrors();
    forgetDoubts();
    part("result").hidden = true;
  }

  form.addEventListener("submit", predict);
  // A result stands beside the values that it is of, or not at all.
  form.addEventListener("input", () => { part("result").hidden = true; });
  form.addEventListener("reset", forget);
  window.addEventListener("pagehide", () => form.reset());
  start();
});
