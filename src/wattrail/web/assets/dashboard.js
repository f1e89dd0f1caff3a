// The dashboard: one card a meter, from /api/v1/events. Charts are loaded and drawn for the cards on the screen only.
import { ask } from "./api.js";
import { followAlarms } from "./alarms.js";
import { followConfiguration } from "./configuration.js";
import { element, show } from "./element.js";
import { Flow } from "./flow.js";
import { QUANTITIES, SIMULATED, STATES, connection, direction, estimate, kilowattHours, lastReading, number } from "./format.js";
import { HourChart } from "./history.js";
import { t } from "./language.js";
import { follow, showGateway } from "./live.js";
import { MeterLines } from "./meterlines.js";
import { pageOf, showHeader } from "./page.js";
import { followPublishers } from "./publishers.js";
import { said } from "./said.js";
import { Today } from "./today.js";
import { Trouble } from "./trouble.js";

// With more meters each has its line alone, and its card on a page of its own.
const MAX_CARDS = 8;
const cards = new Map();
let flow = null, mark = null, lines = null;
const main = document.getElementById("main");
let connected = true;
let about = { zone: null, candidates: [], grid: null, solar: null, example_tariff: null };

const visible = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) target.card.onScreen(isIntersecting);
}, { rootMargin: "200px" });

