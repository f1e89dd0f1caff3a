// Today against yesterday and the usual, with its cost, from /api/v1/meters/NAME/today.
import { ask, path } from "./api.js";
import { element, show } from "./element.js";
import { energy, money, number } from "./format.js";
import { t } from "./language.js";

const EVERY_MS = 30000;

export class Today {
  constructor({ grid, solar, example_tariff: example }) {
    Object.assign(this, { grid, solar, example, parts: {} });
    this.root = element("dl.today", { "aria-label": t("Today") },
      this.#fact("used", t("Imported today"), "kWh"), this.#fact("cost", t("Cost today"), ""),
      this.#fact("fed", t("Exported today"), "kWh"), solar ? this.#fact("own", t("Own use of the roof"), "%") : null);
    this.#look();
  }

  #fact(name, title, unit) {
    const value = element("span.value", {}, "–"), more = element("dd.more");
    this.parts[name] = { value, more, root: element(`div.${name}`, {}, element("dt", {}, title), element("dd", {}, value, unit ? element("span.unit", {}, unit) : null), more) };
    return this.parts[name].root;
  }

  async #look() {
    const [grid, solar] = await Promise.all([this.grid, this.solar].map((name) => (name ? ask(`${path(name)}/today`).catch(() => null) : null)));
    if (grid) this.#show(grid, solar);
    setTimeout(() => this.#look(), EVERY_MS);
  }

  #show(grid, solar) {
    const { today, yesterday_until_now: yesterday, usual_until_now: usual } = grid;
    this.#put("used", energy(today.import_wh), compared(today, yesterday, usual, "import_wh"));
    this.#put("fed", energy(today.export_wh), compared(today, yesterday, usual, "export_wh"));
    this.parts.fed.root.hidden = !today.export_wh && !yesterday?.export_wh;
    this.parts.cost.root.hidden = !grid.cost;
    if (grid.cost) {
      const { tariff, currency, today: now, yesterday_until_now: then } = grid.cost;
      this.#put("cost", money(Number(now), currency), [t("yesterday by now {value}", { value: money(Number(then), currency) }),
        grid.cost.unpriced ? t("a price is missing") : "", tariff === this.example ? t("at an example tariff") : ""].filter(Boolean).join(", "));
    }
    if (this.solar && solar) {
      const made = solar.today.export_wh, own = Math.max(0, made - today.export_wh);
      this.#put("own", made ? number(100 * own / made, 0) : "–", made ? t("{own} of {made} kWh", { own: energy(own), made: energy(made) }) : "");
    }
  }

  #put(name, value, more) {
    show(this.parts[name].value, value);
    show(this.parts[name].more, more);
  }
}

function compared(today, yesterday, usual, field) {
  const facts = [];
  if (yesterday) facts.push(t("yesterday by now {value}", { value: energy(yesterday[field]) }));
  if (usual) facts.push(t("usual {value}", { value: energy(usual[field]) }));
  return facts.join(", ");
}
