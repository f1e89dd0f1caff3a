// Values as people read them.
import { locale, t } from "./language.js";
import { said } from "./said.js";

export const SIMULATED = t("Simulated – digital twin");
// The worst first.
export const RANK = { failed: 0, lost: 1, stale: 2, connecting: 3, live: 4 };
export const STATES = { connecting: t("Connecting"), live: t("Live"), stale: t("Stale"), lost: t("Lost"), failed: t("Failed") };

export const DELIVERY = { connecting: t("Connecting"), live: t("Live"), away: t("Away"), refused: t("Refused"), failed: t("Failed") };

// [field of a reading, label, unit, decimals that mean something]
export const QUANTITIES = [
  ["volts", t("Voltage"), "V", 1], ["amps", t("Current"), "A", 3], ["power_factor", t("Power factor"), "", 2],
  ["hertz", t("Frequency"), "Hz", 2],
];

const formats = new Map();

// One formatter for each way of writing; making one costs more than using it a hundred times.
function format(kind, options) {
  const key = JSON.stringify([kind.name, options]);
  if (!formats.has(key)) formats.set(key, new kind(locale, options));
  return formats.get(key);
}

export function number(value, decimals) {
  if (value === null || value === undefined) return "–";
  const text = format(Intl.NumberFormat, { minimumFractionDigits: decimals, maximumFractionDigits: decimals, useGrouping: "min2" })
    .format(value);
  return (/[1-9]/.test(text) ? text : text.replace("-", "")).replace("-", "−");
}

// The amount is shown without a sign beside the word. The names are also those of the style sheet.
export function direction(reading) {
  if (!reading) return ["unread", t("No reading yet")];
  if (reading.watts === null) return ["unknown", t("Power unknown")];
  if (Number(reading.watts.toFixed(1)) === 0) return ["idle", t("No load")];
  return reading.watts < 0 ? ["export", t("Export")] : ["import", t("Import")];
}

// A register in kWh: rounded down, so that what is shown never falls.
export function kilowattHours(wattHours) {
  if (wattHours === null || wattHours === undefined) return "–";
  return number(Math.floor(wattHours) / 1000, 3);
}

// Energy of a period in kWh, with as many digits as an eye can use.
export function energy(wattHours) {
  const size = Math.abs(wattHours ?? 0);
  return number(wattHours === null || wattHours === undefined ? null : wattHours / 1000, size < 99950 ? 2 : size < 999500 ? 1 : 0);
}

// What an entry holds, by direction: "import 1.20 kWh, direction unknown 0.30 kWh".
export function amount({ import_wh, export_wh, undirected_wh }, written = energy) {
  const facts = [];
  if (import_wh) facts.push(t("import {energy} kWh", { energy: written(import_wh) }));
  if (export_wh) facts.push(t("export {energy} kWh", { energy: written(export_wh) }));
  if (undirected_wh) facts.push(t("direction unknown {energy} kWh", { energy: written(undirected_wh) }));
  return facts.join(", ");
}

export function money(amount, currency, decimals = 2) {
  return `${number(amount, decimals)} ${currency}`;
}

export function clock(moment, zone, seconds = true) {
  const parts = { hour: "2-digit", minute: "2-digit", timeZone: zone ?? undefined };
  if (seconds) parts.second = "2-digit";
  return format(Intl.DateTimeFormat, parts).format(new Date(moment));
}

// A date of the site, from a moment.
export function date(moment, zone, parts = { day: "numeric", month: "short" }) {
  return format(Intl.DateTimeFormat, { ...parts, timeZone: zone ?? undefined }).format(new Date(moment));
}

export const FULL_DATE = { day: "numeric", month: "short", year: "numeric" };

// A date and a time of day: "3 Nov 2026, 14:05"; without the year where it is plain.
export const dated = (moment, zone, { year = true, seconds = false } = {}) => `${date(moment, zone, year ? FULL_DATE : undefined)}, ${clock(moment, zone, seconds)}`;

// From one to another; the date of the end is left out where it is that of the start.
export function span({ start, end }, zone, { year = true, seconds = false } = {}) {
  const at = (moment) => dated(moment, zone, { year, seconds });
  if (start === end) return at(start);
  return `${at(start)} – ${date(start, zone) === date(end, zone) ? clock(end, zone, seconds) : at(end)}`;
}

// The time of day, with its date unless that is today.
export function moment(at, zone) {
  const day = date(at, zone);
  return day === date(Date.now(), zone) ? clock(at, zone) : `${day}, ${clock(at, zone)}`;
}

// When a meter that is not live, or that nobody hears of, was read last.
export function lastReading({ reading, state }, connected, zone) {
  return reading && (state !== "live" || !connected) ? t("last reading {time}", { time: clock(reading.at, zone) }) : "";
}

// What to do about an error.
export const remedy = (hint) => (hint ? t("Try this: {hint}", { hint: said(hint) }) : "");

// That energy is estimated: a meter that shows power and counts no energy.
export function estimate(meter) {
  if (meter.is_estimated) return t("Energy is estimated from power: this meter counts none.");
  return meter.has_estimates ? t("Some of the energy is estimated from power.") : "";
}

// Readings that wait because the database cannot be written, in one line.
export function notStored(unstored, zone) {
  if (!unstored) return null;
  const { count: n } = unstored, error = said(unstored.error), since = moment(unstored.since, zone);
  return n === 1
    ? t("Not stored yet: {n} reading waits in memory since {since} ({error})", { n, since, error })
    : t("Not stored yet: {n} readings wait in memory since {since} ({error})", { n, since, error });
}

const COUNTED = {
  dropouts: [t("{n} dropout"), t("{n} dropouts")], reconnects: [t("{n} reconnect"), t("{n} reconnects")],
  restarts: [t("{n} restart"), t("{n} restarts")],
};

// A network meter's connection today, in one line.
export function connection(link) {
  if (!link) return "";
  const signal = link.signal_mean === null ? [] :
    [t("signal {mean} dBm, lowest {lowest}", { mean: number(link.signal_mean, 0), lowest: number(link.signal_min, 0) })];
  const counts = Object.entries(COUNTED).filter(([name]) => link[name])
    .map(([name, [one, many]]) => (link[name] === 1 ? one : many).replace("{n}", link[name]));
  const silence = t("longest silence {seconds} s", { seconds: number(link.longest_silence_s, 0) });
  return t("Connection today: {facts}", { facts: [...signal, ...counts, silence].join(", ") });
}
