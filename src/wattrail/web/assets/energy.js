// Energy of a day, week, month or year as bars, beside the period before, with its sum and its cost.
import { ask, path } from "./api.js";
import { Bars, comparedWith, importedFrom } from "./bars.js";
import { KINDS, plusDays, shifted, spanOf, today } from "./calendar.js";
import { button, element, show } from "./element.js";
import { FULL_DATE, date, energy, money } from "./format.js";
import { t } from "./language.js";

const booked = ({ import_wh, export_wh, undirected_wh }) => import_wh + export_wh + undirected_wh;

const originsOf = (periods) => [...new Set(periods.flatMap(({ imported }) => imported?.origins ?? []))];

const TITLES = { day: t("Day"), week: t("Week"), month: t("Month"), year: t("Year") };
const FINER = { month: "day", week: "day", year: "month" };
const LABELS = { hour: { hour: "2-digit" }, day: { day: "numeric" }, month: { month: "short" } };
const NAMES = {
  hour: { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  day: { weekday: "short", day: "numeric", month: "short" }, month: { month: "long", year: "numeric" },
};

export class EnergyByPeriod {
  // `look(from, to)` is called in milliseconds when an hour or a day was chosen that has no finer bars.
  constructor(meter, { zone, tariffs, example_tariff: example }, look) {
    Object.assign(this, { meter, zone, tariffs, example, look, periods: [], asked: 0 });
    this.title = element("h3", { "aria-live": "polite" });
    this.sum = element("p.sum");
    this.nothing = element("p.nothing", {}, t("No energy was booked in this time."));
    this.plot = element("div.plot", {}, this.nothing);
    this.table = element("tbody");
    this.kinds = KINDS.map((kind) => this.#button(kind, TITLES[kind], () => this.go(spanOf(kind, this.#anchor()))));
    this.later = this.#button("later", "›", () => this.go(shifted(this.span, 1)), t("Later"));
    this.root = element("div.energy-by-period", {},
      element("div.tools", {}, element("div.choice", { role: "group", "aria-label": t("Period") }, ...this.kinds),
        element("div.choice", { role: "group", "aria-label": t("Move") }, this.#button("earlier", "‹", () => this.go(shifted(this.span, -1)), t("Earlier")), this.later)),
      this.title, this.sum, this.plot, this.#numbers());
    this.bars = new Bars(this.plot, (n) => this.#chosen(n));
    this.go(spanOf("month", today(zone)));
  }

  async go(span) {
    const asked = (this.asked += 1), before = shifted(span, -1);
    this.span = span;
    show(this.title, this.#name());
    this.kinds.forEach((button) => button.setAttribute("aria-pressed", String(button.value === span.kind)));
    this.later.disabled = span.to > today(this.zone);
    const [now, then, cost] = await Promise.all([this.#energy(span), this.#energy(before), this.#cost(span)]);
    if (asked !== this.asked) return;
    this.periods = now.periods;
    this.#draw(now, then, cost);
  }

  #energy({ from, to, by }) {
    return ask(`${path(this.meter)}/energy?from=${from}&to=${to}&by=${by}`).catch((error) => ({ periods: [], error: error.message }));
  }

  // The bill of a month at the first tariff; other spans have none, for standing charges belong to months.
  #cost({ kind, from, to }) {
    if (kind !== "month" || !this.tariffs.length) return null;
    return ask(`${path(this.meter)}/costs?${new URLSearchParams({ from, to, tariff: this.tariffs[0] })}`).catch(() => null);
  }

  #draw(now, then, cost) {
    const { by } = this.span, { zone } = this;
    const bars = now.periods.map((period, n) => ({
      ...period, before: then.periods[n] ?? null, doubtful: booked(period.gaps) > 0,
      label: date(period.start, zone, LABELS[by]), name: date(period.start, zone, NAMES[by]),
    }));
    const total = (periods, way) => periods.reduce((sum, period) => sum + period[`${way}_wh`], 0);
    const used = total(now.periods, "import"), fed = total(now.periods, "export"), earlier = total(then.periods, "import");
    const facts = [t("import {energy} kWh", { energy: energy(used) })];
    if (fed) facts.push(t("export {energy} kWh", { energy: energy(fed) }));
    const imported = originsOf(now.periods);
    if (imported.length) facts.push(t("imported from {origin}", { origin: imported.join(", ") }));
    // a bill is made of the ledger alone: beside energy that it does not hold it would be taken for the price of all
    else if (cost?.bills.length === 1) {
      const paid = { cost: money(Number(cost.bills[0].total), cost.currency) };
      facts.push(cost.tariff === this.example ? t("cost {cost} at an example tariff", paid) : t("cost {cost}", paid));
    }
    if (earlier) facts.push(comparedWith(earlier, originsOf(then.periods)));
    show(this.sum, now.error ?? facts.join(" · "));
    this.plot.classList.toggle("is-drawn", used + fed > 0);
    this.bars.draw(bars);
    this.table.replaceChildren(...bars.map((bar) => element("tr", {}, element("th", { scope: "row" }, bar.name),
      element("td", {}, energy(bar.import_wh)), element("td", {}, energy(bar.export_wh)),
      element("td", {}, [...(bar.doubtful ? [t("holds energy of a gap")] : []), ...importedFrom(bar)].join(", ")))));
  }

  #chosen(n) {
    const period = this.periods[n];
    if (!period) return;
    const finer = FINER[this.span.kind];
    if (finer) this.go(spanOf(finer, new Date(period.start).toLocaleDateString("sv-SE", { timeZone: this.zone ?? undefined })));
    else this.look(Date.parse(period.start), Date.parse(period.end));
  }

  // The day that stays in view when the kind of period changes: today if it is in view, else the first day.
  #anchor() {
    const now = today(this.zone);
    return this.span.from <= now && now < this.span.to ? now : this.span.from;
  }

  #name() {
    const { kind, from, to } = this.span, at = (day, parts) => date(`${day}T12:00Z`, "UTC", parts);
    if (kind === "day") return at(from, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
    if (kind === "month") return at(from, { month: "long", year: "numeric" });
    if (kind === "year") return from.slice(0, 4);
    return `${at(from, { day: "numeric", month: "short" })} – ${at(plusDays(to, -1), FULL_DATE)}`;
  }

  #button(value, title, act, label = null) {
    return button("button", title, act, { value, ...(label ? { "aria-label": label } : {}) });
  }

  #numbers() {
    const head = [t("Period"), t("Import, kWh"), t("Export, kWh"), ""].map((title) => element("th", { scope: "col" }, title));
    return element("details.as-table", {}, element("summary", {}, t("As a table")),
      element("table.energy", {}, element("thead", {}, element("tr", {}, ...head)), this.table));
  }
}
