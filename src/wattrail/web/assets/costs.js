// What a meter's energy costs: the bills of a year at every tariff of the configuration, and the lines of each.
import { plusDays, shifted, spanOf, today } from "./calendar.js";
import { ask, element, path } from "./element.js";
import { SIMULATED, date, energy, money, number } from "./format.js";
import { t } from "./language.js";
import { navigation } from "./navigation.js";
import { showSession } from "./session.js";

const MONTHS = 13;
const main = document.getElementById("main");

// The bills of all tariffs, by the day on which they begin, newest first.
async function bills(meter, tariffs, zone) {
  const until = plusDays(today(zone), 1), from = shifted(spanOf("month", until), 1 - MONTHS).from;
  const answers = await Promise.all(tariffs.map((tariff) =>
    ask(`${path(meter)}/costs?${new URLSearchParams({ from, to: until, tariff })}`)));
  const starts = [...new Set(answers.flatMap(({ bills }) => bills.map(({ start }) => start)))].sort().reverse();
  return {
    answers, starts: starts.filter((start) => answers.some(({ bills }) => bills.some((bill) => bill.start === start && worth(bill)))),
    of: (answer, start) => answer.bills.find((bill) => bill.start === start) ?? null,
  };
}

// Whether anything was booked in it.
const worth = ({ import_wh, export_wh }) => import_wh > 0 || export_wh > 0;

function comparison({ answers, starts, of }, zone, choose) {
  const head = [t("Period"), "kWh", ...answers.map(({ tariff }) => tariff)];
  const rows = starts.map((start) => {
    const found = answers.map((answer) => of(answer, start)), least = Math.min(...found.map((bill) => Number(bill?.total ?? Infinity)));
    const open = element("button.link", { type: "button" }, name(start, zone));
    open.addEventListener("click", () => choose(start));
    return element("tr", {}, element("th", { scope: "row" }, open, found[0]?.complete ? null : element("span.incomplete", {}, t("not complete"))),
      element("td", {}, energy(found.find(Boolean)?.import_wh)),
      ...found.map((bill, n) => element(`td${found.length > 1 && Number(bill?.total) === least ? ".least" : ""}`, {},
        bill ? money(Number(bill.total), answers[n].currency) : "–")));
  });
  const sums = answers.map((answer) => money(starts.reduce((sum, start) => sum + Number(of(answer, start)?.total ?? 0), 0), answer.currency));
  return element("div.scrolls", { tabindex: "0", role: "region", "aria-label": t("Bills") }, element("table.bills", {},
    element("thead", {}, element("tr", {}, ...head.map((title) => element("th", { scope: "col" }, title)))),
    element("tbody", {}, ...rows),
    element("tfoot", {}, element("tr", {}, element("th", { scope: "row" }, t("Together")), element("td"), ...sums.map((sum) => element("td", {}, sum))))));
}

const name = (start, zone) => date(start, zone, { month: "long", year: "numeric" });

function lines(bill, { tariff, currency }) {
  const row = (line) => element("tr", {}, element("th", { scope: "row" }, line.text, line.obis ? element("span.obis", {}, line.obis) : null),
    element("td", {}, `${number(Number(line.quantity), line.unit === "kWh" ? 2 : 0)} ${line.unit}`), element("td", {}, money(Number(line.price), currency, 4)),
    element("td", {}, money(Number(line.amount), currency)));
  const uncharged = bill.uncharged.import_wh + bill.uncharged.export_wh + bill.uncharged.undirected_wh;
  return element("div.bill", {}, element("h3", {}, tariff), element("div.scrolls", {}, element("table.bills", {}, element("tbody", {}, ...bill.lines.map(row)),
    element("tfoot", {}, element("tr", {}, element("th", { scope: "row" }, t("Total")), element("td"), element("td"), element("td", {}, money(Number(bill.total), currency)))))),
  uncharged ? element("p.facts", {}, t("{energy} kWh flowed while nobody knows at which price; they are not in it.", { energy: energy(uncharged) })) : null);
}

function none() {
  return element("section.part", { "aria-label": t("No tariff yet") }, element("h2", {}, t("No tariff yet")),
    element("p", {}, t("Write what your supplier charges into a file, name it in wattrail.toml, and start again:")),
    element("pre", { tabindex: "0" }, element("code", {}, 'name = "My tariff"\ncurrency = "EUR"\n\n[[price]]\nfrom = 2026-01-01\nrates = 0.32\nexport = 0.08\nstanding = 12.90')),
    element("pre", { tabindex: "0" }, element("code", {}, '[site]\ntariffs = ["tariff.toml"]')));
}

async function build({ tariffs, zone, grid }) {
  const meters = await ask("meters");
  if (!tariffs.length || !meters.length) return main.replaceChildren(none());
  const asked = new URLSearchParams(location.search).get("meter");
  const meter = meters.find(({ name }) => name === (asked ?? grid)) ?? meters[0];
  const choose = element("select", { "aria-label": t("Meter") }, ...meters.map((one) =>
    element("option", { value: one.name, ...(one === meter ? { selected: "" } : {}) }, one.name)));
  choose.addEventListener("change", () => { location.search = new URLSearchParams({ meter: choose.value }); });
  const found = await bills(meter.name, tariffs, zone), detail = element("div.details", { "aria-live": "polite" });
  const show = (start) => detail.replaceChildren(element("h2", {}, name(start, zone)),
    ...found.answers.map((answer) => (found.of(answer, start) ? lines(found.of(answer, start), answer) : null)).filter(Boolean));
  main.replaceChildren(
    element("section.part", { "aria-label": t("Costs") },
      element("header.head", {}, element("h1", {}, t("Costs")), meter.simulated ? element("span.badge", {}, SIMULATED) : null, meters.length > 1 ? choose : null),
      found.starts.length ? comparison(found, zone, show) : element("p", {}, t("No energy was booked in this time."))),
    element("section.part", { "aria-label": t("Bill") }, detail));
  if (found.starts.length) show(found.starts[0]);
}

document.getElementById("top").append(navigation());
showSession(document.getElementById("top"));
document.title = `${t("Costs")} – wattrail`;
try {
  await build(await ask("about"));
} catch (error) {
  main.replaceChildren(element("p.warning", { role: "alert" }, error.message));
}
