// What happened to a meter, on the time axis and as a list: gaps, restarts, calibrations, manual entries.
import { ask, element, path } from "./element.js";
import { date, clock, energy } from "./format.js";
import { t } from "./language.js";
import { said } from "./said.js";

const SHOWN = 50;
export const EVENTS = {
  start: t("Start"), gap: t("Gap"), restart: t("Restart"), epoch: t("Calibration"), clock: t("Clock was set"),
  counted: t("Clock was set"), opening: t("Manual entry"), adjusted: t("Manual entry"), assigned: t("Manual entry"), reversed: t("Reversal"),
};

const anchor = ({ manual, number }) => `${manual ? "manual-entry" : "entry"}-${number}`;

export class LedgerEvents {
  constructor(meter, zone, chart, strip, list) {
    Object.assign(this, { meter, zone, chart, strip, list, marks: [], loads: 0 });
    chart.drawn = () => this.#place();
  }

  async load({ from, to }) {
    const span = new URLSearchParams({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });
    const asked = (this.loads += 1);
    const answer = await ask(`${path(this.meter)}/events?${span}`).catch(() => []);
    if (asked !== this.loads) return;  // the view has moved on meanwhile
    const events = answer.slice(0, SHOWN);
    this.list.replaceChildren(...(events.length ? events.map((event) => this.#row(event)) :
      [element("li.none", {}, t("Nothing happened in this time."))]));
    this.marks = events.map((event) => ({ at: Date.parse(event.start), link: this.#link(event) }));
    this.strip.replaceChildren(...this.marks.map(({ link }) => link));
    this.#place();
  }

  #link(event) {
    return element(`a.mark.is-${event.kind}`, { href: `#${anchor(event)}`, "aria-label": this.#sentence(event), title: this.#sentence(event) });
  }

  // Puts each mark where its moment is drawn.
  #place() {
    for (const { at, link } of this.marks) {
      const x = this.chart.place(at);
      link.hidden = x === null || x === undefined;
      if (!link.hidden) link.style.left = `${x}px`;
    }
  }

  #row(event) {
    return element(`li.event.is-${event.kind}`, { id: anchor(event), tabindex: "-1" },
      element("span.kind", {}, EVENTS[event.kind] ?? event.kind),
      element("span.when", {}, this.#when(event)),
      element("span.text", {}, [said(event.meaning), event.manual ? event.note : said(event.note), event.who].filter(Boolean).join(" · ")),
      element("span.what", {}, this.#amount(event)),
      element("a.number", { href: `/ledger/${encodeURIComponent(this.meter)}#${anchor(event)}` }, event.manual ? t("manual entry {number}", event) : t("entry {number}", event)));
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
    return [`${EVENTS[event.kind] ?? event.kind}, ${this.#when(event)}`, said(event.meaning)].join(": ");
  }
}
