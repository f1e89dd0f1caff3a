// What a meter's energy costs: the bills of a year at every tariff of the configuration, and the lines of each.
import { ask, path } from "./api.js";
import { plusDays, shifted, spanOf, today } from "./calendar.js";
import { button, element, section, table } from "./element.js";
import { date, dated, energy, moment, money, number } from "./format.js";
import { t } from "./language.js";
import { meterChoice, pageHead, showHeader } from "./page.js";
import { followGateway } from "./live.js";
import { loading, opening } from "./problem.js";
import { said } from "./said.js";

const MONTHS = 13;
// A year of quarter-hour prices takes some seconds on a small board.
const PATIENCE_MS = 60000;
const main = document.getElementById("main");

// The bills of all tariffs, by the day on which they begin, newest first.
async function bills(meter, { tariffs, zone, example_tariff: example }) {
  const now = today(zone), until = plusDays(now, 1), from = shifted(spanOf("month", now), 1 - MONTHS).from;
  const answers = await Promise.all(tariffs.map((tariff) =>
    ask(`${path(meter)}/costs?${new URLSearchParams({ from, to: until, tariff })}`, PATIENCE_MS)));
  const starts = [...new Set(answers.flatMap(({ bills }) => bills.map(({ start }) => start)))].sort().reverse();
  return {
    answers, starts: starts.filter((start) => answers.some(({ bills }) => bills.some((bill) => bill.start === start && worth(bill)))),
    called: ({ tariff }) => (tariff === example ? t("Example tariff") : tariff),
    of: (answer, start) => answer.bills.find((bill) => bill.start === start) ?? null,
  };
}

// What a bill comes to, to be compared: one of which a price is missing is not cheaper for that.
const whole = (bill) => (bill && !bill.unpriced.length ? Number(bill.total) : Infinity);

// Whether anything was booked in it, or a standing charge is due for it.
const worth = ({ import_wh, export_wh, uncharged, total }) => import_wh > 0 || export_wh > 0 || uncharged.undirected_wh > 0 || Number(total) !== 0;

function comparison({ answers, starts, of, called }, zone, choose) {
  const head = [t("Period"), "kWh", ...answers.map(called)];
  const rows = starts.map((start) => {
    const found = answers.map((answer) => of(answer, start)), least = Math.min(...found.map(whole));
    const open = button("button.link", name(start, zone), () => choose(start));
    const unpriced = found.some((bill) => bill?.unpriced.length);
    return element("tr", {}, element("th", { scope: "row" }, open, found[0]?.complete ? null : element("span.incomplete", {}, t("not complete")),
      unpriced ? element("span.incomplete", {}, t("a price is missing")) : null,
      found[0]?.estimated ? element("span.incomplete", {}, t("estimated")) : null),
      element("td", {}, energy(found.find(Boolean)?.import_wh)),
      ...found.map((bill, n) => element(`td${found.length > 1 && least < Infinity && whole(bill) === least ? ".least" : ""}`, {},
        bill ? money(Number(bill.total), answers[n].currency) : "–")));
  });
  const sums = answers.map((answer) => money(starts.reduce((sum, start) => sum + Number(of(answer, start)?.total ?? 0), 0), answer.currency));
  return table("table.bills", t("Bills"), head, rows,
    element("tfoot", {}, element("tr", {}, element("th", { scope: "row" }, t("Together")), element("td"), ...sums.map((sum) => element("td", {}, sum)))));
}

// What is not known of the market's prices, in a sentence for each tariff that follows a market.
function staleness({ answers }, zone) {
  const lines = answers.filter(({ stale }) => stale).map(({ tariff, prices_until: until }) => element("p.warning", { role: "status" }, until
    ? t("{tariff}: prices are known until {when} only. What flows later has no price yet, and is in no sum.", { tariff, when: moment(until, zone) })
    : t("{tariff}: no price is known yet. What flows has no price, and is in no sum.", { tariff })));
  return lines.length ? element("div", {}, ...lines) : null;
}

