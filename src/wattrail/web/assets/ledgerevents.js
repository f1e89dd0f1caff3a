// What happened to a meter, on the time axis and as a list: gaps, restarts, calibrations, manual entries.
import { ask, element, path } from "./element.js";
import { date, clock, energy } from "./format.js";
import { t } from "./language.js";

const SHOWN = 50;
export const EVENTS = {
  start: t("Start"), gap: t("Gap"), restart: t("Restart"), epoch: t("Calibration"), clock: t("Clock was set"),
  counted: t("Clock was set"), opening: t("Manual entry"), adjusted: t("Manual entry"), assigned: t("Manual entry"),
};

const anchor = ({ manual, number }) => `${manual ? "manual-entry" : "entry"}-${number}`;

export class LedgerEvents {
  constructor(meter, zone, chart, strip, list) {
    Object.assign(this, { meter, zone, chart, strip, list, events: [] });
  }

  async load({ from, to }) {
    const span = new URLSearchParams({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });
    const answer = await ask(`${path(this.meter)}/events?${span}`).catch(() => []);
    this.events = answer.slice(0, SHOWN);
    this.list.replaceChildren(...(this.events.length ? this.events.map((event) => this.#row(event)) :
      [element("li.none", {}, t("Nothing happened in this time."))]));
    this.place();
  }

  // Puts each mark where its moment is drawn.
  place() {
    const marks = this.events.map((event) => {
      const x = this.chart.place(Date.parse(event.start));
      if (x === null || x === undefined) return null;
      const mark = element(`a.mark.is-${event.kind}`, { href: `#${anchor(event)}`, "aria-label": this.#sentence(event), title: this.#sentence(event) });
      mark.style.left = `${x}px`;
      return mark;
    });
    this.strip.replaceChildren(...marks.filter(Boolean));
  }

  #row(event) {
    return element(`li.event.is-${event.kind}`, { id: anchor(event), tabindex: "-1" },
      element("span.kind", {}, EVENTS[event.kind] ?? event.kind),
      element("span.when", {}, this.#when(event)),
      element("span.text", {}, [event.meaning, event.note, event.who].filter(Boolean).join(" · ")),
      element("span.what", {}, this.#amount(event)),
      element("span.number", {}, event.manual ? t("manual entry {number}", event) : t("entry {number}", event)));
  }

  #when({ start, end }) {
    const at = (ms) => `${date(ms, this.zone)}, ${clock(ms, this.zone, false)}`;
    return start === end ? at(start) : `${at(start)} – ${date(start, this.zone) === date(end, this.zone) ? clock(end, this.zone, false) : at(end)}`;
  }

  #amount({ import_wh, export_wh, undirected_wh }) {
    const facts = [];
    if (import_wh) facts.push(t("import {energy} kWh", { energy: energy(import_wh) }));
    if (export_wh) facts.push(t("export {energy} kWh", { energy: energy(export_wh) }));
    if (undirected_wh) facts.push(t("direction unknown {energy} kWh", { energy: energy(undirected_wh) }));
    return facts.join(", ");
  }

  #sentence(event) {
    return [`${EVENTS[event.kind] ?? event.kind}, ${this.#when(event)}`, event.meaning].join(": ");
  }
}
