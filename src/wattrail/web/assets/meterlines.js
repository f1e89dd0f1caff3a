// Every meter in one line, those that need somebody first: as readable with two hundred as with two.
import { element, section, show } from "./element.js";
import { RANK, STATES, direction, kilowattHours, lastReading, number } from "./format.js";
import { t } from "./language.js";
import { pageOf } from "./page.js";

class Line {
  constructor(meter) {
    Object.assign(this, { meter, word: element("span"), detail: element("span.state-detail"), watts: element("span.value"), way: element("span.way-word"), today: element("span.value"),
      badge: element("span.badge", {}, t("Simulated")) });
    this.mark = element("span.mark-of", {}, element("span.dot", { "aria-hidden": "true" }), this.word);
    this.root = element("tr", {}, element("th", { scope: "row" }, element("a", { href: pageOf("meter", meter.name) }, meter.name), this.badge),
      element("td", {}, this.mark, " ", this.detail), element("td.number", {}, this.way, " ", this.watts, element("span.unit", {}, "W")),
      element("td.number.of-today", {}, this.today, element("span.unit", {}, "kWh")));
  }

  take(meter, connected, zone) {
    this.meter = meter;
    const { state, reading, today } = meter, kind = connected ? state : "cut-off";
    this.root.className = `is-${kind}`;
    this.mark.className = `mark-of is-${kind}`;
    this.badge.hidden = !meter.simulated;
    show(this.word, connected ? STATES[state] : t("No connection"));
    show(this.detail, lastReading(meter, connected, zone));
    show(this.way, reading ? direction(reading)[1] : "");
    show(this.watts, number(reading?.watts, 0).replace("−", ""));
    show(this.today, kilowattHours(today?.import_wh));
  }
}

export class MeterLines {
  constructor(zone) {
    Object.assign(this, { zone, lines: new Map(), connected: true, order: "" });
    this.sum = element("p.facts-line", { role: "status" });
    this.body = element("tbody");
    const head = [[t("Meter"), ""], [t("State"), ""], [t("Power"), ".number"], [t("Import today"), ".number.of-today"]];
    this.root = section(t("All meters"), this.sum,
      element("table.lines", {}, element("thead", {}, element("tr", {}, ...head.map(([title, kind]) => element(`th${kind}`, { scope: "col" }, title)))), this.body));
    this.root.classList.add("meter-lines");
  }

  // The meters that there are, in their order.
  arrange(meters) {
    this.lines = new Map(meters.map((meter) => [meter.name, this.lines.get(meter.name) ?? new Line(meter)]));
    this.order = "";
    this.take(meters);
  }

  take(meters) {
    for (const meter of meters) this.lines.get(meter.name)?.take(meter, this.connected, this.zone);
    this.#sort();
  }

  setConnected(is) {
    this.connected = is;
    this.take([...this.lines.values()].map(({ meter }) => meter));
  }

  // Again only when a state has changed: lines that move cannot be read.
  #sort() {
    const all = [...this.lines.values()], order = all.map(({ meter }) => meter.name + meter.state).join("/");
    if (order === this.order) return;
    this.order = order;
    this.body.replaceChildren(...all.sort((one, other) => RANK[one.meter.state] - RANK[other.meter.state]).map(({ root }) => root));
    const counts = Object.keys(RANK).map((state) => [state, all.filter(({ meter }) => meter.state === state).length]).filter(([, n]) => n);
    show(this.sum, counts.map(([state, n]) => `${number(n, 0)} ${STATES[state]}`).join(", "));
  }
}
