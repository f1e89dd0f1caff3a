// Import above, export below the line: one group of bars a period, each of which can be chosen by mouse, touch and key.
import { svg, ticks } from "./plot.js";
import { energy, number } from "./format.js";
import { t } from "./language.js";

const LEFT = 56, RIGHT = 8, TOP = 26, BOTTOM = 26;
// As many decimals as all of these need.
const decimalsOf = (values) => Math.max(0, ...values.map((value) => (String(+value.toPrecision(4)).split(".")[1] ?? "").length));

export class Bars {
  // `choose(n)` is called with the number of a bar that was chosen.
  constructor(host, choose) {
    Object.assign(this, { host, choose });
    this.root = svg("svg", { class: "drawing bars", role: "group" });
    host.append(this.root);
    new ResizeObserver(() => this.last && this.draw(this.last)).observe(host);
  }

  // bars: [{ label, name, import_wh, export_wh, before, doubtful, imported }]; `before` has the energy of the period compared
  // with, `imported` what of it another program counted. Such bars are hatched.
  draw(bars) {
    this.last = bars;
    const width = this.host.clientWidth, height = this.host.clientHeight;
    if (width < 120 || height < 80 || !bars.length) return;
    this.root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const most = (way) => Math.max(0, ...bars.flatMap((bar) => [bar[`${way}_wh`], bar.before?.[`${way}_wh`] ?? 0])) / 1000;
    const high = most("import") * 1.08 || 0.1, low = -most("export") * 1.08;
    const y = (kwh) => TOP + (high - kwh) / (high - low) * (height - TOP - BOTTOM);
    const parts = [hatch(), svg("text", { class: "tick", x: LEFT - 8, y: 10, "text-anchor": "end" }, "kWh")];
    const marks = ticks(low, high, 4), decimals = decimalsOf(marks);
    for (const at of marks) {
      parts.push(svg("line", { class: at === 0 ? "zero" : "rule", x1: LEFT, x2: width - RIGHT, y1: y(at), y2: y(at) }));
      parts.push(svg("text", { class: "tick", x: LEFT - 8, y: y(at) + 4, "text-anchor": "end" }, number(Math.abs(at), decimals)));
    }
    const room = (width - LEFT - RIGHT) / bars.length, every = Math.ceil(34 / room);
    bars.forEach((bar, n) => {
      parts.push(this.#group(bar, n, LEFT + room * n, room, y, height));
      if (n % every === 0) parts.push(svg("text", { class: "tick", x: LEFT + room * (n + 0.5), y: height - 8, "text-anchor": "middle" }, bar.label));
    });
    this.root.replaceChildren(...parts);
  }

  #group(bar, n, x, room, y, height) {
    const wide = Math.min(44, room * 0.62), left = x + (room - wide) / 2;
    const group = svg("g", { class: `bar-group${bar.doubtful ? " is-doubtful" : ""}`, tabindex: 0, role: "button", "aria-label": spoken(bar) });
    group.append(svg("title", {}, spoken(bar)), svg("rect", { class: "touch", x, y: TOP, width: room, height: height - TOP - BOTTOM }));
    for (const [way, sign] of [["import", 1], ["export", -1]]) {
      const value = sign * bar[`${way}_wh`] / 1000, before = sign * (bar.before?.[`${way}_wh`] ?? 0) / 1000;
      const place = { x: left, width: wide, y: Math.min(y(0), y(value)), height: Math.abs(y(value) - y(0)) };
      if (value) group.append(svg("rect", { class: `bar ${way}`, ...place }));
      if (value && bar.imported) group.append(svg("rect", { class: "hatched", fill: "url(#imported-energy)", ...place }));
      if (before) group.append(svg("line", { class: `before ${way}`, x1: left - 3, x2: left + wide + 3, y1: y(before), y2: y(before) }));
    }
    group.addEventListener("click", () => this.choose(n));
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.choose(n); }
    });
    return group;
  }
}

// Lines in the colour of the card, over a bar whose energy another program counted.
function hatch() {
  const pattern = svg("pattern", { id: "imported-energy", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  pattern.append(svg("rect", { class: "hatch", width: 2.5, height: 6 }));
  const made = svg("defs", {});
  made.append(pattern);
  return made;
}

// Where energy of a period comes from that another program counted: "imported from tibber".
export function importedFrom({ imported }) {
  if (!imported) return [];
  const facts = [t("imported from {origin}", { origin: imported.origins.join(", ") })];
  if (imported.import_wh === null) facts.push(t("its import is not known"));
  if (imported.export_wh === null) facts.push(t("its export is not known"));
  return facts;
}

// Energy in watt-hours of the period compared with, and where it comes from if another program counted some of it.
export function comparedWith(watt_hours, origins) {
  const compared = t("the period before: {energy} kWh", { energy: energy(watt_hours) });
  return origins.length ? `${compared} (${t("imported from {origin}", { origin: origins.join(", ") })})` : compared;
}

// One bar as a sentence: the tooltip, and what a screen reader says.
function spoken({ name, import_wh, export_wh, before, doubtful, imported }) {
  const facts = [t("import {energy} kWh", { energy: energy(import_wh) })];
  if (export_wh || before?.export_wh) facts.push(t("export {energy} kWh", { energy: energy(export_wh) }));
  if (before) facts.push(comparedWith(before.import_wh, before.imported?.origins ?? []));
  if (doubtful) facts.push(t("holds energy of a gap"));
  facts.push(...importedFrom({ imported }));
  return `${name}: ${facts.join(", ")}`;
}
