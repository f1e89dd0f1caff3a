// A year at a glance: a column a day, a row an hour, the deeper the colour the more energy. Export has its own colour.
import { element } from "./element.js";
import { date, energy } from "./format.js";
import { t } from "./language.js";

const LEFT = 44, TOP = 4, BOTTOM = 22, HOURS = 24;

export class HeatMap {
  // `choose(day)` is called with the day that was chosen.
  constructor(host, choose) {
    Object.assign(this, { host, cells: [] });
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.bubble = element("p.bubble", { hidden: "" });
    host.append(this.canvas, this.bubble);
    host.addEventListener("pointermove", (event) => this.#point(event));
    host.addEventListener("pointerleave", () => { this.bubble.hidden = true; });
    host.addEventListener("click", (event) => { const cell = this.#at(event); if (cell) choose(cell.day); });
    new ResizeObserver(() => this.#paint()).observe(host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
  }

  // days: [{ day, import_wh: [by hour], export_wh: [by hour], imported: { origin: [hours] }, starts: [clock times] or null }],
  // oldest first. A direction that is not known is null; hours with imported energy are hatched. An hour is drawn where the
  // clock says: the night that clocks go forward leaves a row empty, and the hour that comes twice has half a row each time.
  draw(days) {
    const first = days.length ? dayNumber(days[0].day) : 0;
    this.cells = days.flatMap(({ day, import_wh, export_wh, imported, starts }) => import_wh.map((used, hour) => ({
      day, column: dayNumber(day) - first, ...placeOf(starts ?? EVERY_HOUR, hour), import_wh: used, export_wh: export_wh[hour],
      net: (used ?? 0) - (export_wh[hour] ?? 0), origins: Object.keys(imported).filter((origin) => imported[origin].includes(hour)),
    })));
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
    for (const { column, row, tall, net } of this.cells) {
      pen.globalAlpha = net === 0 ? 0.08 : 0.12 + 0.88 * Math.min(1, Math.abs(net) / this.full);
      pen.fillStyle = colour(net < 0 ? "--export" : net > 0 ? "--import" : "--idle");
      pen.fillRect(LEFT + column * this.cell.wide, TOP + row * this.cell.high, Math.max(1, this.cell.wide + 0.3), tall * this.cell.high + 0.3);
    }
    this.#hatch(pen, colour("--card"));
    this.#scale(pen, colour("--soft"), height, css.fontFamily);
  }

  // Lines in the colour of the card over every hour that another program counted.
  #hatch(pen, colour) {
    const line = document.createElement("canvas");
    line.width = line.height = 8;
    const drawn = line.getContext("2d");
    drawn.strokeStyle = colour;
    drawn.lineWidth = 1.5;
    for (const x of [-8, 0, 8]) { drawn.moveTo(x, 8); drawn.lineTo(x + 8, 0); }
    drawn.stroke();
    pen.globalAlpha = 1;
    pen.fillStyle = pen.createPattern(line, "repeat");
    for (const { column, row, tall } of this.cells.filter(({ origins }) => origins.length))
      pen.fillRect(LEFT + column * this.cell.wide, TOP + row * this.cell.high, Math.max(1, this.cell.wide + 0.3), tall * this.cell.high + 0.3);
  }

  #scale(pen, colour, height, font) {
    pen.globalAlpha = 1;
    pen.fillStyle = colour;
    pen.font = `12px ${font}`;
    pen.textAlign = "right";
    for (const hour of [0, 6, 12, 18]) pen.fillText(`${String(hour).padStart(2, "0")}:00`, LEFT - 6, TOP + this.cell.high * hour + 10);
    pen.textAlign = "left";
    let last = -Infinity, month = "";
    for (const { column, day } of this.cells.filter((cell, place, all) => cell.day !== all[place - 1]?.day)) {
      const name = date(`${day}T12:00Z`, "UTC", { month: "short" }), x = LEFT + column * this.cell.wide;
      if (name !== month && x - last > 44) { pen.fillText(name, x, height - 6); last = x; }
      month = name;
    }
  }

  #at(event) {
    if (!this.cell) return null;
    const box = this.host.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - LEFT) / this.cell.wide), row = (event.clientY - box.top - TOP) / this.cell.high;
    return this.cells.find((cell) => cell.column === column && cell.row <= row && row < cell.row + cell.tall) ?? null;
  }

  #point(event) {
    const cell = this.#at(event);
    this.bubble.hidden = !cell;
    if (!cell) return;
    const facts = cell.import_wh === null ? [] : [t("import {energy} kWh", { energy: energy(cell.import_wh) })];
    if (cell.export_wh) facts.push(t("export {energy} kWh", { energy: energy(cell.export_wh) }));
    if (cell.origins.length) facts.push(t("imported from {origin}", { origin: cell.origins.join(", ") }));
    this.bubble.textContent = `${date(`${cell.day}T12:00Z`, "UTC")}, ${cell.start}: ${facts.join(", ")}`;
    const x = LEFT + cell.column * this.cell.wide;
    this.bubble.style.left = `${Math.max(0, Math.min(x + 12, this.host.clientWidth - this.bubble.offsetWidth - 4))}px`;
  }
}

const EVERY_HOUR = Array.from({ length: HOURS }, (_, hour) => `${hour}:00`);

// Where an hour of a day stands: its row, how much of one it takes, and what the clock shows where it begins.
function placeOf(starts, hour) {
  const start = starts[hour], [hours, minutes] = start.split(":").map(Number), row = hours + minutes / 60;
  if (starts[hour + 1] === start) return { start, row, tall: 0.5 };
  return starts[hour - 1] === start ? { start, row: row + 0.5, tall: 0.5 } : { start, row, tall: Math.min(1, HOURS - row) };
}

const dayNumber = (day) => Math.round(Date.parse(`${day}T00:00Z`) / 86400e3);
