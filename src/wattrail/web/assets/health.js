// How it stands with everything: meters and their links, publishers, machine, clock, database, log; from /api/v1/health/report.
import { ask } from "./api.js";
import { button, element, pairs, section, show, tallTable } from "./element.js";
import { DELIVERY, RANK, SIMULATED, STATES, clock, date, moment, number, remedy } from "./format.js";
import { t } from "./language.js";
import { followGateway } from "./live.js";
import { pageOf, showHeader } from "./page.js";
import { failed, loading } from "./problem.js";
import { said } from "./said.js";

const EVERY_MS = 10000, CHECK_MS = 120000;
const SEVERITIES = { ok: t("In order"), warning: t("Warning"), error: t("Error") };
const LEVELS = { warning: t("Warning"), error: t("Error"), critical: t("Critical") };
const COUNTERS = [["readings", t("readings")], ["retries", t("retries")], ["silent", t("silent")], ["truncated", t("cut short")],
  ["damaged", t("damaged")], ["disagreements", t("in disagreement")], ["implausible", t("implausible")], ["restarts", t("restarts")]];
const main = document.getElementById("main");

const why = (hint) => (hint ? element("p.why", {}, remedy(hint)) : null);

function state(kind, word) {
  return element(`span.mark-of.is-${kind}`, {}, element("span.dot", { "aria-hidden": "true" }), word);
}

// What went wrong on a wire since the gateway started, the most usual first; only what happened.
function counted(counters) {
  if (!counters) return "";
  const faults = COUNTERS.filter(([name]) => name !== "readings" && counters[name]).map(([name, word]) => `${number(counters[name], 0)} ${word}`);
  return [`${number(counters.readings ?? 0, 0)} ${t("readings")}`, ...(faults.length ? faults : [t("no fault")])].join(", ");
}

// Two weeks of a link as a row of marks; each says its day.
function days(found, zone) {
  if (!found.length) return null;
  const mark = ({ day, dropouts, restarts, signal_mean: signal, is_bad: bad }) => {
    const words = [date(`${day}T12:00:00Z`, "UTC"), t("dropouts: {n}", { n: dropouts }), t("restarts: {n}", { n: restarts }),
      ...(signal === null ? [] : [`${number(signal, 0)} dBm`])].join(", ");
    return element(`li.day.${bad ? "is-bad" : dropouts || restarts ? "is-fair" : "is-good"}`, { title: words }, element("span.unseen", {}, words));
  };
  return element("ol.days", { "aria-label": t("Connection by day") }, ...found.map(mark));
}

function meterRow(meter, zone) {
  const restart = meter.restarts[0];
  const faults = [meter.error, meter.notice].filter(Boolean).map((text) => element("p.why", {}, said(text)));
  return element("tr", {}, element("th", { scope: "row" }, element("a", { href: pageOf("meter", meter.name) }, meter.name),
    meter.simulated ? element("span.badge", {}, t("Simulated")) : null),
  element("td", {}, state(meter.state, STATES[meter.state] ?? meter.state), ...faults, why(meter.hint)),
  element("td", {}, meter.last_reading_at ? moment(meter.last_reading_at, zone) : "–"),
  element("td", {}, counted(meter.counters), days(meter.days, zone)),
  element("td", {}, restart ? `${moment(restart.at, zone)}${restart.note ? `, ${said(restart.note)}` : ""}` : "–"));
}

function meters({ meters: found }, zone) {
  const sorted = [...found].sort((one, other) => RANK[one.state] - RANK[other.state]);
  return section(t("Meters"), found.length ? tallTable(t("Meters"), [t("Meter"), t("State"), t("Last reading"), t("Since the gateway started, and by day"), t("Last restart")],
    sorted.map((meter) => meterRow(meter, zone))) : element("p", {}, t("No meter yet")));
}

function publishers({ publishers: found }, zone) {
  if (!found.length) return null;
  const row = ({ name, target, status, error, hint, waiting, sent_at: sent }) => element("tr", {}, element("th", { scope: "row" }, name, element("p.url", {}, target)),
    element("td", {}, state(status, DELIVERY[status] ?? status), error ? element("p.why", {}, said(error)) : null, why(hint)),
    element("td", {}, number(waiting, 0)), element("td", {}, sent ? moment(sent, zone) : "–"));
  return section(t("Publishers"), tallTable(t("Publishers"), [t("Publisher"), t("State"), t("Waiting"), t("Last delivery")], found.map(row)));
}

function prices({ prices: found }, zone) {
  if (!found.length) return null;
  const row = ({ tariff, url, file, known_until: until, fetched_at: at, error, hint }) => element("tr", {}, element("th", { scope: "row" }, tariff, element("p.url", {}, url ?? file)),
    element("td", {}, until ? moment(until, zone) : t("no price yet")), element("td", {}, at ? moment(at, zone) : "–"),
    element("td", {}, said(error), why(hint)));
  return section(t("Market prices"), tallTable(t("Market prices"), [t("Tariff"), t("Known until"), t("Fetched"), t("Error")], found.map(row)));
}

function machine({ findings, problem, hint }) {
  const item = ({ severity, text, remedy: hint }) => element(`li.finding.is-${severity}`, {}, state(severity, SEVERITIES[severity]),
    element("div", {}, element("p", {}, said(text)), why(hint)));
  const missing = problem ? [{ severity: "error", text: problem, remedy: hint }] : [];
  return section(t("Machine"), element("ul.findings", {}, ...[...missing, ...findings].map(item)));
}

