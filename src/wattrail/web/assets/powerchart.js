// Power, voltage or frequency from seconds to years: wheel, pinch and keys zoom, dragging moves, nothing is loaded again.
import { ask, path } from "./api.js";
import { element } from "./element.js";
import { clock, date, dated, number } from "./format.js";
import { t } from "./language.js";
import { Plot, range, ticks } from "./plot.js";

const MINUTE = 60e3, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const SHORTEST = MINUTE, LONGEST = 40 * 366 * DAY;
const SETTLE_MS = 120;  // the view has to rest so long before points are asked for
const STEPS = [MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR,
  DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 61 * DAY, 91 * DAY, 183 * DAY, 366 * DAY, 5 * 366 * DAY];
export const VIEWS = [[t("1 h"), HOUR], [t("24 h"), DAY], [t("7 d"), 7 * DAY], [t("30 d"), 30 * DAY], [t("1 y"), 366 * DAY]];
// What EN 50160 allows: 230 V within 10 %, 50 Hz within 1 % (for 99.5 % of a year).
const QUANTITIES = {
  power: { unit: "W", decimals: 0, guides: [], split: true },
  voltage: { unit: "V", decimals: 1, guides: [207, 253], split: false },
  frequency: { unit: "Hz", decimals: 2, guides: [49.5, 50.5], split: false },
};

export class PowerChart {
  // `moved()` is called when the view has come to rest elsewhere, `drawn()` whenever moments stand at other places.
  constructor(host, meter, zone, moved) {
    Object.assign(this, { host, meter, zone, moved, quantity: "power", points: [], loaded: 0 });
    this.nothing = element("p.nothing", {}, t("No readings in this time."));
    host.append(this.nothing);
    this.plot = new Plot(host, { tip: (ms) => this.#tip(ms), resized: () => this.#draw() });
    this.drawn = () => {};
    this.#listen();
    this.show(DAY);
  }

  // The last so many milliseconds, which follow the clock.
  show(span) {
    this.follows = true;
    this.#view(Date.now() - span, Date.now());
  }

  look(from, to) {
    this.follows = false;
    this.#view(from, to);
  }

  take(quantity) {
    this.quantity = quantity;
    this.points = [];
    this.#load();
  }

  // Called each second: a view that ends now moves on.
  tick() {
    if (!this.follows) return;
    const span = this.to - this.from, step = Math.max(1000, span / 1000);
    if (Date.now() - this.to >= step) this.#view(Date.now() - span, Date.now());
  }

  // Whether the view is left of the place where a moment is drawn, in pixels; null outside.
  place(ms) {
    return this.plot.box && ms >= this.from && ms <= this.to ? this.plot.x(ms) : null;
  }

  #view(from, to) {
    const span = Math.min(LONGEST, Math.max(SHORTEST, to - from)), end = Math.min(to, Date.now() + span * 0.02);
    Object.assign(this, { from: end - span, to: end });
    this.#draw();
    clearTimeout(this.settle);
    this.settle = setTimeout(() => this.#load(), this.points.length ? SETTLE_MS : 0);
  }

  async #load() {
    const asked = (this.loaded += 1), { from, to, quantity } = this;
    const span = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
    const query = new URLSearchParams({ ...span, quantity, points: Math.min(1200, Math.max(200, this.host.clientWidth)) });
    const answer = await ask(`${path(this.meter)}/series?${query}`).catch((error) => ({ points: [], error }));
    if (asked !== this.loaded) return;  // the view has moved on meanwhile
    this.points = answer.points.map((point) => [Date.parse(point.at), point.lowest, point.mean, point.highest]);
    this.width = answer.points.length ? Date.parse(answer.points[0].end) - this.points[0][0] : 0;
    this.nothing.textContent = answer.error?.message ?? t("No readings in this time.");
    this.#draw();
    this.moved({ from, to });
  }

  #draw() {
    this.host.classList.toggle("is-drawn", this.points.length > 0);
    const { unit, decimals, guides, split } = QUANTITIES[this.quantity];
    const values = this.points.flatMap(([, low, , high]) => [low, high]);
    const limits = split ? range(values) : around([...values, ...guides]);
    const half = this.width / 2 || 0;
    const line = this.#broken((point) => [point[0] + half, point[2]]);
    this.plot.draw({
      x: { range: [this.from, this.to], ticks: this.#marks(), label: (ms) => this.#label(ms) },
      axes: [{ range: limits, ticks: values.length ? ticks(...limits, 4) : [], label: (v) => `${number(v, limits[1] - limits[0] < 5 ? 1 : 0)} ${unit}` }],
      bands: [{ points: this.#broken((point) => [point[0] + half, point[1], point[3]]) }],
      guides,
      lines: [split ? { points: line, split: true, area: true } : { points: line, css: "import" }],
    });
    this.drawn();
  }

  // Breaks where a bucket without readings lies between two.
  #broken(of) {
    const found = [], longest = Math.max(3 * this.width, 20e3);
    this.points.forEach((point, n) => {
      if (n && point[0] - this.points[n - 1][0] > longest) found.push([point[0] - 1, null, null]);
      found.push(of(point));
    });
    return found;
  }

  // Marks at round local times.
  #marks() {
    const room = Math.max(3, Math.floor(this.host.clientWidth / 110));
    const step = STEPS.find((n) => (this.to - this.from) / n <= room) ?? STEPS.at(-1);
    const shift = offset(this.from, this.zone), found = [];
    for (let at = Math.ceil((this.from + shift) / step) * step - shift; at < this.to; at += step) found.push(at);
    return found;
  }

  #label(ms) {
    const span = this.to - this.from;
    if (span <= 2 * DAY) return clock(ms, this.zone, span < 5 * MINUTE);
    return date(ms, this.zone, span > 200 * DAY ? { month: "short", year: "2-digit" } : { day: "numeric", month: "short" });
  }

