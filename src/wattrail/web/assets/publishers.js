// Where the numbers go: one row a publisher, from /api/v1/publishers.
import { ask } from "./api.js";
import { element, show } from "./element.js";
import { DELIVERY, moment, number, remedy } from "./format.js";
import { t } from "./language.js";
import { said } from "./said.js";

const EVERY_MS = 3000;
const NAMES = { home_assistant: "Home Assistant", home_assistant_history: t("Home Assistant's history"), mqtt: "MQTT",
  openmetrics: "OpenMetrics", influxdb: "InfluxDB", p1: "P1", email: t("Email") };

class Row {
  constructor({ name, target }) {
    Object.assign(this, { word: element("span.state-word"), since: element("span.state-detail"), sent: element("p.facts"),
      error: element("p.error"), hint: element("p.hint"), held: element("ul.held") });
    this.notice = element("div.notice", {}, this.error, this.hint, this.held);
    this.root = element("li.publisher", {},
      element("div.who", {}, element("h3", {}, NAMES[name] ?? name), element("p.url", {}, target), this.sent),
      element("p.state", { role: "status" }, element("span.dot", { "aria-hidden": "true" }), this.word, this.since),
      this.notice);
  }

  take({ status, since, error, hint, sent_at, waiting, held }, zone) {
    const problems = Object.entries(held);
    this.root.className = `publisher is-${status}`;
    show(this.word, DELIVERY[status] ?? status);
    show(this.since, t("since {when}", { when: moment(since, zone) }));
    show(this.sent, [sent_at ? t("Last delivery {when}", { when: moment(sent_at, zone) }) : "", waiting ? t("{n} waiting", { n: number(waiting, 0) }) : ""].filter(Boolean).join(", "));
    this.notice.hidden = !error && !problems.length;
    show(this.error, said(error));
    show(this.hint, remedy(hint));
    const lines = problems.map(([meter, why]) => `${meter}: ${said(why)}`);
    if (lines.join("\n") !== this.lines) this.held.replaceChildren(...lines.map((line) => element("li", {}, line)));
    this.lines = lines.join("\n");
  }
}

// Fills the section and keeps it up to date; without a publisher it stays hidden.
export function followPublishers(section, zone) {
  const rows = new Map();
  const list = element("ul.publishers");
  section.append(element("h2", {}, t("Published to")), list);
  const look = async () => {
    const states = await ask("publishers").catch(() => null);
    section.classList.toggle("is-cut-off", states === null);
    if (states && states.map(({ name }) => name).join() !== [...rows.keys()].join()) {
      rows.clear();
      for (const state of states) rows.set(state.name, new Row(state));
      list.replaceChildren(...[...rows.values()].map(({ root }) => root));
    }
    for (const state of states ?? []) rows.get(state.name).take(state, zone);
    section.hidden = !rows.size;
    setTimeout(look, EVERY_MS);
  };
  look();
}
