// What to show where something is not there or cannot be shown: the reason as text, and the ways out.
import { ask } from "./api.js";
import { button, element } from "./element.js";
import { remedy } from "./format.js";
import { t } from "./language.js";
import { pageOf } from "./page.js";

const MAX_NAMES = 30;
export const AGAIN_MS = 2000;

// Whether the same request may succeed later: nobody answered, or what is asked for is not there yet.
export const mayPass = ({ status }) => status === 0 || status === 503;

// A page's first content. What cannot be had yet, such as a meter's first reading, is asked for again until it can;
// an error, and a meter that nobody knows, are said in its place.
export async function opening(main, name, build) {
  try {
    await build();
  } catch (error) {
    if (error.status === 404) await missingMeter(main, name);
    else if (mayPass(error)) notYet(main, error, () => opening(main, name, build));
    else failed(main, error);
  }
}

// `first`, then the meters that there are, as links.
export async function wayOut(first) {
  const meters = await ask("meters").catch(() => []);
  const links = meters.slice(0, MAX_NAMES).map(({ name }) => element("li", {}, element("a", { href: pageOf("meter", name) }, name)));
  return element("div", {}, first, links.length ? element("h2", {}, t("Meters")) : null, links.length ? element("ul.links", {}, ...links) : null);
}

// A meter that nobody knows, in place of its page.
async function missingMeter(main, name) {
  main.replaceChildren(element("section.setup", {}, element("h1", {}, t("There is no meter '{meter}'", { meter: name })),
    element("p", {}, element("a", { href: "/" }, t("To the overview"))), await wayOut(null)));
}

function notYet(main, error, again) {
  if (main.querySelector(".setup .error")?.textContent !== error.message)  // said once: an alert is read aloud
    said(main, t("Not available yet"), error, element("p", {}, t("This page tries again by itself.")));
  setTimeout(again, AGAIN_MS);
}

// Why a page cannot be shown; it is asked for again by the button.
export function failed(main, error) {
  said(main, t("This cannot be shown now"), error, element("p", {}, button("button.again", t("Try again"), () => location.reload())));
}

function said(main, title, error, what) {
  main.replaceChildren(element("section.setup", { role: "alert" }, element("h1", {}, title), element("p.error", {}, error.message),
    error.hint ? element("p.hint", {}, remedy(error.hint)) : null, what));
}

// The section that stands there until the first answer.
export function loading(main) {
  main.replaceChildren(element("p.loading", { role: "status" }, t("Loading…")));
}
