// The line of pages at the top; the one that is open is marked.
import { element } from "./element.js";
import { t } from "./language.js";

const PAGES = [["/", t("Overview")], ["/costs", t("Costs")], ["/api/v1/docs", "API"]];

export function navigation() {
  const link = ([to, title]) => element("a", { href: to, ...(location.pathname === to ? { "aria-current": "page" } : {}) }, title);
  return element("nav.pages", { "aria-label": t("Pages") }, ...PAGES.map(link));
}
