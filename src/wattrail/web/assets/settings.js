// The settings: one form for each table of wattrail.toml, from /api/v1/settings and its schema.
import { ask, refusal, send, withHint } from "./api.js";
import { button, element, section as part, show } from "./element.js";
import { t, translatePage } from "./language.js";
import { showHeader } from "./page.js";
import { AGAIN_MS, mayPass } from "./problem.js";
import { said as translated } from "./said.js";
import { showAccess } from "./settingsaccess.js";
import { Fields } from "./settingsform.js";
import { addMeter, renameMeter } from "./settingsmeters.js";

const PUBLISHERS = [["home_assistant", "Home Assistant"], ["home_assistant_history", t("Home Assistant's history")], ["mqtt", "MQTT"],
  ["openmetrics", t("Metrics for Prometheus")], ["influxdb", "InfluxDB"], ["p1", t("P1 port")], ["email", t("Email")], ["report", t("Reports")]];
const GROUPS = [
  [t("Meters made of others"), [["virtual", t("Virtual meter")]]],
  [t("Site and costs"), [["site", t("Site: zone, grid, roof, tariffs, names")]]],
  [t("Alarms"), [["alarm", t("Alarm")]]],
  [t("Published to"), [...PUBLISHERS.map(([name, title]) => [`publish.${name}`, title]), ["publish.webhook", t("Webhook")]]],
  [t("Storage"), [["store", t("Database, and how long values are kept")]]],
  [t("Page, log and safety"), [["web", t("Where the page is served")], ["log", t("Log")], ["safety", t("Safety")]]],
];
const FIELD = t("Field"), NOW = t("In the file now"), MINE = t("Yours");

const context = { state: null, schema: null, scales: {}, save, written };
const sections = document.getElementById("sections");
const at = (node, table) => table.split(".").reduce((found, step) => found?.[step], node);
const schemaOf = (table) => table.split(".").reduce((found, step) => found.properties[step], context.schema);
const plain = (value) => JSON.stringify(value ?? null, (key, one) => (one && typeof one === "object" && !Array.isArray(one) ? Object.fromEntries(Object.entries(one).sort()) : one));
const meterNames = () => [...(context.state.tables?.meter ?? []), ...(context.state.tables?.virtual ?? [])].map(({ name }) => name).filter(Boolean);

function said(text, isBad = false) {
  const line = document.getElementById("saved");
  show(line, text);
  line.hidden = !text;
  line.classList.toggle("is-bad", isBad);
  if (text) line.scrollIntoView({ block: "nearest" });
}

const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

// The process of the page may start again with what was saved, which takes a second.
async function load(attempts = 8) {
  const found = await Promise.all([ask("settings"), ask("meters").catch(() => [])]).catch((error) => {
    if (attempts === 1) throw error;
    return null;
  });
  if (found === null) {
    await pause(500);
    return load(attempts - 1);
  }
  const [state, meters] = found;
  context.state = state;
  context.scales = Object.fromEntries(meters.map(({ name, scale }) => [name, scale]));
}

// Sends changes; with what is written everything is drawn again. Gives { ok, status, answer }.
async function save(changes, method = "PATCH", path = "settings") {
  const attempt = () => send(method, path, { version: context.state.version, changes });
  let found = await attempt();
  if (found.status === 0) {  // the process of the page starts again; the version keeps it from being written twice
    await pause(1500);
    found = await attempt();
  }
  if (found.ok && path === "settings") await written(found.answer);
  return found;
}

async function written({ changes }) {
  const what = changes.length ? t("Saved: {changes}", { changes: changes.map(translated).join("; ") }) : t("Saved. Nothing that runs has changed.");
  await load();
  render();
  said(what);
}

