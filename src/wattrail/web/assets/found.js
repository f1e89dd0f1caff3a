// What a dump says, in the reader's language. Only the page that looks at dumps loads these sentences.
import { fileOf } from "./language.js";
import { said, sayer } from "./said.js";

const own = sayer(await fileOf("found"));
const HIDDEN = /^hidden(: |$)/;

export function tell(text) {
  const found = own(text);
  return found === text ? said(text) : found;
}

// A value out of the dump, as it is; only what stands in place of a hidden one is ours to say.
const shown = (value) => (typeof value === "string" && HIDDEN.test(value) ? tell(value) : value);

export function valueOf(value) {
  return typeof value === "string" ? shown(value) : JSON.stringify(value, (_, inner) => shown(inner));
}
