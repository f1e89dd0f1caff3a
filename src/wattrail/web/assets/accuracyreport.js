// The report of an accuracy test: a table of loads beside the limits of a class, what follows, and how it was found.
import { button, element, field, pairs, section, table } from "./element.js";
import { SIMULATED, dated, number } from "./format.js";
import { t } from "./language.js";
import { meterLink } from "./page.js";
import { said } from "./said.js";

const PHASES = { "1": t("power factor 1"), "0.5 inductive": t("power factor 0.5 inductive"), "0.8 capacitive": t("power factor 0.8 capacitive") };
const VERDICTS = { holds: t("inside"), fails: t("outside"), open: t("not decided") };
const local = (value) => String(value).replace(".", number(0.5, 1).at(1));

// Under which a result is kept: a load is tested once.
export const key = ({ amps, power_factor: phase }) => `${amps} ${phase}`;

// "5 A, power factor 1"
export const loadName = ({ amps, power_factor: phase }) => `${local(amps)} A, ${PHASES[phase]}`;

const signed = (value, decimals) => `${value > 0 ? "+" : ""}${number(value, decimals)}`;
const verdict = (one) => element(`span.verdict.is-${one}`, {}, VERDICTS[one]);

export class AccuracyReport {
  constructor(name, plan, zone) {
    Object.assign(this, { name, plan, zone });
    this.class = element("select", { id: "class", name: "class" }, ...plan.classes.map(({ name: one }) => element("option", { value: one }, t("Class {name}", { name: local(one) }))));
    this.class.value = plan.classes[1].name;
    this.class.addEventListener("change", () => this.show(this.results));
    this.body = element("div");
    this.tools = element("div.row", {}, field(t("Limits of"), this.class), button("button.button", t("Print the report"), () => window.print()),
      meterLink("calibration", name, t("Calibrate this meter")));
    this.root = section(t("Report"), this.body, this.tools);
    this.root.classList.add("report");
  }

  show(results) {
    this.results = results;
    const rows = this.plan.points.map((point) => results.rows[key(point)]).filter(Boolean);
    this.tools.hidden = rows.length === 0;
    this.body.replaceChildren(...(rows.length ? [...this.#conditions(results), this.#table(rows), ...this.#outcome(results.summary)] : [element("p.quiet", {}, t("Nothing is measured yet."))]));
  }

  #conditions({ reference }) {
    const { volts, basic_amps: basic, max_amps: most } = this.plan;
    return [pairs("dl.facts-list", [[t("Meter"), this.name + (this.plan.simulated ? ` (${SIMULATED})` : "")], [t("Date"), dated(Date.now(), this.zone)],
      [t("Reference"), `${reference.device || t("not named")}, ${reference.percent} %`], [t("Currents"), t("{volts} V, basic {basic} A, largest {most} A", { volts: number(volts, 0), basic: local(basic), most: local(most) })]])];
  }

  #table(rows) {
    const title = t("Errors beside the limits of class {name}", { name: local(this.class.value) }) + (this.plan.simulated ? ` · ${SIMULATED}` : "");
    const heads = [t("Load"), t("Reference"), t("Meter"), t("Error"), t("Limit"), t("Result")];
    const made = table("table.bills", title, heads, rows.map((row) => this.#row(row)));
    made.firstChild.prepend(element("caption", {}, title));
    return made;
  }

  #row(row) {
    const { percent, verdict: kept } = row.limits.find(({ name }) => name === this.class.value);
    return element("tr", {}, element("th", { scope: "row" }, loadName(row)), element("td", {}, `${number(row.reference_watts, 1)} W`), element("td", {}, `${number(row.watts, 1)} W`),
      element("td", {}, `${signed(row.error_percent, 2)} ± ${number(row.uncertainty_percent, 2)} %`), element("td", {}, percent === null ? "–" : `${number(percent, 1)} %`),
      element("td", {}, kept === null ? t("no limit") : verdict(kept)));
  }

  #outcome({ best, tested, planned, classes, causes }) {
    const found = classes.find(({ name }) => name === best);
    const held = found ? t("Holds the limits of class {name} ({standard})", { ...found, name: local(found.name) }) : t("Holds none of the classes 0.5 S, 1 and 2 for certain");
    return [element("p.outcome", {}, tested === planned ? held : t("{held}, as far as tested: {tested} of {planned} loads", { held, tested, planned })),
      element("ul", {}, ...classes.map((one) => element("li", {}, `${t("Class {name}", { name: local(one.name) })}: `, verdict(one.verdict)))),
      ...(causes.length ? [element("h3", {}, t("What the errors look like")), element("ul", {}, ...causes.map((cause) => element("li", {}, said(cause))))] : []),
      element("p.quiet", {}, t("Power by ten readings of the gateway at each load. Uncertainties are for 95 % and contain scatter, the steps of meter and reference, and the reference's class. Inside and outside hold in spite of them; else it is not decided.")),
      element("p.quiet", {}, t("This is a test of errors at the conditions of that day, not a type test: the energy counter, starting current, creep without load, temperature, fields and harmonics are not in it, and only an accredited laboratory can certify a class."))];
  }
}
