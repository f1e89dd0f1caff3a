// Calibrating a meter against a reference: what holds, a measurement of one steady load, and a way back.
import { ask, change, path } from "./api.js";
import { button, element, field, input, section, show, table } from "./element.js";
import { dated, number } from "./format.js";
import { t } from "./language.js";
import { meterLink, ownMeter, pageHead, showHeader } from "./page.js";
import { opening } from "./problem.js";
import { said } from "./said.js";
import { may } from "./session.js";

const main = document.getElementById("main");
const name = ownMeter();
const CONSTANTS = [["counts_per_volt", t("Counts per volt")], ["counts_per_amp", t("Counts per ampere")], ["counts_per_watt", t("Counts per watt")]];
const ORIGINS = { measured: t("measured"), factory: t("from the factory"), settings: t("set by hand"), restored: t("put back") };
const LOADS = [["resistive", t("Heater, kettle (resistive)")], ["lagging", t("Motor (lagging)")], ["leading", t("Capacitor (leading)")]];

class Kept {
  constructor(zone, mayKeep) {
    Object.assign(this, { zone, mayKeep });
    this.problem = element("p.problem", { role: "alert" });
    this.list = element("ul.entries");
    this.scale = element("p");
    this.root = section(t("Kept calibrations"), this.scale, this.list, this.problem);
  }

