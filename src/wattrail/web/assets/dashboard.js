// Draws the last hour. The server sends points once: all of them first, then what is new or has grown.
(() => {
  const HOUR = 3600e3, SHORTEST = 300e3;  // the chart shows an hour, or what there is of it, but five minutes at least
  const BREAK = 20e3;                     // a line is not drawn across more than this without a point
  const known = new Map();                // chart id -> points [ms, watts]
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function broken(points) {
    const line = [];
    points.forEach((point, i) => {
      if (i && point[0] - points[i - 1][0] > BREAK) line.push([points[i - 1][0] + 1, null]);
      line.push(point);
    });
    return line;
  }

  function tooltip(items) {
    const [ms, watts] = items[0].value;
    if (watts === null || watts === undefined) return "";
    const word = watts < 0 ? "Export" : "Import";
    return `${new Date(ms).toLocaleTimeString()}<br>${word} <b>${Math.abs(watts).toFixed(1)} W</b>`;
  }

  function paint(chart) {
    const ink = css("--soft"), rule = css("--rule");
    chart.setOption({
      textStyle: { fontFamily: css("--font") },
      tooltip: {
        formatter: tooltip, backgroundColor: css("--card"), borderColor: rule,
        textStyle: { color: css("--ink") }, axisPointer: { lineStyle: { color: ink } },
      },
      xAxis: { axisLine: { lineStyle: { color: rule } }, axisLabel: { color: ink } },
      yAxis: { splitLine: { lineStyle: { color: rule } }, axisLabel: { color: ink } },
    });
  }

  // Import above zero, export below it: one line in two colours, parted at the height of zero.
  function hue(points) {
    const watts = points.map(([, w]) => w), high = Math.max(...watts), low = Math.min(...watts);
    const up = css("--import"), down = css("--export");
    if (low >= 0) return up;
    if (high <= 0) return down;
    const zero = high / (high - low);
    const stops = [[0, up], [zero, up], [zero, down], [1, down]].map(([offset, color]) => ({ offset, color }));
    return { type: "linear", x: 0, y: 0, x2: 0, y2: 1, colorStops: stops };
  }

  function line(points) {
    const color = hue(points);
    return [{
      data: broken(points), showSymbol: points.length < 3,
      lineStyle: { color }, areaStyle: { color }, itemStyle: { color: css("--soft") },
    }];
  }

  function draw(id, fresh) {
    const chart = getElement(id)?.chart;
    if (!chart) { setTimeout(() => draw(id, fresh), 50); return; }
    if (!known.has(id)) paint(chart);
    const end = fresh[fresh.length - 1][0];
    const kept = (known.get(id) || []).filter(([ms]) => ms < fresh[0][0] && ms > end - HOUR);
    const points = kept.concat(fresh);
    known.set(id, points);
    const begin = Math.max(end - HOUR, Math.min(points[0][0], end - SHORTEST));
    chart.setOption({ xAxis: { min: begin, max: end + 5e3 }, series: line(points) });
  }

  dark.addEventListener("change", () => known.forEach((_, id) => {
    const chart = getElement(id)?.chart;
    if (!chart) return;
    paint(chart);
    chart.setOption({ series: line(known.get(id)) });
  }));

  window.wattrail = { draw, points: (id) => known.get(id) || [], ids: () => [...known.keys()] };
})();
