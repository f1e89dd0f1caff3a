// The accuracy of a meter: load after load beside a reference, and a report to print. Nothing is stored: results are in this tab alone.
import { ask, change, path } from "./api.js";
import { AccuracyReport, key, loadName } from "./accuracyreport.js";
import { button, element, field, input, section, show } from "./element.js";
import { number } from "./format.js";
import { t } from "./language.js";
import { meterLink, ownMeter, pageHead, showHeader } from "./page.js";
import { opening } from "./problem.js";
import { may } from "./session.js";

const main = document.getElementById("main");
const name = ownMeter();
const SHOWN = ["watts", "volts", "amps", "power_factor"];

// A part that is not in the printed report.
function unprinted(title, ...parts) {
  const made = section(title, ...parts);
  made.classList.add("testing");
  return made;
}

const decimal = (text) => text.trim().replace(",", ".");

// What was found in this tab, which also outlives a reload: rows and skipped loads by their test point.
class Results {
  constructor() {
    Object.assign(this, { rows: {}, skipped: {}, summary: null, ...history.state?.accuracy });
  }

  keep(changes) {
    Object.assign(this, changes);
    history.replaceState({ accuracy: { rows: this.rows, skipped: this.skipped, summary: this.summary, reference: this.reference } }, "");
  }

  isDone(point) { return key(point) in this.rows || key(point) in this.skipped; }
}

class Testing {
  constructor(plan, results, report) {
    Object.assign(this, { plan, results, report });
    this.problem = element("p.problem", { role: "alert" });
    this.said = element("p.quiet", { role: "status" });
    this.toSet = element("p.to-set");
    this.load = element("select", { id: "load", name: "load" });
    this.load.addEventListener("change", () => this.#go(Number(this.load.value)));
    this.measure = element("button.button.main", { type: "submit" }, t("Measure"));
    this.skip = button("button.button", t("Skip this load"), () => this.#skip());
    this.form = element("form.statement", { "aria-label": t("Measure a load") },
      field(t("Reference: which device"), input("device", { maxlength: "100", value: results.reference?.device ?? "" })),
      field(t("Its class or error, per cent"), input("percent", { inputmode: "decimal", placeholder: number(0.5, 1), required: "", value: results.reference?.percent ?? "" })),
      element("p.wide", {}, t("What it shows: watts, or volts, amperes and power factor. Type all digits.")),
      ...[[t("Watts"), 1150.4, 1], [t("Volts"), 230.1, 1], [t("Amperes"), 5, 3], [t("Power factor"), 1, 0]].map(([title, example, decimals], place) =>
        field(title, input(SHOWN[place], { inputmode: "decimal", placeholder: number(example, decimals) }))), element("div.row.wide", {}, this.measure, this.skip));
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.#measure(); });
    this.root = unprinted(t("One load after the other"), field(t("Load"), this.load), this.toSet, this.form, this.said, this.problem);
    this.#next(0);
  }

  // The first load from here on that is neither measured nor skipped, else this one.
  #next(from) {
    const { points } = this.plan, turns = points.map((_, turn) => (from + turn) % points.length);
    this.#go(turns.find((place) => !this.results.isDone(points[place])) ?? from);
  }

  #go(place) {
    const { points, volts } = this.plan, { rows, skipped } = this.results, point = points[place];
    const state = (one) => (key(one) in rows ? ` – ${t("measured")}` : key(one) in skipped ? ` – ${t("skipped")}` : "");
    this.load.replaceChildren(...points.map((one, at) => element("option", { value: String(at) }, `${at + 1}. ${loadName(one)}${state(one)}`)));
    this.load.value = String(place);
    Object.assign(this, { place, point });
    show(this.toSet, t("Set {volts} V and {load}: about {watts} W.", { volts: number(volts, 0), load: loadName(point), watts: number(point.watts, 1) }));
  }

  #skip() {
    this.results.keep({ skipped: { ...this.results.skipped, [key(this.point)]: true } });
    show(this.said, t("Skipped: {load}", { load: loadName(this.point) }));
    this.#next(this.place);
  }

  async #measure() {
    const { point, place, plan, results } = this, typed = Object.fromEntries(new FormData(this.form));
    const { [key(point)]: _, ...others } = results.rows;
    const body = { amps: point.amps, power_factor: point.power_factor, basic_amps: plan.basic_amps, max_amps: plan.max_amps, rows: Object.values(others),
      reference_percent: Number(decimal(typed.percent)), shown: Object.fromEntries(SHOWN.map((one) => [one, decimal(typed[one])])) };
    this.#busy(true, t("Measuring… leave the load as it is."));
    try {
      const { row, summary } = await change("POST", `${path(name)}/accuracy/measure`, body);
      const { [key(point)]: __, ...skipped } = results.skipped;
      results.keep({ rows: { ...others, [key(point)]: row }, skipped, summary, reference: { device: typed.device.trim(), percent: typed.percent.trim() } });
      this.report.show(results);
      for (const one of SHOWN) this.form.elements[one].value = "";
      this.#busy(false, t("Measured: {load}, error {error} %, uncertain by {uncertainty} %.", { load: loadName(row), error: number(row.error_percent, 2), uncertainty: number(row.uncertainty_percent, 2) }));
      this.#next(place);
      this.form.elements.watts.focus();
    } catch (error) {
      this.#busy(false, "");
      show(this.problem, error.message);
    }
  }

  // While it measures, the load stays as it was chosen.
  #busy(busy, text) {
    for (const one of [this.measure, this.skip, this.load]) one.disabled = busy;
    show(this.problem, "");
    show(this.said, text);
  }
}

// For which currents: other ones are another test, with an address of its own.
function currents(plan) {
  const basic = input("basic_amps", { inputmode: "decimal", value: String(plan.basic_amps) }), most = input("max_amps", { inputmode: "decimal", value: String(plan.max_amps) });
  const form = element("form.statement", { "aria-label": t("Currents of the meter") }, field(t("Basic current, A"), basic), field(t("Largest current, A"), most),
    element("div", {}, element("button.button", { type: "submit" }, t("Take these currents"))));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.search = String(new URLSearchParams({ basic_amps: decimal(basic.value), max_amps: decimal(most.value) }));
  });
  return unprinted(t("Currents of the meter"), element("p", {}, t("They decide which loads belong to the test; the type plate has them, as 5(60) A.")), form);
}

async function build({ zone }, session) {
  const title = t("Accuracy of {meter}", { meter: name });
  document.title = `${title} – wattrail`;
  const plan = await ask(`${path(name)}/accuracy/points${location.search}`), results = new Results(), report = new AccuracyReport(name, plan, zone);
  const head = pageHead(title, plan, meterLink("meter", name, t("Meter")), meterLink("calibration", name, t("Calibration")));
  const testing = may(session, "adjust") ? new Testing(plan, results, report).root :
    element("section.part.testing", { "aria-label": t("One load after the other") }, element("p", {}, t("Only who has the scope adjust can measure.")));
  main.replaceChildren(element("section.part", { "aria-label": title }, head,
    element("p.testing", {}, t("How far the numbers can be trusted: the meter beside a reference, at the loads of IEC 62053-21. Any load can be skipped.")),
    element("p.quiet.testing", {}, t("Nothing is stored: the results are in this tab alone. Print the report to keep it.")),
    element("p.quiet.testing", {}, t("The meter is on the mains meanwhile: read it through an isolator only, with the case closed."))), currents(plan), testing, report.root);
  report.show(results);
}

const session = await showHeader();
await opening(main, name, async () => build(await ask("about"), session));