  // The gateway knows what holds a moment before it is listed.
  async load(now = {}) {
    const found = { ...await ask(`${path(name)}/calibration`), ...now.scale ? { scale: now.scale } : {} };
    show(this.scale, found.scale ? t("What holds now: {scale}", { scale: said(found.scale) }) : "");
    this.list.replaceChildren(...(found.kept.length ? found.kept.map((one) => this.#row(one)) : [element("li.quiet", {}, t("None is kept yet."))]));
    return found;
  }

  #row(one) {
    const back = button("button.button.small", t("Put back"), async () => {
      back.disabled = true;
      await change("POST", `${path(name)}/calibration/restore`, { number: one.number }).then((now) => this.load(now)).catch((error) => { show(this.problem, error.message); });
    }, { "aria-label": t("Put calibration {number} back", one) });
    const values = CONSTANTS.map(([key]) => number(one.constants[key], 2)).join(" · ") + (one.constants.inverted ? ` · ${t("the other way round")}` : "");
    return element("li.manual", {}, element("span.number", {}, String(one.number)), element("span.kind", {}, one.is_newest ? t("newest") : ""), element("span.when", {}, dated(one.at, this.zone)), element("span.what", {}, values),
      this.mayKeep && !one.is_newest ? back : element("span"), element("span.why", {}, [`${ORIGINS[one.origin] ?? one.origin}, ${one.by}`, one.note].filter(Boolean).join(": ")));
  }
}

class Measurement {
  constructor(mayKeep, isMachine, kept) {
    Object.assign(this, { mayKeep, isMachine, kept });
    this.problem = element("p.problem", { role: "alert" });
    this.said = element("p.quiet", { role: "status" });
    this.result = element("div.preview", { role: "region", "aria-label": t("Result"), tabindex: "-1", hidden: "" });
    this.button = element("button.button.main", { type: "submit" }, t("Measure"));
    const loads = element("select", { id: "load", name: "load" }, ...LOADS.map(([value, title]) => element("option", { value }, title)));
    const shown = [["volts", t("Volts"), number(230.4, 1)], ["amps", t("Amperes"), number(4.35, 2)], ["watts", t("Watts"), number(1001, 0)]];
    this.form = element("form.statement", { "aria-label": t("Measure a load") }, ...shown.map(([one, title, placeholder]) =>
      field(title, input(one, { inputmode: "decimal", placeholder }))), field(t("Load"), loads), element("div.wide", {}, this.button));
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.#measure(); });
    this.root = section(t("Measure a load"), element("ol", {},
      element("li", {}, t("Switch on a load that holds still, such as a kettle or a heater, and nothing else behind the meter.")),
      element("li", {}, t("Type what a reference shows while it runs, with all its digits. Leave empty what it does not show.")),
      element("li", {}, t("Measure: the gateway takes ten readings, which lasts some ten seconds. Nothing is kept yet."))), this.form, this.said, this.problem, this.result);
  }

  async #measure() {
    const typed = Object.fromEntries([...new FormData(this.form)].map(([key, value]) => [key, key === "load" ? value : value.trim().replace(",", ".")]));
    this.button.disabled = true;
    this.result.hidden = true;
    show(this.problem, "");
    show(this.said, t("Measuring… leave the load as it is."));
    try {
      this.#show(await change("POST", `${path(name)}/calibration/measure`, typed));
    } catch (error) {
      show(this.problem, error.message);
    }
    show(this.said, "");
    this.button.disabled = false;
  }

  #show(found) {
    const rows = CONSTANTS.map(([key, title]) => {
      const error = found.uncertainty[key], change = found.after[key] / found.before[key] - 1;
      return element("tr", {}, element("th", { scope: "row" }, title), element("td", {}, number(found.before[key], 2)), element("td", {}, number(found.after[key], 2)),
        element("td", {}, `${number(100 * change, 2)} %`), element("td", {}, error === null || error === undefined ? t("not measured") : `${number(100 * error, 3)} %`));
    });
    const turned = found.after.inverted === found.before.inverted ? null : element("p", {}, t("The direction of power is turned round."));
    const parts = [element("h3", {}, t("Result")), table("table.bills", t("Constants before and after"), ["", t("before"), t("after"), t("change"), t("uncertain by")], rows), turned,
      element("ul.findings", {}, ...found.findings.map(({ text }) => element("li", {}, said(text)))), ...this.#keeping(found)];
    this.result.replaceChildren(...parts.filter(Boolean));
    this.result.hidden = false;
    this.result.focus();
  }

  // Remark, name and button; what speaks against it must be confirmed first.
  #keeping(found) {
    if (!this.mayKeep) return [element("p.quiet", {}, t("Only who has the scope admin can keep it."))];
    const stopping = found.findings.filter(({ stops }) => stops), note = input("note", { maxlength: "300" }), who = input("who", { maxlength: "100", autocomplete: "name" });
    const sure = element("input", { type: "checkbox", id: "sure" });
    const keep = button("button.button.main", t("Keep it"), () => this.#keep(keep, { number: found.number, note: note.value, who: this.isMachine ? who.value : "", allow: stopping.map(({ cause }) => cause) }));
    keep.disabled = stopping.length > 0;
    sure.addEventListener("change", () => { keep.disabled = !sure.checked; });
    return [element("div.statement", {}, field(t("Remark: which reference, which load"), note), this.isMachine ? field(t("Your name"), who) : null),
      stopping.length ? element("p.row", {}, sure, element("label", { for: "sure" }, t("The parts really are so: keep it in spite of this."))) : null,
      element("div.row", {}, keep), element("p.quiet", {}, t("The meter is read with it at once; the past keeps its own. A calibration in wattrail.toml wins over it."))];
  }

  async #keep(button, body) {
    button.disabled = true;
    try {
      const kept = await change("POST", `${path(name)}/calibration/keep`, body);
      this.result.replaceChildren(element("p.good", { role: "status" }, t("Kept as calibration {number}.", kept)));
      await this.kept.load(kept);
    } catch (error) {
      show(this.problem, error.message);
      button.disabled = false;
    }
  }
}

async function build({ zone }, session) {
  const mayKeep = may(session, "admin"), kept = new Kept(zone, mayKeep), found = await kept.load(), title = t("Calibration of {meter}", { meter: name });
  document.title = `${title} – wattrail`;
  const head = pageHead(title, found, meterLink("accuracy", name, t("Accuracy")));
  const cannot = (found.why_not && said(found.why_not)) ?? (may(session, "adjust") ? null : t("Only who has the scope adjust can measure."));
  main.replaceChildren(
    element("section.part", { "aria-label": title }, head, element("p", {}, t("A reference beside the meter shows how far its numbers are off. What is measured here scales what comes, never what was booked.")),
      element("p.quiet", {}, t("The meter is on the mains meanwhile: read it through an isolator only, with the case closed."))),
    cannot ? element("section.part", { "aria-label": t("Measure a load") }, element("p", {}, cannot)) : new Measurement(mayKeep, session.kind === "machine", kept).root, kept.root);
}

const session = await showHeader();
await opening(main, name, async () => build(await ask("about"), session));
