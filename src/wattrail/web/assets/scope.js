// Draws the last capture of a meter's waveform: two curves on two axes, and their harmonics as bars.
(() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  let last = null;

  function common() {
    return {
      animation: false, textStyle: { fontFamily: css("--font") },
      grid: { left: 8, right: 8, top: 40, bottom: 4, containLabel: true },
      legend: { top: 0, left: 0, icon: "roundRect", itemHeight: 4, itemWidth: 18, textStyle: { color: css("--soft") } },
      tooltip: {
        trigger: "axis", confine: true, backgroundColor: css("--card"), borderColor: css("--rule"),
        textStyle: { color: css("--ink") },
      },
    };
  }

  function axis(more) {
    return {
      type: "value", axisLabel: { color: css("--soft"), hideOverlap: true }, nameTextStyle: { color: css("--soft") },
      splitLine: { lineStyle: { color: css("--rule") } }, axisLine: { lineStyle: { color: css("--rule") } }, ...more,
    };
  }

  // Zero at the same height on both axes: each reaches as far up as down.
  function reach(points) {
    const most = Math.max(...points.map(([, value]) => Math.abs(value))) * 1.1 || 1;
    const digits = Math.pow(10, Math.floor(Math.log10(most)));
    return Math.ceil(most / digits * 2) / 2 * digits;
  }

  function line(name, data, color, yAxisIndex) {
    return { name, type: "line", data, yAxisIndex, showSymbol: false, lineStyle: { width: 2, color }, itemStyle: { color } };
  }

  function curves({ volts, amps, unit }) {
    const [v, i] = [reach(volts), reach(amps)];
    const tip = (x, of) => (x === null || x === undefined ? "–" : `${x.toFixed(of === "V" ? 1 : 3)} ${of}`);
    const base = common();
    base.tooltip.formatter = (items) =>
      `${items[0].value[0].toFixed(2)} ms<br>` + items.map((item) => tip(item.value[1], item.seriesIndex ? unit : "V")).join("<br>");
    return {
      ...base,
      xAxis: axis({ max: volts[volts.length - 1][0], splitLine: { show: false },
        axisLabel: { color: css("--soft"), hideOverlap: true, showMaxLabel: false, formatter: "{value} ms" } }),
      yAxis: [
        axis({ min: -v, max: v, interval: v / 2, axisLabel: { color: css("--soft"), formatter: "{value} V" } }),
        axis({ min: -i, max: i, interval: i / 2, splitLine: { show: false },
          axisLabel: { color: css("--soft"), formatter: (x) => `${+x.toPrecision(3)} ${unit}` } }),
      ],
      series: [line("Voltage", volts, css("--volts"), 0), line("Current", amps, css("--amps"), 1)],
    };
  }

  function bars({ voltsHarmonics, ampsHarmonics }) {
    const bar = (name, data, color) => ({ name, type: "bar", data, itemStyle: { color }, barMaxWidth: 14 });
    const base = common();
    base.tooltip.valueFormatter = (x) => `${x.toFixed(2)} %`;
    return {
      ...base,
      xAxis: axis({ type: "category", data: voltsHarmonics.map((_, n) => `${n + 2}`), splitLine: { show: false } }),
      yAxis: axis({ min: 0, axisLabel: { color: css("--soft"), formatter: "{value} %" } }),
      series: [bar("Voltage harmonics", voltsHarmonics, css("--volts")), bar("Current harmonics", ampsHarmonics, css("--amps"))],
    };
  }

  function draw(curvesId, barsId, data) {
    const upper = getElement(curvesId)?.chart, lower = getElement(barsId)?.chart;
    if (!upper || !lower) { setTimeout(() => draw(curvesId, barsId, data), 50); return; }
    last = [curvesId, barsId, data];
    for (const chart of [upper, lower]) chart.resize();
    upper.setOption(curves(data), true);
    lower.setOption(bars(data), true);
  }

  dark.addEventListener("change", () => last && draw(...last));
  window.wattrailScope = { draw, last: () => last };
})();
