// What happened to a meter, on the time axis and as a list: gaps, restarts, calibrations, manual entries.
import { ask, path } from "./api.js";
import { element } from "./element.js";
import { amount, span } from "./format.js";
import { t } from "./language.js";
import { pageOf } from "./page.js";
import { said } from "./said.js";

const SHOWN = 50;
const EVENTS = {
  start: t("Start"), gap: t("Gap"), restart: t("Restart"), epoch: t("Calibration"), clock: t("Clock was set"),
  counted: t("Clock was set"), opening: t("Manual entry"), adjusted: t("Manual entry"), assigned: t("Manual entry"), reversed: t("Reversal"),
};

const when = (event, zone) => span(event, zone, { year: false });
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
      element("span.when", {}, when(event, this.zone)),
      element("span.text", {}, [said(event.meaning), event.manual ? event.note : said(event.note), event.who].filter(Boolean).join(" · ")),
      element("span.what", {}, amount(event)),
      element("a.number", { href: `${pageOf("ledger", this.meter)}#${anchor(event)}` }, event.manual ? t("manual entry {number}", event) : t("entry {number}", event)));
  }

  #sentence(event) {
    return [`${EVENTS[event.kind] ?? event.kind}, ${when(event, this.zone)}`, said(event.meaning)].join(": ");
  }
}
