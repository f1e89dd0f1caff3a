// The line of pages at the top; the one that is open is marked.
import { element } from "./element.js";
import { t } from "./language.js";

const PAGES = [
  ["/", t("Overview")], ["/costs", t("Costs")], ["/ledger", t("Ledger")], ["/health", t("Health")], ["/inspect", t("Inspect")],
  ["/settings", t("Settings")], ["/api/v1/docs", "API"],
];

// A page below another one, as that of one meter, belongs to it.
const isOpen = (to) => location.pathname === to || (to !== "/" && location.pathname.startsWith(`${to}/`));

export function navigation() {
  const link = ([to, title]) => element("a", { href: to, ...(isOpen(to) ? { "aria-current": "page" } : {}) }, title);
  return element("nav.pages", { "aria-label": t("Pages") }, ...PAGES.map(link));
}
