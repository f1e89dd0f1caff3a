// Manual entries: what people stated, a form for another one, a preview before it is kept, and a reversal for a typo.
import { ask, change, path } from "./api.js";
import { button, element, field, section, show, table } from "./element.js";
import { amount, date, dated, energy, kilowattHours, number } from "./format.js";
import { MANUAL } from "./ledgerwords.js";
import { t } from "./language.js";

export class ManualEntries {
  // `may`: the reader may state entries; `isMachine`: nobody has signed in, so the form asks for a name.
  constructor(meter, zone, may, isMachine, changed) {
    Object.assign(this, { meter, zone, may, isMachine, changed, wanted: null });
    this.list = element("ul.entries");
    this.preview = element("div.preview", { role: "region", "aria-label": t("Preview"), tabindex: "-1", hidden: "" });
    this.problem = element("p.problem", { role: "alert" });
    this.form = element("form.statement", { "aria-label": t("New manual entry") });
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.#look(this.#typed()); });
    this.root = section(t("Manual entries"), this.list,
      may ? element("h3", {}, t("State something")) : element("p.quiet", {}, t("Only who has the scope adjust can state something.")),
      may ? this.form : null, this.problem, this.preview);
  }

  take(ledger) {
    this.ledger = ledger;
    this.list.replaceChildren(...(ledger.manual.length ? ledger.manual.map((entry) => this.#row(entry)) :
      [element("li.quiet", {}, t("Nobody has stated anything yet."))]));
    if (this.may) this.#arrange();
  }

  #row(entry) {
    const undo = button("button.button.small", t("Reverse…"), () => this.#reverse(entry), { "aria-label": t("Reverse manual entry {number}", entry) });
    const said = entry.kind === "reset" ? t("The register began again after entry {about}.", entry)
      : entry.kind === "reversal" ? t("Manual entry {about} counts no longer.", entry) : amount(entry, exact);
    const at = dated(entry.stated_at, this.zone, { seconds: true });
    return element(`li.manual${entry.reversed_by ? ".is-reversed" : ""}`, { id: `manual-entry-${entry.number}`, tabindex: "-1" },
      element("span.number", {}, String(entry.number)), element("span.kind", {}, MANUAL[entry.kind]), element("span.when", {}, at), element("span.what", {}, said),
      this.may && entry.is_reversible ? undo : element("span", {}, entry.reversed_by ? t("reversed by {number}", { number: entry.reversed_by }) : ""),
      element("span.why", {}, t("{who}: {reason}", entry)));
  }

  // The fields of the kind that is chosen.
  #arrange() {
    const { has_opening, assignable, may_reset } = this.ledger;
    const kinds = ["adjustment", ...(has_opening ? [] : ["opening"]), ...(assignable.length ? ["direction"] : []), ...(may_reset ? ["reset"] : [])];
    const kept = this.form.elements.kind?.value;
    this.kind = element("select", { id: "state-kind", name: "kind" }, ...kinds.map((kind) => element("option", { value: kind }, CHOICES[kind])));
    if (kinds.includes(kept)) this.kind.value = kept;
    this.kind.addEventListener("change", () => this.#fields());
    this.fields = element("div.statement.wide");
    const what = field(t("What"), this.kind);
    what.classList.add("wide");
    this.form.replaceChildren(what, this.fields);
    this.#fields();
  }

  #fields() {
    const kwh = (name, title) => field(title, element("input", { id: `state-${name}`, name, inputmode: "decimal", autocomplete: "off", placeholder: number(0, 3) }));
    const energies = [kwh("import_kwh", t("Import, kWh")), kwh("export_kwh", t("Export, kWh"))];
    const gaps = this.ledger.assignable.map((one) => element("option", { value: String(one.number) },
      t("Entry {number}, {day}: {energy} kWh", { number: one.number, day: date(one.start, this.zone), energy: energy(one.undirected_wh) })));
    const directions = [["import", t("Import")], ["export", t("Export")]].map(([value, title]) => element("option", { value }, title));
    const own = {
      adjustment: energies, opening: energies, reset: [],
      direction: [field(t("Gap"), element("select", { id: "state-about", name: "about" }, ...gaps)), field(t("Direction"), element("select", { id: "state-direction", name: "direction" }, ...directions))],
    }[this.kind.value];
    this.fields.replaceChildren(element("p.quiet.wide", {}, EXPLAINED[this.kind.value]), ...own, ...this.#why(),
      element("div.wide", {}, element("button.button.main", { type: "submit" }, t("Preview"))));
    this.#clear();
  }

