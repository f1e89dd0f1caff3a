// What pages have in common: the ways to the others, who looks at it, a title with the mark of a twin.
import { element } from "./element.js";
import { SIMULATED } from "./format.js";
import { t } from "./language.js";
import { navigation } from "./navigation.js";
import { showSession } from "./session.js";

// The line at the top; gives the session.
export function showHeader() {
  const top = document.getElementById("top");
  top.append(navigation());
  return showSession(top);
}

// The mark of everything that comes from a twin; nothing where it is a meter's.
export const simulatedBadge = ({ simulated }) => (simulated ? element("span.badge", {}, SIMULATED) : null);

// The title of a page about something that may be simulated, and what belongs beside it.
export const pageHead = (title, about, ...more) => element("header.head", {}, element("h1", {}, title), simulatedBadge(about), ...more);

// The meter that this page is of, by its address.
export const ownMeter = () => decodeURIComponent(location.pathname.split("/").at(-1));

// A page about a meter: meter, scope, ledger, calibration, accuracy.
export const pageOf = (page, name) => `/${page}/${encodeURIComponent(name)}`;

export const meterLink = (page, name, text) => element("a.scope-link", { href: pageOf(page, name) }, text);

// A choice between meters, where there are several.
export function meterChoice(meters, chosen, choose) {
  if (meters.length < 2) return null;
  const made = element("select", { "aria-label": t("Meter") }, ...meters.map(({ name }) =>
    element("option", { value: name, ...(name === chosen ? { selected: "" } : {}) }, name)));
  made.addEventListener("change", () => choose(made.value));
  return made;
}
