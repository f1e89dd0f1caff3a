// What flows now between grid, house and roof, in one picture. Without a meter behind the roof nobody knows what the
// house uses while it exports.
import { element, show } from "./element.js";
import { number } from "./format.js";
import { t } from "./language.js";
import { svg } from "./plot.js";

const IDLE_W = 5;   // less is not a flow: twice what the chip sees with nothing connected
const PLACES = { roof: [160, 44], grid: [54, 150], house: [266, 150] };
const WAYS = { "grid-house": "M82 150H238", "roof-house": "M180 62Q238 88 252 124", "roof-grid": "M140 62Q82 88 68 124" };

export class Flow {
  constructor(hasRoof) {
    this.hasRoof = hasRoof;
    this.ways = {};
    this.values = {};
    const picture = svg("svg", { viewBox: hasRoof ? "0 0 320 216" : "0 114 320 102", class: "flow", "aria-hidden": "true" });
    for (const [name, d] of Object.entries(WAYS)) {
      if (!hasRoof && name !== "grid-house") continue;
      this.ways[name] = svg("path", { d, class: "way" });
      picture.append(this.ways[name]);
    }
    for (const [name, title] of [["grid", t("Grid")], ["house", t("House")], ["roof", t("Roof")]]) {
      if (!hasRoof && name === "roof") continue;
      const [x, y] = PLACES[name];
      this.values[name] = svg("text", { x, y: y + 3, class: "value", "text-anchor": "middle" }, "–");
      picture.append(svg("circle", { cx: x, cy: y, r: 30, class: `node ${name}` }), this.values[name],
        svg("text", { x, y: y + 17, class: "watt", "text-anchor": "middle" }, "W"),
        svg("text", { x, y: name === "roof" ? y - 36 : y + 46, class: "name", "text-anchor": "middle" }, title));
    }
    this.direction = svg("text", { x: PLACES.grid[0], y: PLACES.grid[1] + 61, class: "name", "text-anchor": "middle" });
    picture.append(this.direction);
    this.root = element("figure.flow-picture", { role: "img" }, picture);
  }

  // Watts: of the grid (positive is import), and what the roof makes. null is unknown.
  take(grid, made) {
    const known = grid !== null && (!this.hasRoof || made !== null);
    const house = known && (this.hasRoof || grid > -IDLE_W) ? grid + (made ?? 0) : null;
    const fed = known ? Math.min(made ?? 0, Math.max(0, -grid)) : 0;  // from roof to grid
    show(this.values.grid, watts(grid));
    show(this.values.house, watts(house));
    this.#way("grid-house", known ? (grid < 0 && this.hasRoof ? 0 : grid) : 0, grid < 0 ? "export" : "import");
    if (this.hasRoof) {
      show(this.values.roof, watts(made));
      this.#way("roof-house", known ? made - fed : 0, "export");
      this.#way("roof-grid", fed, "export");
    }
    const way = grid === null || Math.abs(grid) < IDLE_W ? "" : grid < 0 ? t("Export") : t("Import");
    show(this.direction, way);  // said as text too: who wants less motion sees no dots move, and colours are not for everybody
    const words = { grid: `${watts(grid)} W${way ? ` (${way})` : ""}`, house: house === null ? t("unknown") : `${watts(house)} W`, roof: `${watts(made)} W` };
    this.root.setAttribute("aria-label",
      this.hasRoof ? t("Grid {grid}, roof {roof}, house {house}", words) : t("Grid {grid}, house {house}", words));
  }

  #way(name, power, css) {
    const size = Math.abs(power);
    this.ways[name].setAttribute("class", `way ${size < IDLE_W ? "is-idle" : `is-flowing ${css}`}${power < 0 ? " is-back" : ""}`);
    this.ways[name].style.strokeWidth = `${size < IDLE_W ? 1.5 : Math.min(9, 1 + 1.9 * Math.log10(size / IDLE_W))}px`;
  }
}

function watts(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return number(size, 0);
}
