// Meters: add one that was found or that is known by its address, and rename one together with its account.
import { ask, refusal, send, withHint } from "./api.js";
import { button, element, show } from "./element.js";
import { t } from "./language.js";
import { said } from "./said.js";
import { Fields } from "./settingsform.js";

function freeName(wanted, names) {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? wanted : `${wanted}-${number}`;
    if (!names.includes(name)) return name;
  }
}

// A button, a list of what was found, and the form that either fills.
export function addMeter(context) {
  const names = (context.state.tables.meter ?? []).map(({ name }) => name);
  const root = element("details.table.add", {}, element("summary", {}, element("span.name", {}, t("Add a meter"))));
  const found = element("ul.found", { "aria-live": "polite" }), seen = element("p.facts", { role: "status" });
  const search = button("button.quiet", t("Search the network"), () => look(true));
  const place = element("div.place");
  const fill = (value) => { const form = meterForm(context, value, names); place.replaceChildren(form.root); return form; };
  const row = (title, url, name) => {
    const use = button("button.quiet", t("Use this"), () => fill({ name, url }).focus(), { "aria-label": t("Use {what}", { what: title }) });
    return element("li", {}, element("span", {}, element("strong", {}, title), element("span.url", {}, url)), use);
  };
  const look = async (network) => {
    search.disabled = true;
    show(seen, network ? t("Searching for some seconds…") : "");
    const answer = await ask(`settings/discovery?network=${network}`).catch((error) => ({ ports: [], hidden: [], network: [], actions: [], problems: [error.message] }));
    found.replaceChildren(...answer.ports.map((one) => row(`${one.description} (${one.carries})`, one.url, freeName("house", names))),
      ...answer.network.map((one) => row(`${one.simulated ? `${t("Simulated")}: ` : ""}${one.description}: ${one.measures.join(", ")}`, one.url, one.name)));
    const none = found.childElementCount ? [] : [network ? t("No meter answered.") : t("No port of the gateway's machine has a device behind it.")];
    show(seen, [...none, ...[...answer.hidden, ...answer.actions, ...answer.problems].map(said)].join(" · "));
    search.disabled = false;
  };
  root.addEventListener("toggle", () => { if (root.open && !place.childElementCount) { fill({}); look(false); } });
  root.append(element("div.about", {}, element("p.facts", {}, t("Nothing is opened before you add it. Take what was found, or type the address of the meter.")), found, seen, search), place);
  return root;
}

function meterForm(context, value, names) {
  const schema = context.schema.properties.meter.items;
  const pick = (wanted) => ({ ...schema, properties: Object.fromEntries(Object.entries(schema.properties).filter(([name]) => wanted(name))) });
  const first = new Fields(pick((name) => ["name", "url"].includes(name)), value, []);
  const more = new Fields({ ...pick((name) => !["name", "url"].includes(name)), required: [] }, {}, []);
  const safety = new Fields(context.schema.properties.safety, context.state.tables.safety ?? {}, []);
  const danger = element("div.danger", {}, element("p", {}, t("DANGER: the metering side of such a board is on mains potential. Say how its wires are kept off the mains; docs/safety.md shows the wiring.")), safety.root);
  const problem = element("p.error", { role: "alert", hidden: "" });
  const form = element("form", { novalidate: "", method: "post" }, first.root, danger,
    element("details.more", {}, element("summary", {}, t("More about this meter")), more.root), problem,
    element("div.buttons", {}, element("button.main", { type: "submit" }, t("Add the meter"))));
  const url = first.controls.get("url").root;
  const wired = schema.properties.url.wired_schemes;
  const look = () => { danger.hidden = !wired.includes(url.value.trim().split(":", 1)[0].toLowerCase()); };
  url.setAttribute("placeholder", "serial:///dev/ttyUSB0?baud=4800, openbeken://192.168.1.20, tasmota://…");
  url.addEventListener("input", look);
  look();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    for (const one of [first, more, safety]) one.clear();
    const changes = [{ table: "meter", item: null, value: { ...more.read(), ...first.read() } }];
    if (!danger.hidden) changes.push({ table: "safety", item: null, value: safety.read() });
    const answer = await context.save(changes);
    if (answer.ok) return;
    const left = [];
    for (const { where, message, hint } of answer.answer.errors ?? []) {
      const sentence = withHint(message, hint), path = where.split(".");
      const isMeter = where.startsWith(`meter.${names.length}`), rest = path.slice(isMeter ? 2 : 1);
      if (!(isMeter && (first.complain(rest, sentence) || more.complain(rest, sentence))) && !(path[0] === "safety" && safety.complain(rest, sentence))) left.push(`${where}: ${sentence}`);
    }
    show(problem, answer.answer.errors?.length ? left.join("; ") : refusal(answer.answer));
    problem.hidden = !problem.textContent;
    form.querySelector("[aria-invalid]")?.focus();
  });
  return { root: form, focus: () => first.controls.get("name").root.focus() };
}

// The account goes along: ledger, calibrations, identity at other programs.
export function renameMeter(name, context) {
  const input = element("input", { value: name, "aria-label": t("New name of {name}", { name }), spellcheck: "false", autocapitalize: "none", maxlength: "64" });
  const submit = element("button.quiet", { type: "submit" }, t("Rename"));
  const problem = element("p.error", { role: "alert", hidden: "" });
  const form = element("form.rename", { novalidate: "", method: "post" }, input, submit, problem);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    problem.hidden = true;
    const found = await send("POST", "settings/rename", { version: context.state.version, old: name, new: input.value.trim() });
    submit.disabled = false;
    if (found.ok) return context.written({ changes: [t("{old} is {new} now, with its account", { old: name, new: input.value.trim() })] });
    show(problem, refusal(found.answer));
    problem.hidden = false;
  });
  return form;
}
