// One meter: what it measures now, its energy by period, its power from seconds to years, and what happened to it.
import { ask, path } from "./api.js";
import { button, element, section, show } from "./element.js";
import { EnergyByPeriod } from "./energy.js";
import { STATES, direction, estimate, lastReading, number } from "./format.js";
import { HeatMap } from "./heatmap.js";
import { t } from "./language.js";
import { LedgerEvents } from "./ledgerevents.js";
import { follow, showGateway } from "./live.js";
import { meterLink, ownMeter, showHeader, simulatedBadge } from "./page.js";
import { loading, opening } from "./problem.js";
import { PowerChart, VIEWS } from "./powerchart.js";
import { spanOf } from "./calendar.js";
import { Trouble } from "./trouble.js";

const name = ownMeter();
const main = document.getElementById("main");
const HOUR_MS = 3600e3;
const QUANTITIES = [["power", t("Power")], ["voltage", t("Voltage")], ["frequency", t("Frequency")]];

class Head {
  constructor(meter) {
    Object.assign(this, { meter, connected: true, word: element("span.state-word"), detail: element("span.state-detail"), way: element("span.direction"), watts: element("span.watts"), estimate: element("p.scale"), trouble: new Trouble() });
    this.root = element("article.meter", {}, element("header", {},
      element("div.who", {}, element("h1", {}, meter.name), element("p.url", {}, meter.url)),
      element("div.marks", {}, simulatedBadge(meter),
        element("p.state", { role: "status" }, element("span.dot", { "aria-hidden": "true" }), this.word, this.detail))),
    this.trouble.notice, this.trouble.remark,
    element("div.power.numbers", {}, this.way, element("p.amount", {}, this.watts, element("span.unit", {}, "W"))), this.estimate);
    this.take(meter);
  }

  take(meter) {
    this.meter = meter;
    const { reading, state } = meter, [flow, word] = direction(reading);
    this.root.className = `meter is-${this.connected ? state : "cut-off"} flow-${flow}`;
    show(this.word, this.connected ? STATES[state] : t("No connection"));
    show(this.detail, lastReading(meter, this.connected, zone));
    show(this.way, word);
    show(this.watts, number(reading?.watts, 1).replace("−", ""));
    show(this.estimate, estimate(meter));
    this.trouble.take(meter, zone);
  }

  setConnected(is) {
    this.connected = is;
    this.take(this.meter);
  }
}

// Buttons of which one is pressed.
function choice(label, options, chosen, choose) {
  const buttons = options.map(([value, title]) => {
    const made = button("button", title, () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === made));
      choose(value);
    }, { "aria-pressed": String(value === chosen) });
    return made;
  });
  return element("div.choice", { role: "group", "aria-label": label }, ...buttons);
}

function course(meter) {
  const plot = element("div.plot.long", { role: "img", tabindex: "0", "aria-label": t("Chart of {meter}; arrow keys move, plus and minus zoom", { meter: meter.name }) });
  const strip = element("div.event-strip"), list = element("ol.events");
  const chart = new PowerChart(plot, meter.name, zone, (span) => events.load(span));
  const events = new LedgerEvents(meter.name, zone, chart, strip, list);
  const spans = choice(t("Span"), VIEWS.map(([title, span]) => [span, title]), 24 * HOUR_MS, (span) => chart.show(span));
  const quantities = choice(t("Quantity"), QUANTITIES, "power", (quantity) => chart.take(quantity));
  setInterval(() => chart.tick(), 1000);
  return { chart, events, root: section(t("History"), element("div.tools", {}, spans, quantities), plot, strip, element("h3", {}, t("Events"), " ", meterLink("ledger", meter.name, t("Ledger")), " ",
    meterLink("calibration", meter.name, t("Calibration")), " ", meterLink("accuracy", meter.name, t("Accuracy"))), list) };
}

// The year is asked for once it comes into view: it is the longest answer of the page.
function year(meter, energy) {
  const nothing = element("p.nothing", {}, t("Adding up the hours…"));
  const plot = element("div.plot.heat", { role: "img", "aria-label": t("Energy of each hour of the last year") }, nothing);
  const root = section(t("Year by hour"), plot);
  const map = new HeatMap(plot, (day) => {
    energy.go(spanOf("day", day));
    energy.root.scrollIntoView({ block: "center" });
  });
  const seen = new IntersectionObserver(async (entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    seen.disconnect();
    try {
      map.draw((await ask(`${path(meter.name)}/hours`)).days);
      plot.classList.add("is-drawn");
    } catch (error) {
      show(nothing, error.message);
    }
  });
  seen.observe(plot);
  return root;
}

function showConnection(head) {
  return (is) => {
    showGateway(is);
    if (is !== head.connected) head.setConnected(is);
  };
}

function build(meter) {
  const head = new Head(meter), { chart, events, root } = course(meter);
  const energy = new EnergyByPeriod(meter.name, about, (from, to) => { chart.look(from, to); });
  main.replaceChildren(head.root, section(t("Energy"), energy.root), root, year(meter, energy));
  follow((meters) => meters.filter((one) => one.name === name).forEach((one) => head.take(one)), showConnection(head));
  window.wattrailMeter = { chart, energy, events };
}

showHeader();
document.title = `${name} – wattrail`;
loading(main);
const about = await ask("about").catch(() => ({ zone: null, tariffs: [], example_tariff: null }));
const { zone } = about;
await opening(main, name, async () => build(await ask(path(name))));