// One table, or one of several, that can be opened, changed and removed. Its form is made when it is opened.
class TableForm {
  constructor(table, item, title, { facts = "", extra = null } = {}) {
    const schema = schemaOf(table), many = schema.type === "array", value = this.now(table, item);
    Object.assign(this, { table, item, base: plain(value), many });
    this.root = element("details.table", {}, element("summary", {}, element("span.name", {}, title), element("span.facts", {}, facts)), extra);
    this.root.addEventListener("toggle", () => { this.fields ?? this.root.append(this.#form(schema, value, title)); });
  }

  #form(schema, value, title) {
    const { table, item, many } = this;
    this.fields = new Fields(many ? schema.items : schema, value ?? {}, meterNames(), table === "meter" && item !== null ? ["name"] : []);
    this.problem = element("p.error", { role: "alert", hidden: "" });
    this.both = element("div.conflict", { hidden: "" });
    const isThere = value !== undefined && !(many && item === null);
    const remove = isThere && (many || !["site", "store", "web", "log", "safety"].includes(table)) ? button("button.quiet", many ? t("Remove") : t("Turn off"), () => this.remove(title)) : null;
    const submit = element("button.main", { type: "submit" }, isThere || !(many || table.startsWith("publish.")) ? t("Save") : many ? t("Add") : t("Turn on"));
    const form = element("form", { novalidate: "", method: "post" }, this.fields.root, this.problem, this.both,
      element("div.buttons", {}, submit, button("button.quiet", t("What would change?"), () => this.check()), remove));
    form.addEventListener("submit", (event) => { event.preventDefault(); this.save(); });
    return form;
  }

  now(table = this.table, item = this.item) {
    const found = at(context.state.tables ?? {}, table);
    return Array.isArray(found) ? (item === null ? undefined : found[item]) : found;
  }

  changes() {
    const value = this.fields.read();
    return [{ table: this.table, item: this.item, value }];
  }

  async save() {
    this.quiet();
    if (plain(this.now()) !== this.base) return this.showBoth();
    const found = await save(this.changes());
    if (found.status === 409) return this.meanwhile();
    if (!found.ok) this.refuse(found.answer);
  }

  // The file was changed meanwhile: another table does not matter, this one is shown as it is now beside what was typed.
  async meanwhile() {
    await load();
    if (plain(this.now()) === this.base) return this.save();
    if (plain(this.now()) === plain(this.fields.read())) return written({ changes: [] });
    this.showBoth();
  }

  showBoth() {
    const now = this.now() ?? {}, mine = this.fields.read();
    const names = [...new Set([...Object.keys(now), ...Object.keys(mine)])].filter((name) => plain(now[name]) !== plain(mine[name]));
    const words = (value) => (value === undefined ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value));
    const take = button("button.quiet", t("Take what is in the file"), render);
    const over = button("button.main", t("Save mine over it"), () => { this.base = plain(this.now()); this.save(); });
    this.both.replaceChildren(element("p", {}, t("Somebody else, or a hand at the file, changed this meanwhile. Nothing was saved.")),
      element("div.scrolls", { tabindex: "0", role: "group", "aria-label": NOW }, element("table.both", {}, element("thead", {}, element("tr", {}, ...[FIELD, NOW, MINE].map((one) => element("th", { scope: "col" }, one)))),
        element("tbody", {}, ...names.map((name) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, words(now[name])), element("td", {}, words(mine[name]))))))),
      element("div.buttons", {}, over, take));
    this.both.hidden = false;
    over.focus();
  }

  async check() {
    this.quiet();
    const found = await send("POST", "settings/check", { version: context.state.version, changes: this.changes() });
    if (!found.ok) return this.refuse(found.answer);
    const { changes } = found.answer;
    said(changes.length ? t("Would be: {changes}", { changes: changes.map(translated).join("; ") }) : t("Nothing that runs would change."));
  }

  async remove(title) {
    const question = this.table === "meter" ? t("Remove {name}? What it measured stays in the database, under this name.", { name: title }) : t("Remove {name}?", { name: title });
    if (!confirm(question)) return;
    const found = await save([{ table: this.table, item: this.item, value: null }]);
    if (!found.ok) this.refuse(found.answer);
  }

  quiet() {
    this.fields.clear();
    this.problem.hidden = true;
    this.both.hidden = true;
    said("");
  }

  // Each error at its field; what belongs to no field of this form stands below it.
  refuse(answer) {
    const prefix = this.table.split(".").length + (this.many ? 1 : 0), left = [];
    for (const { where, message, hint } of answer.errors ?? []) {
      const sentence = withHint(message, hint), path = where.split(".");
      const isHere = where === this.table || where.startsWith(`${this.table}.`);
      if (!isHere || path.length <= prefix || !this.fields.complain(path.slice(prefix), sentence)) left.push(isHere ? sentence : `${where}: ${sentence}`);
    }
    show(this.problem, answer.errors?.length ? left.join("; ") : refusal(answer));
    this.problem.hidden = !this.problem.textContent;
    this.root.querySelector("[aria-invalid]")?.focus();
  }
}

const short = (value) => { const { kind, url, broker, server, name } = value ?? {}; return [kind, broker ?? server ?? (url === "(kept)" ? "" : url)].filter((one) => one && one !== name).join(" "); };

function forms(table, title) {
  const found = at(context.state.tables, table);
  if (schemaOf(table).type !== "array") {
    const isOff = found === undefined && table.startsWith("publish.") && table !== "publish.report";
    return [new TableForm(table, null, title, { facts: isOff ? t("off") : short(found) }).root];
  }
  const items = (found ?? []).map((one, item) => new TableForm(table, item, one.name ?? one.kind ?? title, { facts: short(one) }).root);
  return [...items, new TableForm(table, null, t("Add: {what}", { what: title })).root];
}

