// Lines and bars over two axes, as SVG whose colours come from the style sheet, which knows light from dark.
import { element } from "./element.js";

const SVG = "http://www.w3.org/2000/svg";
const LEFT = 64, RIGHT = 12, TOP = 12, BOTTOM = 26;
let plots = 0;

export function svg(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// About `count` round values from low to high.
export function ticks(low, high, count) {
  const raw = (high - low) / count || 1, size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * size).find((n) => n >= raw);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high + step / 1e6; at += 1) found.push(at * step);
  return found;
}

// A range with room, that holds zero.
export function range(values) {
  const low = Math.min(0, ...values), high = Math.max(0, ...values);
  const room = (high - low) * 0.08 || 1;
  return [low < 0 ? low - room : 0, high > 0 || low === 0 ? high + room : 0];
}

export class Plot {
  // `tip(x)` gives the lines of the tooltip at a value of the horizontal axis, or null; `resized()` draws at another size,
  // where not simply the same is drawn again.
  constructor(host, { tip, resized = () => this.draw(this.last) }) {
    this.id = `plot-${(plots += 1)}`;
    this.tip = tip;
    this.host = host;
    this.root = svg("svg", { class: "drawing", "aria-hidden": "true" });
    this.bubble = element("p.bubble", { hidden: "" });
    host.append(this.root, this.bubble);
    host.addEventListener("pointermove", (event) => this.#point(event));
    host.addEventListener("pointerleave", () => { this.bubble.hidden = true; });
    new ResizeObserver(() => this.last && resized()).observe(host);
  }

  // x: { range, ticks, label }; axes: [{ range, ticks, label }], at most two; lines: [{ points, axis, css, split, area }];
  // bars: [{ values, css }]; bands: [{ points: [[x, low, high]] }] of the first axis; guides: values with a dashed line.
  draw(what) {
    this.last = what;
    const width = this.host.clientWidth, height = this.host.clientHeight;
    if (width < 120 || height < 80) return;
    this.root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const right = what.axes.length > 1 ? LEFT : RIGHT;
    this.box = { left: LEFT, right: width - right, top: TOP, bottom: height - BOTTOM };
    const { left, right: end, top, bottom } = this.box;
    this.x = (value) => left + (value - what.x.range[0]) / (what.x.range[1] - what.x.range[0]) * (end - left);
    const parts = [];
    what.axes.forEach((axis, n) => this.#axis(axis, n, parts));
    for (const at of what.x.ticks) {
      const x = this.x(at), anchor = x > width - 18 ? "end" : "middle";  // the last one would be cut off
      parts.push(svg("text", { class: "tick", x: anchor === "end" ? width : x, y: bottom + 18, "text-anchor": anchor }, what.x.label(at)));
    }
    const ys = what.axes.map((axis) => (value) =>
      bottom - (value - axis.range[0]) / (axis.range[1] - axis.range[0]) * (bottom - top));
    for (const { points } of what.bands ?? []) parts.push(svg("path", { class: "band", d: this.#band(points, ys[0]) }));
    for (const at of what.guides ?? []) parts.push(svg("line", { class: "guide", x1: left, x2: end, y1: ys[0](at), y2: ys[0](at) }));
    (what.lines ?? []).forEach((line, n) => this.#line(line, ys[line.axis ?? 0], n, parts));
    (what.bars ?? []).forEach((bar, n) => this.#bars(bar, n, what.bars.length, ys[0], parts));
    this.root.replaceChildren(...parts);
  }

  #axis(axis, n, parts) {
    const { left, right, top, bottom } = this.box;
    for (const at of axis.ticks) {
      const y = bottom - (at - axis.range[0]) / (axis.range[1] - axis.range[0]) * (bottom - top);
      if (n === 0) parts.push(svg("line", { class: at === 0 ? "zero" : "rule", x1: left, x2: right, y1: y, y2: y }));
      const place = n === 0 ? { x: left - 8, "text-anchor": "end" } : { x: right + 8, "text-anchor": "start" };
      parts.push(svg("text", { class: "tick", y: y + 4, ...place }, axis.label(at)));
    }
  }

  #line({ points, css, split, area }, y, n, parts) {
    const [outline, filled] = this.#paths(points, y);
    const halves = split ? [["import", this.box.top, y(0)], ["export", y(0), this.box.bottom]] : [[css, this.box.top, this.box.bottom]];
    for (const [name, from, to] of halves) {
      const clip = `${this.id}-${n}-${name}`;
      const cut = svg("clipPath", { id: clip });
      cut.append(svg("rect", { x: 0, width: this.box.right + 2, y: Math.min(from, to), height: Math.max(0, to - from) }));
      parts.push(cut);
      if (area) parts.push(svg("path", { class: `area ${name}`, d: filled, "clip-path": `url(#${clip})` }));
      parts.push(svg("path", { class: `line ${name}`, d: outline, "clip-path": `url(#${clip})` }));
    }
  }

  // A point whose value is null breaks the line.
  #paths(points, y) {
    let outline = "", filled = "", run = [];
    const close = () => {
      if (!run.length) return;
      const path = run.map(([px, py]) => `${px.toFixed(1)} ${py.toFixed(1)}`).join("L");
      outline += `M${path}${run.length === 1 ? "h1" : ""}`;
      filled += `M${run[0][0].toFixed(1)} ${y(0).toFixed(1)}L${path}L${run.at(-1)[0].toFixed(1)} ${y(0).toFixed(1)}Z`;
      run = [];
    };
    for (const [at, value] of points) value === null ? close() : run.push([this.x(at), y(value)]);
    close();
    return [outline, filled];
  }

  // Between the lowest and the highest; a point whose low is null ends one stretch.
  #band(points, y) {
    let path = "", run = [];
    const close = () => {
      const side = (n) => run.map((point) => `${this.x(point[0]).toFixed(1)} ${y(point[n]).toFixed(1)}`);
      if (run.length > 1) path += `M${side(1).join("L")}L${side(2).reverse().join("L")}Z`;
      run = [];
    };
    for (const point of points) point[1] === null ? close() : run.push(point);
    close();
    return path;
  }

  #bars({ values, css }, n, of, y, parts) {
    const room = (this.box.right - this.box.left) / values.length, width = Math.min(14, room * 0.8 / of);
    values.forEach((value, k) => {
      const x = this.box.left + room * (k + 0.5) + width * (n - of / 2);
      parts.push(svg("rect", { class: `bar ${css}`, x, width, y: y(value), height: Math.max(0, y(0) - y(value)) }));
    });
  }

  #point(event) {
    if (!this.last) return;
    const { left, right } = this.box ?? { left: 0, right: 1 };
    const place = event.clientX - this.host.getBoundingClientRect().left;
    const [from, to] = this.last.x.range;
    const text = place < left || place > right ? null : this.tip(from + (place - left) / (right - left) * (to - from));
    this.bubble.hidden = text === null;
    if (text === null) return;
    this.bubble.textContent = text;
    this.bubble.style.left = `${Math.min(place + 12, this.host.clientWidth - this.bubble.offsetWidth - 4)}px`;
  }
}
