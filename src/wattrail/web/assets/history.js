// Power of the last hour in points of five seconds: the stored ones first, then the readings as they come.
import { ask, path } from "./api.js";
import { clock, number } from "./format.js";
import { t } from "./language.js";
import { Plot, range, ticks } from "./plot.js";

const HOUR = 3600e3, SHORTEST = 300e3;  // the chart shows an hour, or what there is of it, but five minutes at least
const BREAK = 20e3;                     // a line is not drawn across more than this without a point, or three readings
const WIDTH = 5e3;
const MINUTES = [1, 2, 5, 10, 15, 20].map((n) => n * 60e3);

export class HourChart {
  constructor(host, name, zone, expectedSeconds) {
    this.name = name;
    this.longest = Math.max(BREAK, 3000 * expectedSeconds);
    this.zone = zone;
    this.points = [];  // [ms, mean watts, readings]
    this.plot = new Plot(host, { tip: (ms) => this.#tip(ms) });
    this.loading = null;
  }

  // Ask for what is stored, once; what came meanwhile stays.
  load() {
    this.loading ??= ask(`${path(this.name)}/series?minutes=60&points=720`).then(({ points }) => {
      const stored = points.map((point) => [Date.parse(point.at), point.mean, point.readings]);
      const since = stored.length ? stored.at(-1)[0] : -Infinity;
      this.points = stored.concat(this.points.filter(([ms]) => ms > since));
      this.draw();
    }).catch(() => { this.loading = null; });
  }

  add(reading) {
    const at = Date.parse(reading.at), start = at - at % WIDTH, last = this.points.at(-1);
    if (last && last[0] >= start) {  // also after a step back of the wall clock
      last[2] += 1;
      last[1] += (reading.watts - last[1]) / last[2];
    } else {
      this.points.push([start, reading.watts, 1]);
      this.points = this.points.filter(([ms]) => ms > start - HOUR);
    }
  }

  draw() {
    if (!this.points.length) return;
    this.plot.host.classList.add("is-drawn");
    const end = this.points.at(-1)[0] + WIDTH;
    const begin = Math.max(end - HOUR, Math.min(this.points[0][0], end - SHORTEST));
    const watts = range(this.points.map((point) => point[1]));
    const step = MINUTES.find((n) => (end - begin) / n <= 5) ?? MINUTES.at(-1);
    const marks = [];
    for (let at = Math.ceil(begin / step) * step; at < end; at += step) marks.push(at);
    this.plot.draw({
      x: { range: [begin, end], ticks: marks, label: (ms) => clock(ms, this.zone, false) },
      axes: [{ range: watts, ticks: ticks(...watts, 4), label: (w) => `${number(w, watts[1] - watts[0] < 5 ? 1 : 0)} W` }],
      lines: [{ points: this.#broken(), split: true, area: true }],
    });
  }

  #broken() {
    const line = [];
    this.points.forEach(([ms, watts], n) => {
      if (n && ms - this.points[n - 1][0] > this.longest) line.push([ms - 1, null]);
      line.push([ms, watts]);
    });
    return line;
  }

  #tip(ms) {
    const found = this.points.reduce((best, point) =>
      (Math.abs(point[0] - ms) < Math.abs((best?.[0] ?? Infinity) - ms) ? point : best), null);
    if (!found || Math.abs(found[0] - ms) > this.longest) return null;
    return `${clock(found[0], this.zone)}  ${found[1] < 0 ? t("Export") : t("Import")} ${number(Math.abs(found[1]), 1)} W`;
  }
}