function missing({ unpriced }, zone) {
  if (!unpriced.length) return null;
  const hours = unpriced.reduce((sum, { start, end }) => sum + (new Date(end) - new Date(start)) / 3600e3, 0);
  const spans = unpriced.slice(0, 5).map(({ start, end }) => [start, end].map((at) => dated(at, zone, { year: false })).join(" – "));
  return element("p.facts", {}, t("No price is known for {hours} h: {spans}", { hours: number(hours, 1), spans: [...spans, ...(unpriced.length > 5 ? ["…"] : [])].join("; ") }));
}

const name = (start, zone) => date(start, zone, { month: "long", year: "numeric" });

function lines(bill, title, { currency }, zone) {
  const row = (line) => element("tr", {}, element("th", { scope: "row" }, said(line.text), line.obis ? element("span.obis", {}, line.obis) : null),
    element("td", {}, `${number(Number(line.quantity), line.unit === "kWh" ? 2 : 0)} ${said(line.unit)}`), element("td", {}, money(Number(line.price), currency, 4)),
    element("td", {}, money(Number(line.amount), currency)));
  const uncharged = bill.uncharged.import_wh + bill.uncharged.export_wh + bill.uncharged.undirected_wh;
  return element("div.bill", {}, element("h3", {}, title), element("div.scrolls", {}, element("table.bills", {}, element("tbody", {}, ...bill.lines.map(row)),
    element("tfoot", {}, element("tr", {}, element("th", { scope: "row" }, t("Total")), element("td"), element("td"), element("td", {}, money(Number(bill.total), currency)))))),
  uncharged ? element("p.facts", {}, t("{energy} kWh flowed while nobody knows at which price; they are not in it.", { energy: energy(uncharged) })) : null,
  missing(bill, zone));
}

function none() {
  return section(t("No tariff yet"),
    element("p", {}, t("Write what your supplier charges into a file beside wattrail.toml. Name it in the settings, or in wattrail.toml, and type wattrail reload:")),
    element("pre", { tabindex: "0" }, element("code", {}, 'name = "My tariff"\ncurrency = "EUR"\n\n[[price]]\nfrom = 2026-01-01\nrates = 0.32\nexport = 0.08\nstanding = 12.90')),
    element("pre", { tabindex: "0" }, element("code", {}, '[site]\ntariffs = ["tariff.toml"]')));
}

// What stands in for a tariff while all that is metered is simulated, said where its prices are seen.
function exampleOnly() {
  return element("p.facts", {}, t("No tariff is configured, so these prices are an example."), " ",
    element("a", { href: "/settings#site" }, t("Name the file of your tariff on the page of settings.")));
}

async function build(about) {
  const { tariffs, zone, grid, example_tariff: example } = about;
  const meters = await ask("meters");
  if (!tariffs.length || !meters.length) return main.replaceChildren(none());
  const asked = new URLSearchParams(location.search).get("meter");
  const meter = meters.find(({ name }) => name === (asked ?? grid)) ?? meters[0];
  const choose = meterChoice(meters, meter.name, (chosen) => { location.search = new URLSearchParams({ meter: chosen }); });
  const found = await bills(meter.name, about), detail = element("div.details", { "aria-live": "polite" });
  const show = (start) => detail.replaceChildren(element("h2", {}, name(start, zone)),
    ...found.answers.map((answer) => (found.of(answer, start) ? lines(found.of(answer, start), found.called(answer), answer, zone) : null)).filter(Boolean));
  main.replaceChildren(
    element("section.part", { "aria-label": t("Costs") },
      pageHead(t("Costs"), meter, choose),
      example ? exampleOnly() : null,
      staleness(found, zone),
      found.starts.length ? comparison(found, zone, show) : element("p", {}, t("No energy was booked in this time."))),
    ...(found.starts.length ? [element("section.part", { "aria-label": t("Bill") }, detail)] : []));
  if (found.starts.length) show(found.starts[0]);
}

showHeader();
loading(main);
followGateway();
document.title = `${t("Costs")} – wattrail`;
await opening(main, new URLSearchParams(location.search).get("meter") ?? "", async () => build(await ask("about")));
