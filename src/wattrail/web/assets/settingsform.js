// A form for one table of wattrail.toml, made of its JSON Schema: what a field is for, its bounds and what it usually is.
import { element } from "./element.js";
import { t } from "./language.js";

const KEPT = "(kept)";
let made = 0;

const usual = (schema) => (schema.default === null || schema.default === undefined || schema.default === "" ? t("not set") : t("usually {value}", { value: schema.default }));

function select(options, value, schema, required) {
  const known = [...options.map(String), ...(value !== undefined && !options.map(String).includes(String(value)) ? [String(value)] : [])];
  const root = element("select", {}, ...(required ? [] : [element("option", { value: "" }, usual(schema))]), ...known.map((one) => element("option", { value: one }, one)));
  root.value = value === undefined ? (required ? known[0] ?? "" : "") : String(value);
  const read = () => (root.value === "" ? undefined : schema.type === "integer" ? Number(root.value) : root.value);
  return { root, read };
}

function checkbox(value) {
  const root = element("input", { type: "checkbox" });
  root.checked = value === true;
  return { root, read: () => (root.checked ? true : value === undefined ? undefined : false) };
}

function several(options, values = []) {
  const boxes = [...new Set([...options, ...values])].map((one) => [one, checkbox(values.includes(one))]);
  const root = element("div.several", { role: "group" }, ...boxes.map(([one, { root: box }]) => element("label", {}, box, one)));
  return { root, read: () => { const found = boxes.filter(([, box]) => box.read()).map(([one]) => one); return found.length ? found : undefined; } };
}

function lines(values = []) {
  const root = element("textarea", { rows: String(Math.max(2, values.length + 1)), spellcheck: "false", placeholder: t("one in each line") });
  root.value = values.join("\n");
  return { root, read: () => { const found = root.value.split("\n").map((line) => line.trim()).filter(Boolean); return found.length ? found : undefined; } };
}

function text(value, schema, name) {
  const isSecret = schema.writeOnly === true, isLong = name === "template";
  const root = element(isLong ? "textarea" : "input", { spellcheck: "false", autocapitalize: "none", autocomplete: isSecret ? "new-password" : "off",
    placeholder: isSecret && value === KEPT ? t("kept; type to replace it") : usual(schema), ...(isSecret ? { type: "password" } : {}) });
  if (schema.type === "number" || schema.type === "integer") root.setAttribute("inputmode", "decimal");
  root.value = isSecret || value === undefined ? "" : String(value);
  return { root, read: () => read(root.value.trim(), value, schema, isSecret) };
}

// What is not a number goes as it was typed, and comes back with what is wrong with it.
function read(typed, value, schema, isSecret) {
  if (typed === "") return isSecret && value === KEPT ? KEPT : undefined;
  if (schema.type !== "number" && schema.type !== "integer") return typed;
  const number = Number(typed.replace(",", "."));
  return Number.isFinite(number) ? number : typed;
}

function control(name, schema, value, required, meters) {
  if (schema.type === "object") {
    const inner = new Fields({ ...schema, required: required ? schema.required : [] }, value ?? {}, meters);
    return { root: inner.root, read: () => { const found = inner.read(); return Object.keys(found).length ? found : undefined; }, inner };
  }
  if (schema.type === "boolean") return checkbox(value);
  if (schema.type === "array") {
    if (schema.items.enum) return several(schema.items.enum, value);
    return schema.items.format === "meter" ? several(meters, value) : lines(value);
  }
  const options = schema.enum ?? (schema.const === undefined ? null : [schema.const]);
  if (options) return select(options, value, schema, required);
  return schema.format === "meter" ? select(meters, value, schema, required) : text(value, schema, name);
}

// The fields of a table. What the schema does not know stays in the value as it is.
export class Fields {
  constructor(schema, value, meters, leftOut = []) {
    Object.assign(this, { schema, value, controls: new Map(), errors: new Map() });
    const required = schema.required ?? [];
    const rows = Object.entries(schema.properties).filter(([name]) => !leftOut.includes(name)).map(([name, field]) => this.#row(name, field, value[name], required.includes(name), meters));
    this.root = element("div.fields", {}, ...rows);
  }

  #row(name, field, value, required, meters) {
    const one = control(name, field, value, required, meters), id = `field-${made += 1}`;
    const error = element("p.field-error", { id: `${id}-error`, hidden: "" });
    this.controls.set(name, one);
    this.errors.set(name, error);
    const title = element("span.title", {}, t(field.description), required ? element("span.required", {}, ` ${t("(needed)")}`) : null, " ", element("code", {}, name));
    if (one.inner || one.root.getAttribute("role") === "group") {
      title.id = `${id}-title`;
      one.root.setAttribute("role", "group");
      one.root.setAttribute("aria-labelledby", title.id);
      return element("div.field", {}, title, one.root, error);
    }
    one.root.id = id;
    one.root.setAttribute("aria-describedby", error.id);
    const label = element("label", { for: id }, title);
    return field.type === "boolean" ? element("div.field.is-switch", {}, one.root, label, error) : element("div.field", {}, label, one.root, error);
  }

  read() {
    const found = { ...this.value };
    for (const [name, { read }] of this.controls) {
      const value = read();
      if (value === undefined) delete found[name];
      else found[name] = value;
    }
    return found;
  }

  clear() {
    for (const [name, error] of this.errors) {
      error.hidden = true;
      this.controls.get(name).root.removeAttribute("aria-invalid");
      this.controls.get(name).inner?.clear();
    }
  }

  // Puts an error at the field that a path leads to; whether there is one.
  complain([name, ...rest], message) {
    const one = this.controls.get(name);
    if (!one) return false;
    if (one.inner && rest.length && one.inner.complain(rest, message)) return true;
    const error = this.errors.get(name);
    error.textContent = error.hidden ? message : `${error.textContent}; ${message}`;
    error.hidden = false;
    one.root.setAttribute("aria-invalid", "true");
    return true;
  }
}
