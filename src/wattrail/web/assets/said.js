// What the gateway says, in the reader's language. It says it in English; here each sentence is found by its template.
import { fileOf, locale } from "./language.js";

const MAX_LENGTH = 2000, MAX_KEPT = 500, MAX_DEPTH = 4;
const PLACE = /\{(\w+)\}/;
const DECIMAL = new Intl.NumberFormat(locale).format(1.5).replace(/\d/g, "");
const ONE_WORD = /^(pin|channel|active)$/;  // what may stand in such a place, so that it takes no other sentence in
const UNTOUCHED = /version|address|host|path|url/i;  // 3.11 is not a number there

// A pattern for each template, those that say most by themselves first.
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
const own = (template) => template.split(PLACE).filter((_, place) => place % 2 === 0).join("").length;
const templatesOf = (sentences) => Object.entries(sentences).sort(([one], [other]) => own(other) - own(one)).map(([english, translated]) => {
  const parts = english.split(PLACE);
  return { translated, names: parts.filter((_, place) => place % 2), first: parts[0],
    pattern: new RegExp(`^${parts.map((part, place) => (place % 2 === 0 ? escaped(part) : ONE_WORD.test(part) ? "(\\w+)" : "([^]*?)")).join("")}$`) };
});

// A number with a fraction or with groups as the locale writes it.
function local(text, name) {
  if (UNTOUCHED.test(name)) return text;
  if (/^-?\d{1,3}(,\d{3})+$/.test(text)) return new Intl.NumberFormat(locale).format(Number(text.replaceAll(",", "")));
  return text.replace(/^([+-]?\d+)\.(\d+)(?= ?[a-zA-Z%]*$)/, `$1${DECIMAL}$2`);
}

class Sayer {
  #kept = new Map();
  #templates;

  constructor(sentences) {
    this.#templates = templatesOf(sentences);
  }

  #whole(text, depth) {
    for (const { pattern, names, first, translated } of this.#templates) {
      const found = text.startsWith(first) ? pattern.exec(text) : null;
      if (!found) continue;
      const values = Object.fromEntries(names.map((name, place) => [name, local(this.#translate(found[place + 1], depth + 1), name)]));
      return translated.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
    }
    return null;
  }

  // The whole sentence; else its parts, such as the names before a colon and several remarks in a row.
  #translate(text, depth) {
    if (!text || depth > MAX_DEPTH) return text;
    const found = this.#whole(text, depth);
    if (found !== null) return found;
    for (const mark of ["; ", ": "]) {
      const at = text.indexOf(mark);
      if (at > 0) return [text.slice(0, at), text.slice(at + mark.length)].map((part) => this.#translate(part, depth + 1)).join(mark);
    }
    return text;
  }

  say(text) {
    if (!this.#templates.length || typeof text !== "string" || text.length > MAX_LENGTH) return text ?? "";
    if (this.#kept.size > MAX_KEPT) this.#kept.clear();
    if (!this.#kept.has(text)) this.#kept.set(text, this.#translate(text, 0));
    return this.#kept.get(text);
  }
}

// sayer(sentences) gives a function like said, for sentences that only one page has.
export function sayer(sentences) {
  const made = new Sayer(sentences);
  return (text) => made.say(text);
}

// said(meter.error); what has no template, such as the words of a device, stays as it is.
export const said = sayer(await fileOf("said"));
