// A year at a glance: a column a day, a row an hour, the deeper the colour the more energy. Export has its own colour.
import { clock, date, energy } from "./format.js";
import { t } from "./language.js";

const LEFT = 44, TOP = 4, BOTTOM = 22, HOURS = 24;

export class HeatMap {
  // `choose(ms)` is called with the start of the hour that was chosen.
  constructor(host, zone, choose) {
    Object.assign(this, { host, zone, cells: [] });
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.bubble = document.createElement("p");
    this.bubble.className = "bubble";
    this.bubble.hidden = true;
    host.append(this.canvas, this.bubble);
    host.addEventListener("pointermove", (event) => this.#point(event));
    host.addEventListener("pointerleave", () => { this.bubble.hidden = true; });
    host.addEventListener("click", (event) => { const cell = this.#at(event); if (cell) choose(cell.ms); });
    new ResizeObserver(() => this.#paint()).observe(host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
  }

  // periods: [{ start, import_wh, export_wh }] of a year's hours, oldest first.
  draw(periods) {
    const local = new Intl.DateTimeFormat("sv-SE", { timeZone: this.zone ?? undefined, dateStyle: "short", timeStyle: "short" });
    const first = periods.length ? dayNumber(local.format(new Date(periods[0].start))) : 0;
    this.cells = periods.map((period) => {
      const text = local.format(new Date(period.start));
      return { ms: Date.parse(period.start), column: dayNumber(text) - first, row: Number(text.slice(11, 13)), net: period.import_wh - period.export_wh, ...period };
    });
    this.columns = this.cells.length ? this.cells.at(-1).column + 1 : 0;
    const sizes = this.cells.map(({ net }) => Math.abs(net)).filter((size) => size > 0).sort((a, b) => a - b);
    this.full = sizes[Math.floor(sizes.length * 0.98)] ?? 1;  // one oven does not make the rest of the year pale
    this.#paint();
  }

  #paint() {
    const { canvas, host } = this, width = host.clientWidth, height = host.clientHeight, ratio = window.devicePixelRatio || 1;
    if (!this.columns || width < 120) return;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext("2d"), css = getComputedStyle(host);
    const colour = (name) => css.getPropertyValue(name).trim();
    pen.scale(ratio, ratio);
    this.cell = { wide: (width - LEFT) / this.columns, high: (height - TOP - BOTTOM) / HOURS };
    for (const { column, row, net } of this.cells) {
      pen.globalAlpha = net === 0 ? 0.08 : 0.12 + 0.88 * Math.min(1, Math.abs(net) / this.full);
      pen.fillStyle = colour(net < 0 ? "--export" : net > 0 ? "--import" : "--idle");
      pen.fillRect(LEFT + column * this.cell.wide, TOP + row * this.cell.high, Math.max(1, this.cell.wide + 0.3), this.cell.high + 0.3);
    }
    this.#scale(pen, colour("--soft"), height, css.fontFamily);
  }

  #scale(pen, colour, height, font) {
    pen.globalAlpha = 1;
    pen.fillStyle = colour;
    pen.font = `12px ${font}`;
    pen.textAlign = "right";
    for (const hour of [0, 6, 12, 18]) pen.fillText(`${String(hour).padStart(2, "0")}:00`, LEFT - 6, TOP + this.cell.high * hour + 10);
    pen.textAlign = "left";
    let last = -Infinity, month = "";
    for (const { column, ms } of this.cells) {
      const name = date(ms, this.zone, { month: "short" }), x = LEFT + column * this.cell.wide;
      if (name !== month && x - last > 44) { pen.fillText(name, x, height - 6); last = x; }
      month = name;
    }
  }

  #at(event) {
    if (!this.cell) return null;
    const box = this.host.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - LEFT) / this.cell.wide), row = Math.floor((event.clientY - box.top - TOP) / this.cell.high);
    return this.cells.find((cell) => cell.column === column && cell.row === row) ?? null;
  }

  #point(event) {
    const cell = this.#at(event);
    this.bubble.hidden = !cell;
    if (!cell) return;
    const facts = [t("import {energy} kWh", { energy: energy(cell.import_wh) })];
    if (cell.export_wh) facts.push(t("export {energy} kWh", { energy: energy(cell.export_wh) }));
    this.bubble.textContent = `${date(cell.ms, this.zone)}, ${clock(cell.ms, this.zone, false)}: ${facts.join(", ")}`;
    const x = LEFT + cell.column * this.cell.wide;
    this.bubble.style.left = `${Math.max(0, Math.min(x + 12, this.host.clientWidth - this.bubble.offsetWidth - 4))}px`;
  }
}

const dayNumber = (text) => Math.round(Date.parse(`${text.slice(0, 10)}T00:00Z`) / 86400e3);