const offset = (minutes) => `UTC${minutes < 0 ? "−" : "+"}${Math.floor(Math.abs(minutes) / 60)}:${String(Math.abs(minutes) % 60).padStart(2, "0")}`;

const facts = (found) => pairs("dl.pairs", found.filter(Boolean));

function times({ zone, at, next_clock_change: change, meters: found }) {
  const steps = found.flatMap(({ name, clock_steps: steps }) => steps.map((step) => ({ name, ...step }))).sort((a, b) => (a.at < b.at ? 1 : -1)).slice(0, 5);
  return section(t("Clock"), facts([[t("Time of the site"), `${date(at, zone, { dateStyle: "long" })}, ${clock(at, zone)}`], [t("Time zone"), zone ?? t("that of this machine")],
    change ? [t("Clocks change next"), `${date(change.at, zone, { dateStyle: "long" })}, ${offset(change.offset_before)} → ${offset(change.offset_after)}`] : null]),
  steps.length ? element("ul.steps", {}, ...steps.map(({ name, at: when, note }) => element("li", {}, `${moment(when, zone)}: ${name}: ${said(note) || t("Clock was set")}`)))
    : element("p.facts-line", {}, t("The clock was not set in the last three months.")));
}

const megabytes = (bytes) => (bytes === null ? "–" : `${number(bytes / 1e6, 1)} MB`);

// The gateway and its database; the check of the whole file is asked for by hand.
function gateway(report, zone, checked, mayCheck) {
  const { gateway: found, starts } = report;
  const status = element("span", { role: "status" }, checked.text);
  const check = button("button.again", t("Check the whole file"), async () => {
    check.disabled = true;
    show(status, t("Reading all of it…"));
    checked.text = await ask("health/database-check", CHECK_MS, "POST").then(({ problems, remedies, took_s: took }) => (problems.length
      ? [...problems, ...remedies].map(said).join("; ") : t("whole; {seconds} s", { seconds: number(took, 1) })), (error) => error.message);
    show(status, checked.text);
    check.disabled = false;
  }, mayCheck ? {} : { disabled: "" });
  const list = starts.length > 1 ? element("ul.steps", {}, ...starts.slice(1).map(({ at, version }) => element("li", {}, `${moment(at, zone)}, ${version}`))) : null;
  return section(t("Gateway and database"), found ? facts([[t("Version"), `wattrail ${found.version}, Python ${found.python}`], [t("Started"), moment(found.started_at, zone)],
    [t("Memory"), megabytes(found.memory_bytes)], [t("Database"), found.database], [t("Size"), megabytes(found.database_bytes)]]) : null,
  element("p.check", {}, check, status), list ? element("h3", {}, t("Earlier starts")) : null, list);
}

// The newest lines, asked for by hand: they are for administrators, and change seldom.
function log(zone) {
  const list = element("ol");
  const row = ({ at, level, logger, message, count }) => element(`li.is-${level}`, {}, element("span.when", {}, moment(at, zone)),
    element("span.level", {}, LEVELS[level] ?? level), element("span.said", {}, message, element("span.logger", {}, `${logger}${count > 1 ? ` (×${number(count, 0)})` : ""}`)));
  const read = button("button.again", t("Read the log"), async () => {
    const lines = await ask("log").catch((error) => error);
    list.replaceChildren(...(lines instanceof Error ? [element("li", {}, lines.message)] : lines.length ? lines.map(row) : [element("li", {}, t("No warning and no error since the gateway started."))]));
    show(read, t("Read again"));
  });
  return section(t("Log"), element("p.check", {}, read), element("div.log", { tabindex: "0", role: "region", "aria-label": t("Lines of the log") }, list));
}

function build(report, parts) {
  const { zone } = report;
  const bad = report.meters.filter(({ state: is }) => is !== "live").length + report.findings.filter(({ severity }) => severity === "error").length
    + report.publishers.filter(({ status }) => status === "refused" || status === "failed").length + (report.problem ? 1 : 0);
  const warned = report.findings.some(({ severity }) => severity === "warning");
  const verdict = bad ? t("Not everything is in order") : warned ? t("Nothing has failed; there are warnings") : t("Everything is in order");
  parts.head.replaceChildren(element("h1", {}, t("Health")), state(bad || warned ? "warning" : "ok", verdict),
    ...(report.simulated ? [element("span.badge", {}, SIMULATED)] : []));
  parts.body.replaceChildren(...[meters(report, zone), publishers(report, zone), machine(report), times(report), prices(report, zone),
    gateway(report, zone, parts.checked, parts.scopes.includes("adjust"))].filter(Boolean));
  if (!parts.log && parts.scopes.includes("admin")) main.append(parts.log = log(zone));
}

async function follow(parts) {
  try {
    const focused = document.activeElement;
    const report = await ask("health/report");
    if (!parts.body.contains(focused)) build(report, parts);  // nobody loses the place where they read or click
    if (!parts.body.isConnected) main.replaceChildren(parts.head, parts.body, ...[parts.log].filter(Boolean));
  } catch (error) {
    if (!parts.body.childElementCount) failed(main, error);
  }
  setTimeout(follow, EVERY_MS, parts);
}

const session = await showHeader();
document.title = `${t("Health")} – wattrail`;
loading(main);
followGateway();
follow({ head: element("header.head"), body: element("div"), checked: { text: "" }, scopes: session.scopes, log: null });