function meters() {
  const found = (context.state.tables.meter ?? []).map((one, item) => {
    const scale = context.scales[one.name] ? t("Scale: {scale}", { scale: translated(context.scales[one.name]) }) : "";
    return new TableForm("meter", item, one.name, { facts: one.url, extra: element("div.about", {}, element("p.facts", {}, scale), renameMeter(one.name, context)) }).root;
  });
  return section(t("Meters"), "meters", ...found, addMeter(context));
}

// `id` is where a link from another page leads to: /settings#site.
function section(title, id, ...parts) {
  const made = part(title, ...parts);
  made.id = id;
  return made;
}

// The text itself: the way to change what has no form, and to repair what cannot be read.
function textEditor(isOpen) {
  const area = element("textarea.whole", { rows: "24", spellcheck: "false", autocapitalize: "none", "aria-label": t("Text of the file") });
  const problem = element("p.error", { role: "alert", hidden: "" }), submit = element("button.main", { type: "submit" }, t("Save the text"));
  let version = null;
  const form = element("form", { novalidate: "", method: "post" }, element("p.facts", {}, t("A secret is shown as (kept …) and stays as it is, as long as its line does.")), area, problem, element("div.buttons", {}, submit));
  const root = element("details.table", {}, element("summary", {}, element("span.name", {}, t("Text of the file"))), form);
  const fill = async () => { if (version === null) { const found = await ask("settings/text"); area.value = found.text; version = found.version; } };
  root.addEventListener("toggle", () => { if (root.open) fill().catch((error) => said(error.message, true)); });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    const found = await send("PUT", "settings/text", { version, text: area.value });
    if (found.ok) return written(found.answer);
    const all = (found.answer.errors ?? []).map(({ line, where, message, hint }) => `${line ? t("line {n}", { n: line }) : ""} ${where}: ${withHint(message, hint)}`);
    if (found.status === 409) version = await newerText(area, all);
    show(problem, all.join("\n") || refusal(found.answer));
    problem.hidden = false;
  });
  root.open = isOpen;
  return section(t("The file itself"), "text", root);
}

// Somebody changed the file meanwhile: its text now stands below what was typed, to be compared; saving again is meant.
async function newerText(area, said) {
  const found = await ask("settings/text");
  said.push(t("The file was changed meanwhile. Its text now stands below; save again to write yours over it."));
  const now = element("textarea.whole", { rows: "24", readonly: "", "aria-label": NOW });
  now.value = found.text;
  area.parentElement.querySelector("[readonly]")?.remove();
  area.after(now);
  return found.version;
}

function notices() {
  const { state } = context, lines = [];
  if (state.read_only) lines.push(t("The file can be looked at, not changed: {why}.", { why: withHint(state.read_only) }));
  if (!state.is_there) lines.push(t("There is no file yet: the first change makes it."));
  if (state.simulated && !state.tables?.meter?.length) lines.push(t("All you see is simulated, until the first meter takes its place."));
  for (const { line, message, hint } of state.problems) lines.push(`${t("The file is wrong, and what ran before runs on.")} ${line ? t("line {n}", { n: line }) : ""} ${withHint(message, hint)}`);
  document.getElementById("notices").replaceChildren(...lines.map((line) => element("p.notice", {}, line)));
  show(document.getElementById("file"), state.is_there ? t("{file}; the text before the last change is {backup}", { file: state.file, backup: state.backup }) : state.file);
}

// Where a table is written as something else altogether, nothing but the text can be changed.
function drawn() {
  try {
    return [meters(), ...GROUPS.map(([title, found]) => section(title, found[0][0], ...found.flatMap(([table, name]) => forms(table, name))))];
  } catch {
    return [];
  }
}

function render() {
  notices();
  const open = new Set([...sections.querySelectorAll("details[open] > summary > .name")].map(({ textContent }) => textContent));
  const { tables } = context.state;
  const groups = tables === null ? [] : drawn();
  sections.replaceChildren(...groups, people, textEditor(!groups.length));
  for (const found of sections.querySelectorAll("details > summary > .name")) if (open.has(found.textContent) && !found.textContent.includes(":")) found.closest("details").open = true;
}

document.title = `${t("Settings")} – wattrail`;
translatePage();
showHeader();
const people = section(t("People and programs"), "people");

async function start() {
  try {
    context.schema = await ask("settings/schema");
    await load();
  } catch (error) {
    said(mayPass(error) ? `${error.message} ${t("This page tries again by itself.")}` : error.message, true);
    if (mayPass(error)) setTimeout(start, AGAIN_MS);
    return;
  }
  said("");
  showAccess(people, said);
  render();
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

await start();
