// The oscilloscope of one meter: two curves on two axes, their harmonics as bars, and the powers.
import { ask, path } from "./api.js";
import { element, show } from "./element.js";
import { SIMULATED, number } from "./format.js";
import { t } from "./language.js";
import { ownMeter, showHeader } from "./page.js";
import { Plot, ticks } from "./plot.js";
import { loading, opening } from "./problem.js";
import { said } from "./said.js";

const EVERY = 1000;
const WIDE = 600;  // pixels in which every harmonic has room for its order
const FACTS = [t("Frequency"), t("Voltage"), t("Current"), t("Active power"), t("Reactive power"), t("Apparent power"), t("Power factor"), t("Reads")];
const main = document.getElementById("main");
const name = ownMeter();
let last = null;

// Zero at the same height on both axes: each reaches as far up as down.
function reach(points) {
  const most = Math.max(...points.map(([, value]) => Math.abs(value))) * 1.1 || 1;
  const digits = 10 ** Math.floor(Math.log10(most));
  return Math.ceil(most / digits * 2) / 2 * digits;
}

function shape({ crest, thd_percent: thd, thd_uncertainty_percent: uncertain }) {
  const factor = t("crest factor {value}", { value: number(crest ?? 0, 2) });
  return thd === null ? factor : `${t("THD {value} ± {uncertainty} %", { value: number(thd, 1), uncertainty: number(uncertain, 1) })}, ${factor}`;
}

// Three digits, as the reader's language writes them.
const digits = (value) => number(value, (String(+value.toPrecision(3)).split(".")[1] ?? "").length);

// In the order of FACTS.
function facts(wave) {
  const amount = (value, unit) => (value === null ? "–" : `${number(value, 1)} ${unit}`);
  const known = wave.amps_known;
  return [
    [`${number(wave.hertz, 2)} Hz`, ""],
    [`${number(wave.volts.rms, 1)} V`, shape(wave.volts)],
    known ? [`${number(wave.amps.rms, 3)} A`, shape(wave.amps)] : [t("No load"), t("below the chip's threshold")],
    [amount(wave.watts, "W"), known ? (wave.watts < 0 ? t("Export") : t("Import")) : ""],
    [amount(wave.vars, "var"), known ? t("of the fundamental") : ""],
    [amount(wave.volt_amps, "VA"), ""],
    [known ? number(wave.power_factor ?? 0, 3) : "–", ""],
    [`${number(wave.samples_per_s, 0)} / s`, t("for each curve; longest gap {ms} ms", { ms: number(wave.longest_gap_ms, 1) })],
  ];
}

class Page {
  constructor(meter) {
    this.facts = [];
    this.notice = element("div.notice", { role: "status" }, (this.why = element("p.error", {}, t("Capturing…"))), (this.hint = element("p.hint")));
    const upper = element("div.plot", { role: "img", "aria-label": t("Voltage and current of {meter} over two periods", { meter: meter.name }) });
    const lower = element("div.plot", { role: "img", "aria-label": t("Harmonics of {meter} in per cent of the first", { meter: meter.name }) });
    this.body = element("div.curves", { hidden: "" }, legend(), upper, element("dl.facts", {}, ...FACTS.map((fact) => this.#fact(fact))), lower);
    main.replaceChildren(element("article.meter", {},
      element("header", {},
        element("div.who", {}, element("h2", {}, t("Oscilloscope of {meter}", { meter: meter.name })), element("p.url", {}, meter.url)),
        meter.simulated ? element("div.marks", {}, element("span.badge", {}, SIMULATED)) : null),
      this.notice, this.body));
    this.curves = new Plot(upper, { tip: (ms) => this.#tip(ms) });
    this.bars = new Plot(lower, { tip: (order) => this.#harmonic(Math.round(order)) });
  }

  show(wave) {
    const why = wave.why_not ?? (wave.volts ? "" : t("Capturing…"));
    this.notice.hidden = !why;
    show(this.why, said(why));
    show(this.hint, said(wave.hint));
    if (!wave.volts || wave.capture === last?.capture) return;
    last = wave;
    this.body.hidden = false;
    facts(wave).forEach(([value, more], n) => {
      show(this.facts[n][0], value);
      show(this.facts[n][1], more);
    });
    this.#draw(wave);
  }

  #fact(fact) {
    const values = [element("dd"), element("dd.more")];
    this.facts.push(values);
    return element("div", {}, element("dt", {}, fact), ...values);
  }

  #draw({ volts, amps, amps_known: known, volts: { harmonics_percent: upper }, amps: { harmonics_percent: lower } }) {
    const unit = known ? "A" : t("counts");
    const end = volts.points.at(-1)[0];
    const axis = (most, of) => ({ range: [-most, most], ticks: [-most, -most / 2, 0, most / 2, most], label: (v) => `${digits(v)} ${of}` });
    this.curves.draw({
      x: { range: [0, end], ticks: ticks(0, end, 5).filter((ms) => ms < end), label: (ms) => `${digits(ms)} ms` },
      axes: [axis(reach(volts.points), "V"), axis(reach(amps.points), unit)],
      lines: [{ points: volts.points, axis: 0, css: "volts" }, { points: amps.points, axis: 1, css: "amps" }],
    });
    const high = Math.max(1, ...upper, ...lower) * 1.1;
    const orders = upper.map((_, n) => n + 2);
    this.bars.draw({
      x: { range: [1.5, orders.at(-1) + 0.5], ticks: orders.filter((n) => n % 2 || (orders.length < 20 && innerWidth > WIDE)), label: String },
      axes: [{ range: [0, high], ticks: ticks(0, high, 4), label: (v) => `${digits(v)} %` }],
      bars: [{ values: upper, css: "volts" }, { values: lower, css: "amps" }],
    });
  }

  #tip(ms) {
    const n = Math.round(ms / last.volts.points[1][0]);
    const at = (trace) => trace.points[Math.min(n, trace.points.length - 1)][1];
    return `${number(ms, 2)} ms  ${number(at(last.volts), 1)} V  ${number(at(last.amps), 3)} ${last.amps_known ? "A" : t("counts")}`;
  }

  #harmonic(order) {
    const of = (trace) => trace.harmonics_percent[order - 2];
    if (of(last.volts) === undefined) return null;
    return t("{order}: {volts} % of voltage, {amps} % of current",
      { order, volts: number(of(last.volts), 2), amps: number(of(last.amps), 2) });
  }
}

function legend() {
  return element("p.legend", {}, element("span.key.volts", {}, t("Voltage")), element("span.key.amps", {}, t("Current")));
}

async function refresh(page) {
  try {
    page.show(await ask(`${path(name)}/waveform`));
  } catch (error) {
    page.show({ why_not: error.message, hint: null });
  }
  setTimeout(() => refresh(page), EVERY);
}

showHeader();
main.className = "scope";
loading(main);
document.title = `${name} – ${t("Oscilloscope")}`;
await opening(main, name, async () => refresh(new Page(await ask(path(name)))));

window.wattrailScope = { last: () => last };
