// What pages have in common: the ways to the others, who looks at it, a title with the mark of a twin.
import { element } from "./element.js";
import { SIMULATED } from "./format.js";
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

// A way to another page about a meter: meter, ledger, calibration, accuracy.
export const meterLink = (page, name, text) => element("a.scope-link", { href: `/${page}/${encodeURIComponent(name)}` }, text);
