// Entries of the counter: by kind and by day, a page at a time, each with its evidence.
import { ask, path } from "./api.js";
import { plusDays } from "./calendar.js";
import { button, element, field, section } from "./element.js";
import { amount, span } from "./format.js";
import { KINDS, evidence } from "./ledgerwords.js";
import { t } from "./language.js";

const PAGE = 50;
const CHOICES = [
  ["remarkable", t("What happened")], ["all", t("All entries")], ["gap", t("Gaps")], ["restart", t("Restarts")],
  ["epoch", t("Calibrations")], ["clock", t("Clock was set")],
];

export class LedgerEntries {
  constructor(meter, zone) {
    Object.assign(this, { meter, zone, kind: "remarkable", day: "", last: null, turn: 0 });
    this.list = element("ol.entries");
    this.older = button("button.button", t("Older"), () => this.#more());
    this.said = element("p.quiet", { role: "status" });
    this.choice = element("select", { id: "entry-kind" }, ...CHOICES.map(([value, title]) => element("option", { value }, title)));
    this.date = element("input", { id: "entry-day", type: "date" });
    this.choice.addEventListener("change", () => this.show(this.choice.value, this.date.value));
    this.date.addEventListener("change", () => this.show(this.choice.value, this.date.value));
    this.root = section(t("Entries"),
      element("div.statement", {}, field(t("Show"), this.choice), field(t("Day"), this.date)), this.said, this.list, element("div.row", {}, this.older));
  }

  // From the newest on, or from the entry that an address names.
  async show(kind, day = "", named = null) {
    Object.assign(this, { kind, day, last: named === null ? null : named + 1, named, turn: this.turn + 1 });
    this.choice.value = kind;
    this.date.value = day;
    this.list.replaceChildren();
    await this.#more();
    const found = named === null ? null : document.getElementById(`entry-${named}`);
    if (!found) return;
    found.classList.add("is-named");
    found.querySelector("details").open = true;
    found.querySelector("summary").focus();
  }

  async #more() {
    const asked = new URLSearchParams({ kind: this.kind, limit: PAGE, ...(this.last ? { before: this.last } : {}), ...(this.day ? { from: this.day, to: plusDays(this.day, 1) } : {}) });
    const turn = this.turn;
    this.older.disabled = true;
    try {
      const found = await ask(`${path(this.meter)}/ledger/entries?${asked}`);
      if (turn !== this.turn) return; // another kind or day was chosen meanwhile
      this.list.append(...found.map((entry) => this.#row(entry)));
      this.last = found.at(-1)?.number ?? this.last;
      this.older.hidden = found.length < PAGE;
      this.said.textContent = this.list.childElementCount ? "" : t("There is no such entry.");
    } catch (error) {
      if (turn !== this.turn) return;
      this.said.textContent = error.message;
    }
    this.older.disabled = false;
  }

  #row(entry) {
    const details = element("div.evidence"), root = element("details", {}, element("summary", {},
      element("span.number", {}, String(entry.number)), element("span.kind", {}, KINDS[entry.kind] ?? entry.kind),
      element("span.when", {}, span(entry, this.zone, { seconds: true })), element("span.what", {}, amount(entry))), details);
    root.addEventListener("toggle", () => { if (root.open && !details.childElementCount) this.#explain(entry, details); });
    return element("li.entry", { id: `entry-${entry.number}` }, root);
  }

  async #explain(entry, details) {
    const whole = await ask(`${path(this.meter)}/ledger/entries/${entry.number}`).catch(() => entry);
    details.replaceChildren(element("ul", {}, ...evidence(whole, this.zone).map((line) => element("li", {}, line))));
  }
}
