// What happened to a meter, on the time axis and as a list: gaps, restarts, calibrations, manual entries.
import { ask, element, path } from "./element.js";
import { date, clock, energy } from "./format.js";
import { t } from "./language.js";

const SHOWN = 50;
export const EVENTS = {
  gap: t("Gap"), restart: t("Restart"), calibration: t("Calibration"), stated: t("Manual entry"), clock: t("Clock was set"), held: t("Register held"),
};

export class LedgerEvents {
  constructor(meter, zone, chart, strip, list) {
    Object.assign(this, { meter, zone, chart, strip, list, events: [] });
  }

  async load({ from, to }) {
    const span = new URLSearchParams({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });
    const answer = await ask(`${path(this.meter)}/events?${span}`).catch(() => ({ events: [] }));
    this.events = answer.events;
    this.list.replaceChildren(...(this.events.length ? this.events.slice(-SHOWN).reverse().map((event) => this.#row(event)) :
      [element("li.none", {}, t("Nothing happened in this time."))]));
    this.place();
  }

  // Puts each mark where its moment is drawn.
  place() {
    const marks = this.events.slice(-SHOWN).map((event) => {
      const x = this.chart.place(Date.parse(event.start));
      if (x === null || x === undefined) return null;
      const mark = element(`a.mark.is-${event.kind}`, { href: `#entry-${event.sequence}`, "aria-label": this.#sentence(event), title: this.#sentence(event) });
      mark.style.left = `${x}px`;
      return mark;
    });
    this.strip.replaceChildren(...marks.filter(Boolean));
  }

  #row(event) {
    return element(`li.event.is-${event.kind}`, { id: `entry-${event.sequence}`, tabindex: "-1" },
      element("span.kind", {}, EVENTS[event.kind] ?? event.kind),
      element("span.when", {}, this.#when(event)),
      element("span.text", {}, event.text ?? ""),
      element("span.what", {}, event.import_wh || event.export_wh ? this.#amount(event) : ""),
      element("span.number", {}, t("entry {number}", { number: event.sequence })));
  }

  #when({ start, end }) {
    const at = (ms) => `${date(ms, this.zone)}, ${clock(ms, this.zone, false)}`;
    return start === end ? at(start) : `${at(start)} – ${date(start, this.zone) === date(end, this.zone) ? clock(end, this.zone, false) : at(end)}`;
  }

  #amount({ import_wh, export_wh }) {
    return [import_wh ? t("import {energy} kWh", { energy: energy(import_wh) }) : "", export_wh ? t("export {energy} kWh", { energy: energy(export_wh) }) : ""].filter(Boolean).join(", ");
  }

  #sentence(event) {
    return [`${EVENTS[event.kind] ?? event.kind}, ${this.#when(event)}`, event.text ?? ""].filter(Boolean).join(": ");
  }
}
