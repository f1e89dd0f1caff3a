// Elements from a description. Text is always text: nothing that a meter or a person named is ever read as markup.
import { t } from "./language.js";
import { said } from "./said.js";

// element("p.error", { role: "status" }, "text", child, ...)
export function element(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function show(found, text) {
  if (found.textContent !== text) found.textContent = text;
}

const PATIENCE_MS = 10000;

export const ask = (path, patienceMs = PATIENCE_MS) => send("GET", path, patienceMs);

// The answer to a request of the API; an error has the hint and the status of the problem.
export async function send(method, path, patienceMs = 12 * PATIENCE_MS) {
  const response = await fetch(`/api/v1/${path}`, { method, signal: AbortSignal.timeout(patienceMs) }).catch(() => {
    throw Object.assign(new Error(t("The gateway does not answer.")), { status: 0 });
  });
  if (response.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
    throw new Error("Sign in again.");
  }
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(said(answer.detail ?? response.statusText)), { hint: answer.hint && said(answer.hint), status: response.status });
  return answer;
}

export const path = (name) => `meters/${encodeURIComponent(name)}`;