class Card {
  constructor(meter) {
    this.meter = meter;
    this.parts = {};
    this.trouble = new Trouble();
    this.root = element("article.meter", { "aria-label": t("Meter {meter}", { meter: meter.name }) },
      this.#head(meter), this.trouble.notice, this.trouble.remark,
      element("div.body", {},
        element("div.numbers", {}, this.#power(), this.#quantities(), this.#energy(), this.#part("estimate", "p.scale"), this.#part("scale", "p.scale"),
          this.#part("link", "p.scale.link"), this.#part("advice", "p.scale.advice")),
        this.#hour(meter)));
    this.root.card = this;
    if (meter.reading && meter.reading.watts !== null) this.chart.add(meter.reading);  // it need not be stored
    this.update();
    visible.observe(this.root);
  }

  take(meter) {
    const fresh = meter.reading && meter.reading.at !== this.meter.reading?.at;
    this.meter = meter;
    if (fresh && meter.reading.watts !== null) this.chart.add(meter.reading);
    this.update();
    if (this.shown) this.chart.draw();
  }

  onScreen(is) {
    this.shown = is;
    if (!is) return;
    this.chart.load();
    this.chart.draw();
  }

  update() {
    const { meter, parts } = this, { reading, today, total } = meter;
    const [flow, word] = direction(reading);
    this.root.className = `meter is-${connected ? meter.state : "cut-off"} flow-${flow}${reading ? "" : " is-unread"}`;
    show(parts.state, connected ? STATES[meter.state] : t("No connection"));
    show(parts.detail, this.#detail());
    show(parts.url, meter.url);
    parts.badge.hidden = !meter.simulated;
    parts.scope.hidden = !meter.has_waveform;
    this.trouble.take(meter, about.zone);
    show(parts.estimate, estimate(meter));
    show(parts.scale, meter.scale ? t("Scale: {scale}", { scale: said(meter.scale) }) : "");
    show(parts.link, connection(meter.link));
    show(parts.advice, meter.advice.map(said).join("; "));
    show(parts.direction, word);
    show(parts.watts, number(reading?.watts, 1).replace("−", ""));
    for (const [key, , , decimals] of QUANTITIES) show(parts[key], number(reading?.[key], decimals));
    for (const way of ["import", "export"]) {
      show(parts[`${way}-today`], kilowattHours(today?.[`${way}_wh`]));
      show(parts[`${way}-total`], kilowattHours(total?.[`${way}_wh`]));
    }
    const unknown = total?.undirected_wh ?? 0;
    show(parts.undirected, unknown ? t("Direction unknown: {energy} kWh", { energy: kilowattHours(unknown) }) : "");
  }

  #detail() {
    return lastReading(this.meter, connected, about.zone) || (this.meter.state === "connecting" ? t("waiting for the first reading") : "");
  }

  #part(name, what, attributes) {
    this.parts[name] = element(what, attributes);
    return this.parts[name];
  }

  #head(meter) {
    const scope = this.#part("scope", "a.scope-link",
      { href: pageOf("scope", meter.name), "aria-label": t("Oscilloscope of {meter}", { meter: meter.name }) });
    scope.textContent = t("Oscilloscope");
    const badge = this.#part("badge", "span.badge");
    badge.textContent = SIMULATED;
    return element("header", {},
      element("div.who", {}, element("h2", {}, element("a", { href: pageOf("meter", meter.name) }, meter.name)), this.#part("url", "p.url"), scope),
      element("div.marks", {}, badge, element("p.state", { role: "status" },
        element("span.dot", { "aria-hidden": "true" }), this.#part("state", "span.state-word"),
        this.#part("detail", "span.state-detail"))));
  }

  #power() {
    return element("div.power", {}, this.#part("direction", "span.direction"),
      element("p.amount", {}, this.#part("watts", "span.watts"), element("span.unit", {}, "W")));
  }

  #quantities() {
    return element("dl.quantities", {}, ...QUANTITIES.map(([key, label, unit]) => element("div", {},
      element("dt", {}, label),
      element("dd", {}, this.#part(key, `span.value.${key}`), element("span.unit", {}, unit)))));
  }

  #energy() {
    const cell = (name) => element("td", {}, this.#part(name, "span.value"), element("span.unit", {}, "kWh"));
    const row = (way, title) => element(`tr.${way}`, {}, element("th", { scope: "row" }, title), cell(`${way}-today`), cell(`${way}-total`));
    return element("div", {}, element("table.energy", {},
      element("thead", {}, element("tr", {}, ...[t("Energy"), t("Today"), t("Total")].map((title) => element("th", { scope: "col" }, title)))),
      element("tbody", {}, row("import", t("Import")), row("export", t("Export")))), this.#part("undirected", "p.undirected"));
  }

  #hour(meter) {
    const plot = element("div.plot", { role: "img", "aria-label": t("Chart of the power of {meter} during the last hour", { meter: meter.name }) });
    this.chart = new HourChart(plot, meter.name, about.zone, meter.expected_s);
    plot.append(element("p.nothing", {}, t("The line begins with the first reading.")));
    return element("figure.hour", {}, element("figcaption", {}, t("Power, last hour")), plot);
  }
}

// A meter that is shown as a line only.
class Uncarded {
  constructor(meter) {
    Object.assign(this, { meter, chart: { points: [] } });
  }

  take(meter) {
    this.meter = meter;
  }

  update() {}
}

function toml(text) {
  return element("pre", { tabindex: "0" }, element("code", {}, text.trim()));
}

const addHere = () => element("a", { href: "/settings#meters" }, t("Add a meter on the page of settings."));

function setup() {
  const { candidates } = about;
  if (candidates.length) {
    return element("section.setup", { "aria-label": t("Hardware that could be a meter") },
      element("h2", {}, t("Hardware that could be a meter")),
      element("p", {}, addHere(), " ", t("None of it was opened. Or add the lines of yours to wattrail.toml and start again:")),
      element("ul.candidates", {}, ...candidates.map(({ description, url, toml: text }) =>
        element("li", {}, element("h3", {}, description), element("p.url", {}, url), toml(text)))));
  }
  if (cards.size) return null;
  return element("section.setup", { "aria-label": t("No meter yet") }, element("h2", {}, t("No meter yet")),
    element("p", {}, t("Nothing that could be a meter is plugged into this machine.")),
    element("p", {}, t("Plug in the adapter and start again, or add a meter by its address to wattrail.toml:"), " ", addHere()),
    toml('[[meter]]\nname = "house"\nurl = "tcp://192.168.1.20:8888"'));
}

// Several meters, and no line that says which one is at the grid: without it there is no picture and no today.
function unplaced(meters) {
  if (about.grid || meters.length < 2) return null;
  const [first, second] = meters.map(({ name }) => JSON.stringify(name));
  return element("section.setup", { "aria-label": t("Which meter is at the grid?") }, element("h2", {}, t("Which meter is at the grid?")),
    element("p", {}, t("What flows now, today and its cost are shown once [site] of wattrail.toml names the meter between house and grid, and the one behind the roof if there is one. For example:")),
    toml(`[site]\ngrid = ${first}\nsolar = ${second}`),
    element("p", {}, element("a", { href: "/settings#site" }, t("Name them on the page of settings."))));
}

function build(meters) {
  const Shown = meters.length > MAX_CARDS ? Uncarded : Card;
  const known = meters.map((meter) => { const card = new Shown(meter); cards.set(meter.name, card); return card.root; }).filter(Boolean);
  const section = known.length ? element("section.meters", { "aria-label": t("Meters") }, ...known) : null;
  if (meters.length > 1) {
    lines ??= new MeterLines(about.zone);
    lines.arrange(meters);
  }
  main.replaceChildren(...[meters.length > 1 ? lines.root : null, unplaced(meters), section, setup()].filter(Boolean));
}

function take(meters) {
  if (meters.some(({ name }) => !cards.has(name)) || (!meters.length && !main.childElementCount)) {
    const all = [...[...cards.values()].map((card) => card.meter).filter(({ name }) => !meters.some((m) => m.name === name)), ...meters];
    cards.clear();
    build(all);
  }
  for (const meter of meters) cards.get(meter.name).take(meter);
  lines?.take(meters);
  if (mark) mark.hidden = ![about.grid, about.solar].some((name) => cards.get(name)?.meter.simulated);
  flow?.take(wattsOf(about.grid), about.solar ? negated(wattsOf(about.solar)) : null);
}

// The power of a meter now; null where it is not live.
function wattsOf(name) {
  const meter = cards.get(name)?.meter;
  return connected && meter?.state === "live" ? meter.reading?.watts ?? null : null;
}

// What a roof makes is export of its meter.
const negated = (watts) => (watts === null ? null : -watts);

// What flows now, and today against yesterday; where it is known which meter stands at the grid.
function now() {
  if (!about.grid) return;
  flow = new Flow(Boolean(about.solar));
  const section = document.getElementById("now");
  section.setAttribute("aria-label", t("Now and today"));
  mark = element("span.badge", { hidden: "" }, t("Simulated"));
  section.append(mark, flow.root, new Today(about).root);
  section.hidden = false;
}

// Which meters there are, in their order: the card of one that was removed goes.
function arrange(names) {
  const wanted = names.filter((name) => cards.has(name));
  if (wanted.join("/") === [...cards.keys()].join("/")) return;
  const meters = wanted.map((name) => cards.get(name).meter);
  cards.clear();
  build(meters);
}

function setConnected(is) {
  if (is === connected) return;
  connected = is;
  showGateway(is);
  for (const card of cards.values()) card.update();
  lines?.setConnected(is);
}

const session = await showHeader();
about = await ask("about").catch(() => about);
now();
follow(take, setConnected, arrange);
followConfiguration(document.getElementById("configuration"), about.zone);
followAlarms(document.getElementById("alarms"), about.zone, session.scopes.includes("adjust"));
followPublishers(document.getElementById("publishers"), about.zone);

window.wattrail = {
  names: () => [...cards.keys()],
  points: (name) => cards.get(name)?.chart.points.map(([ms, watts]) => [ms, watts]) ?? [],
};