  #why() {
    const reason = element("input", { id: "state-reason", name: "reason", maxlength: "500", required: "", autocomplete: "off" });
    const who = element("input", { id: "state-who", name: "who", maxlength: "100", autocomplete: "name" });
    return [field(t("Why"), reason), ...(this.isMachine ? [field(t("Your name"), who)] : [])];
  }

  #typed() {
    const typed = Object.fromEntries(new FormData(this.form));
    for (const name of ["import_kwh", "export_kwh"]) if (name in typed) typed[name] = plain(typed[name]) || "0";
    return { ...typed, ...(typed.about ? { about: Number(typed.about) } : {}) };
  }

  #reverse(entry) {
    const form = element("form.statement", { "aria-label": t("Reverse manual entry {number}", entry) }, ...this.#why(),
      element("div.wide", {}, element("button.button.main", { type: "submit" }, t("Preview"))));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#look({ ...Object.fromEntries(new FormData(form)), kind: "reversal", about: entry.number });
    });
    this.#clear();
    this.fields.replaceChildren();
    this.form.hidden = true;
    this.preview.replaceChildren(element("h3", {}, t("Reverse manual entry {number}", entry)), element("p.quiet", {}, EXPLAINED.reversal), form, this.#cancel());
    this.preview.hidden = false;
    form.elements.reason.focus();
  }

  #clear() {
    this.wanted = null;
    this.preview.hidden = true;
    show(this.problem, "");
  }

  #cancel() {
    return element("div.row", {}, button("button.button", t("Cancel"), () => { this.form.hidden = false; this.#clear(); this.#fields(); this.kind.focus(); }));
  }

  async #look(wanted) {
    show(this.problem, "");
    if ([wanted.import_kwh, wanted.export_kwh].some((text) => text !== undefined && !/^-?\d{1,9}(\.\d+)?$/.test(text))) {
      return show(this.problem, t("Energy is written as a number of kilowatt-hours, such as 12.345."));
    }
    const { reason, who, ...asked } = wanted;
    try {
      const found = await ask(`${path(this.meter)}/ledger/preview?${new URLSearchParams(asked)}`);
      this.wanted = { ...wanted, number: found.number };
      this.#showPreview(found);
    } catch (error) {
      show(this.problem, error.message);
    }
  }

  #showPreview(found) {
    const keep = button("button.button.main", t("Keep it for ever"), () => this.#keep(keep)), row = this.#cancel();
    row.prepend(keep);
    const pairs = [
      [t("Import register"), found.before.import_wh, found.after.import_wh, kilowattHours], [t("Export register"), found.before.export_wh, found.after.export_wh, kilowattHours],
      [t("Reversed, still in the registers"), total(found.left_before), total(found.left_after), kilowattHours],
      ...found.periods.flatMap(({ by, label, before, after }) => [
        [`${by === "day" ? t("Import on {label}", { label }) : t("Import in {label}", { label })}`, before.import_wh, after.import_wh, exact],
        [`${by === "day" ? t("Export on {label}", { label }) : t("Export in {label}", { label })}`, before.export_wh, after.export_wh, exact],
      ]),
    ];
    const lines = pairs.filter(([, before, after], place) => place < 2 || before !== after).map(([title, before, after, written]) => element(`tr${before === after ? "" : ".changed"}`, {},
      element("th", { scope: "row" }, title), element("td", {}, written(before)), element("td", {}, written(after))));
    const resets = found.reset.map((one) => element("p.quiet", {}, one.goes_on_from_wh === null
      ? t("Register {name}: booked up to {booked} kWh; counting goes on from what the meter shows next.", { name: one.name, booked: kilowattHours(one.booked_wh) })
      : t("Register {name}: booked up to {booked} kWh; counting goes on from {next} kWh.", { name: one.name, booked: kilowattHours(one.booked_wh), next: kilowattHours(one.goes_on_from_wh) })));
    this.preview.replaceChildren(element("h3", {}, t("Preview: {kind}, manual entry {number}", { kind: MANUAL[found.entry.kind], number: found.number })),
      element("p", {}, amount(found.entry, exact)), ...resets,
      table("table.bills", t("Before and after"), ["kWh", t("before"), t("after")], lines),
      element("p.quiet", {}, ["reset", "reversal"].includes(found.entry.kind) ? t("This cannot be taken back.") : t("Entries are never edited. If it is wrong, it can be reversed.")), row);
    this.preview.hidden = false;
    this.preview.focus();
  }

  async #keep(button) {
    button.disabled = true;
    try {
      const kept = await change("POST", `${path(this.meter)}/ledger/manual`, this.wanted);
      this.form.hidden = false;
      this.form.reset();
      await this.changed();
      document.getElementById(`manual-entry-${kept.number}`)?.focus();
      this.#clear();
    } catch (error) {
      show(this.problem, error.message);
      button.disabled = false;
    }
  }
}

const CHOICES = {
  adjustment: t("Energy that was never counted"), opening: t("What an older meter showed"), direction: t("The direction of a gap"), reset: t("The meter was reset or exchanged"),
};
const EXPLAINED = {
  adjustment: t("Energy that belongs to this meter and that it never counted. It counts today."),
  opening: t("The display of the meter that was here before. It is part of the register, and of no day."),
  direction: t("Energy of a gap of which nothing proves whether it was import or export."),
  reset: t("Counting goes on from what the meter shows now, and its registers go on from where they stand."),
  reversal: t("Days, months and bills will be as if it had never been stated. Registers never fall: they keep it, until what you state next has used it up."),
};

const total = ({ import_wh, export_wh }) => import_wh + export_wh;
const exact = (wh) => number(wh / 1000, 3);

// A number as people write it, with a point for the decimals.
const plain = (text) => text.trim().replace(/\s/g, "").replace(",", ".");