  #tip(ms) {
    const at = ms - (this.width / 2 || 0);
    const found = this.points.reduce((best, point) => (Math.abs(point[0] - at) < Math.abs((best?.[0] ?? Infinity) - at) ? point : best), null);
    if (!found || Math.abs(found[0] - at) > Math.max(2 * this.width, 20e3)) return null;
    const { unit, decimals, split } = QUANTITIES[this.quantity];
    const [start, low, mean, high] = found;
    const when = this.to - this.from > 2 * DAY ? dated(start, this.zone, { year: false }) : clock(start, this.zone);
    const way = split ? `${mean < 0 ? t("Export") : t("Import")} ` : "";
    const text = `${when}  ${way}${number(split ? Math.abs(mean) : mean, decimals || 1)} ${unit}`;
    return low === high ? text : `${text}  (${number(low, decimals)} … ${number(high, decimals)})`;
  }

  #listen() {
    const { host } = this, fingers = new Map();
    const at = (x) => this.from + (x - host.getBoundingClientRect().left - this.plot.box.left) / (this.plot.box.right - this.plot.box.left) * (this.to - this.from);
    host.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.#zoom(at(event.clientX), Math.exp(event.deltaY / 400));
    }, { passive: false });
    host.addEventListener("pointerdown", (event) => {
      host.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, event.clientX);
    });
    host.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) return;
      const before = [...fingers.values()], middle = at(before.reduce((a, b) => a + b) / before.length);
      fingers.set(event.pointerId, event.clientX);
      const now = [...fingers.values()];
      if (now.length === 2) return this.#zoom(middle, Math.abs(before[0] - before[1]) / Math.max(10, Math.abs(now[0] - now[1])));
      const move = at(before[0]) - at(now[0]);
      if (move) this.look(this.from + move, this.to + move);
    });
    for (const name of ["pointerup", "pointercancel"]) host.addEventListener(name, (event) => fingers.delete(event.pointerId));
    host.addEventListener("keydown", (event) => this.#key(event));
  }

  #key(event) {
    const step = (this.to - this.from) / 4, middle = (this.from + this.to) / 2;
    const moves = {
      ArrowLeft: () => this.look(this.from - step, this.to - step), ArrowRight: () => this.look(this.from + step, this.to + step),
      "+": () => this.#zoom(middle, 0.5), "-": () => this.#zoom(middle, 2), Home: () => this.show(DAY),
    };
    if (moves[event.key]) { event.preventDefault(); moves[event.key](); }
  }

  #zoom(at, factor) {
    this.look(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }
}

// A range around values that are far from zero.
function around(values) {
  const low = Math.min(...values), high = Math.max(...values), room = (high - low) * 0.06 || 1;
  return [low - room, high + room];
}

// Milliseconds that local time is ahead of UTC.
function offset(ms, zone) {
  const local = new Date(ms).toLocaleString("sv-SE", { timeZone: zone ?? undefined });
  return Date.parse(`${local.replace(" ", "T")}Z`) - Math.floor(ms / 1000) * 1000;
}
