/* A model computed as the server computes it, from its file (docs/formats.md, "Model for a device"): numbers only, no page
   and no network. Weights and inputs are float32 as on the server; sums are float64. */
"use strict";

window.DeviceModel = (() => {
  const FORMAT = "consilium/device-model/v1";
  const LABEL = "consilium/model/v1";
  const NETWORK = "mlp";
  const MOMENTS = 3;
  const UNREADABLE = "What the server sent is no model that this page can read. Reload the page; if it stays so, tell an administrator.";
  const WITH_POINT = " Write a point before the fraction, as in 0.5, and nothing between thousands.";

  /* A sentence for the person: why there is no model, or what is wrong with a value. */
  class Refused extends Error {}

  const short = (digest) => `${digest.slice(0, 10)}…`;

  async function sha256(bytes) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /* Deterministic CBOR, as far as a model needs it: whole numbers, byte strings, texts, arrays. */
  function decode(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;

    function size(short) {
      const start = at;
      if (short < 24) return short;
      if (short === 24) { at += 1; return view.getUint8(start); }
      if (short === 25) { at += 2; return view.getUint16(start); }
      if (short === 26) { at += 4; return view.getUint32(start); }
      throw new Refused(UNREADABLE);
    }

    function item() {
      const first = view.getUint8(at);
      at += 1;
      const kind = first >> 5;
      const length = size(first & 31);
      if (kind === 0) return length;
      if (kind === 4) return Array.from({ length }, item);
      if ((kind !== 2 && kind !== 3) || at + length > bytes.length) throw new Refused(UNREADABLE);
      const part = bytes.subarray(at, at + length);
      at += length;
      return kind === 2 ? part : new TextDecoder("utf-8", { fatal: true }).decode(part);
    }

    const found = item();
    if (at !== bytes.length) throw new Refused(UNREADABLE);
    return found;
  }

  function floats(bytes, count) {
    if (bytes.length !== 4 * count) throw new Refused(UNREADABLE);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Float64Array.from({ length: count }, (_, at) => view.getFloat32(4 * at, true));
  }

  /* The layers of a network of columns: weights (outputs, inputs), row-major, and biases. */
  function layersOf(bytes, inputs, outputs) {
    const [label, network, ...tensors] = decode(bytes);
    if (label !== LABEL || network !== NETWORK || !tensors.length || tensors.length % 2) throw new Refused(UNREADABLE);
    const layers = [];
    let width = inputs;
    for (let at = 0; at < tensors.length; at += 2) {
      const [, [rows, columns], weights] = tensors[at];
      const [, [length], biases] = tensors[at + 1];
      if (columns !== width || length !== rows) throw new Refused(UNREADABLE);
      layers.push({ rows, columns, weights: floats(weights, rows * columns), biases: floats(biases, rows) });
      width = rows;
    }
    if (width !== outputs) throw new Refused(UNREADABLE);
    return layers;
  }

  /* Count, mean and deviation of each input, in units of half the column's range. */
  function momentsOf(text, task, inputs, constant) {
    const { sums, task: of, version } = JSON.parse(text);
    if (version !== 1 || of !== task || sums.length !== MOMENTS * inputs) throw new Refused(UNREADABLE);
    return Array.from({ length: inputs }, (_, at) => {
      const rows = Math.max(sums[at], 1);
      const mean = sums[inputs + at] / rows;
      const variance = sums[2 * inputs + at] / rows - mean * mean;
      return { count: sums[at], mean, deviation: variance > constant ? Math.sqrt(variance) : 0 };
    });
  }

  const inputsOf = (column) => (column.kind === "category" ? column.categories.length : 1);
  const centre = (column) => (column.high + column.low) / 2;
  const half = (column) => (column.high - column.low) / 2;

  /* A column's inputs before they are standardised; null where the value is missing. */
  function scaled(column, value) {
    if (value === null) return Array(inputsOf(column)).fill(null);
    if (column.kind === "category") return column.categories.map((_, at) => (value === at ? 1 : 0));
    return [(value - centre(column)) / half(column)];
  }

  function encode(file, moments, values) {
    const found = file.columns.flatMap((column, at) => scaled(column, values[at]));
    return found.map((z, at) => {
      const { mean, deviation } = moments[at];
      if (z === null || deviation === 0) return 0;
      const standard = (z - mean) / deviation;
      return Math.fround(Math.min(Math.max(standard, -file.input_bound), file.input_bound));
    });
  }

  function forward(layers, inputs) {
    return layers.reduce((before, { rows, columns, weights, biases }, depth) => {
      const last = depth === layers.length - 1;
      return Array.from({ length: rows }, (_, row) => {
        let sum = biases[row];
        for (let at = 0; at < columns; at += 1) sum += weights[row * columns + at] * before[at];
        return last ? sum : Math.max(sum, 0);
      });
    }, inputs);
  }

  function softmax(logits) {
    const most = Math.max(...logits);
    const powers = logits.map((one) => Math.exp(one - most));
    const total = powers.reduce((sum, one) => sum + one, 0);
    return powers.map((one) => one / total);
  }

  const sigmoid = (value) => 1 / (1 + Math.exp(-Math.min(Math.max(value, -700), 700)));

  /* The calibrated risk and its 95 % interval; the score itself where there is no curve. */
  function calibrated(curve, score) {
    if (curve === null) return { risk: score, interval: null };
    const cut = Math.min(Math.max(score, curve.lowest), curve.highest);
    const odds = Math.log(cut) - Math.log1p(-cut);
    const middle = curve.slope * odds + curve.intercept;
    const [[a, b], [c, d]] = curve.covariance;
    const spread = curve.z95 * Math.sqrt(a * odds * odds + (b + c) * odds + d);
    return { risk: sigmoid(middle), interval: [sigmoid(middle - spread), sigmoid(middle + spread)] };
  }

  function share(column, value, own) {
    if (column.kind === "category") return own[value].mean;
    const ones = (own[0].mean + 1) / 2;
    return value === 1 ? ones : 1 - ones;
  }

  /* What is unusual about a patient, and how far the numbers lie from the federation's means as a whole. */
  function compare(file, moments, values) {
    const { far, rare, z99 } = file.familiarity;
    const unusual = [];
    const squares = [];
    let start = 0;
    file.columns.forEach((column, at) => {
      const value = values[at];
      const own = moments.slice(start, start + inputsOf(column));
      start += own.length;
      if (value === null || !own.some((one) => one.count)) return;
      if (column.kind !== "number") {
        const part = share(column, value, own);
        if (part < rare) unusual.push({ column, value, share: part });
      } else if (own[0].deviation > 0) {
        const deviations = (scaled(column, value)[0] - own[0].mean) / own[0].deviation;
        squares.push(deviations * deviations);
        const mean = centre(column) + own[0].mean * half(column);
        if (Math.abs(deviations) > far) unusual.push({ column, value, deviations, mean });
      }
    });
    const count = squares.length;
    if (!count) return { unusual, distance: null, limit: Infinity };
    const spread = 2 / (9 * count);
    const limit = Math.sqrt((1 - spread + z99 * Math.sqrt(spread)) ** 3);
    return { unusual, distance: Math.sqrt(squares.reduce((sum, one) => sum + one, 0) / count), limit };
  }

  const ownUnit = (column) => ({ name: column.unit, factor: 1 });

  /* The units in which a column's numbers may be typed, its own first. */
  const unitsOf = (column) => column.units.map(([name, factor]) => ({ name, factor }));

  /* A range that is given in the column's unit, in words; in another unit rounded to a tenth, inwards. */
  function bounds([low, high], unit) {
    const tenth = (round, end) => (unit.factor === 1 ? end : round((end / unit.factor) * 10) / 10);
    return `${tenth(Math.ceil, low)} to ${tenth(Math.floor, high)} ${unit.name}`.replaceAll("-", "\u2212").trim();
  }

  const possible = (column, value) => value >= column.low && value <= column.high;

  /* Six digits of a converted number are kept, as on the server (fl/datasets/units.py). */
  const converted = (number, { factor }) => (factor === 1 ? number : Number((number * factor).toPrecision(6)));

  function readNumber(text) {
    const plain = text.replace("\u2212", "-");
    const isNumber = /^[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d{1,3})?$/.test(plain);
    const isThousands = /^[+-]?[1-9]\d{0,2}(,\d{3})+$/.test(plain);
    return isNumber && !isThousands ? Number(plain.replace(",", ".")) : NaN;
  }

  function parseNumber(column, text, unit) {
    const number = readNumber(text);
    const value = converted(number, unit);
    if (column.zero_is_missing && value === 0) return null;
    if (possible(column, value)) return value;
    throw new Refused(`Expected a number from ${bounds([column.low, column.high], unit)}, got “${text}”.${hint(column, text, number, unit)}`);
  }

  /* What to write instead of what is no number, or in which unit it would be possible. */
  function hint(column, text, number, unit) {
    if (Number.isNaN(number)) return text.includes(",") ? WITH_POINT : "";
    const other = unitsOf(column).find((one) => one.name !== unit.name && possible(column, converted(number, one)));
    return other ? ` In ${other.name} it would be possible: is the unit right?` : "";
  }

  /* The value, in the column's unit, that a person typed in `unit` or chose; null where it is not known. */
  function parse(column, typed, unit = ownUnit(column)) {
    const text = typed.trim();
    if (!text) return null;
    if (column.kind === "number") return parseNumber(column, text, unit);
    const at = column.categories.findIndex(([value]) => value === text);
    if (at < 0) throw new Refused(`Expected one of ${column.categories.map(([, label]) => label).join(", ")}.`);
    return at;
  }

  /* Whether a value is possible but not plausible, so that a person is asked about it. */
  function isDoubtful(column, value) {
    return value !== null && column.plausible !== null && (value < column.plausible[0] || value > column.plausible[1]);
  }

  /* What is asked of a doubtful value, and what is ticked to confirm it. */
  function question(column, typed, unit) {
    const words = `${Number(readNumber(typed.trim()).toPrecision(6))} ${unit.name}`.replace("-", "\u2212").trim();
    return {
      asks: `Is ${words} right? Of 100 published patients, 99 have ${bounds(column.plausible, unit)}.`,
      confirms: `Yes, ${words} is right`,
    };
  }

  async function require(what, verb, bytes, expected) {
    const found = await sha256(bytes);
    if (found === expected) return found;
    throw new Refused(
      `The ${what} that arrived ${verb} the hash ${short(found)}, the ledger names ${short(expected)}. What arrived was altered, ` +
      "or another model was put into use since this page was opened. Reload the page; if it stays so, tell an administrator.");
  }

  /* Read a file whose model and statistics must have these hashes; with any others nothing is computed. */
  async function open(text, expected) {
    try {
      const file = JSON.parse(text);
      if (file.format !== FORMAT) throw new Refused(UNREADABLE);
      const body = Uint8Array.from(atob(file.model), (one) => one.charCodeAt(0));
      const found = {
        model: await require("model", "has", body, expected.model),
        statistics: await require("statistics", "have", new TextEncoder().encode(file.statistics), expected.statistics),
      };
      const inputs = file.columns.reduce((sum, column) => sum + inputsOf(column), 0);
      const layers = layersOf(body, inputs, file.classes.length);
      const moments = momentsOf(file.statistics, file.task, inputs, file.constant);
      /* Of values in the order of the columns, null where not known. */
      const predict = (values) => {
        const score = softmax(forward(layers, encode(file, moments, values))).at(-1);
        return { score, ...calibrated(file.calibration, score) };
      };
      return {
        file,
        found,
        predict,
        /* The warnings' grounds. */
        compare: (values) => compare(file, moments, values),
      };
    } catch (error) {
      throw error instanceof Refused ? error : new Refused(UNREADABLE);
    }
  }

  return { open, parse, isDoubtful, question, unitsOf, Refused };
})();
