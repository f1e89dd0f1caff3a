// Elements from a description. Text is always text: nothing that a meter or a person named is ever read as markup.
import { t } from "./language.js";

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

export async function ask(path) {
  const response = await fetch(`/api/v1/${path}`, { signal: AbortSignal.timeout(10000) }).catch(() => {
    throw new Error(t("The gateway does not answer. This page tries again by itself."));
  });
  if (response.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
    throw new Error("Sign in again.");
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail ?? response.statusText);
  return answer;
}

export const path = (name) => `meters/${encodeURIComponent(name)}`;
