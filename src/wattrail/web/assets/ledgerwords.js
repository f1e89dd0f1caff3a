// What an entry of the ledger rests on, in sentences.
import { number } from "./format.js";
import { t } from "./language.js";
import { said } from "./said.js";

export const KINDS = {
  start: t("Start"), counted: t("Counted"), gap: t("Gap"), restart: t("Restart"), epoch: t("Calibration"), clock: t("Clock was set"),
};
export const MANUAL = {
  opening: t("Opening"), adjustment: t("Adjustment"), direction: t("Direction"), reset: t("Reset"), reversal: t("Reversal"),
};
const CLASSES = {
  A: t("The register holds its value over a power cut: if it falls, something is wrong."),
  B: t("The register is saved now and then: after a power cut it may show an older value."),
  C: t("The register begins again at nought when the device starts."),
  D: t("The register begins again at times of its own."),
};

function duration(seconds) {
  if (seconds < 120) return t("{n} s", { n: number(seconds, 0) });
  if (seconds < 7200) return t("{n} min", { n: number(seconds / 60, 0) });
  return seconds < 172800 ? t("{n} hours", { n: number(seconds / 3600, 1) }) : t("{n} days", { n: number(seconds / 86400, 1) });
}

const hex = (value) => `0x${value.toString(16).toUpperCase()}`;

// Why it was booked, what the device showed, and what that proves.
export function evidence(entry, zone) {
  const { evidence: found, kind } = entry, facts = [];
  const long = duration(found.elapsed_s ?? (Date.parse(entry.end) - Date.parse(entry.start)) / 1000);
  if (kind === "start") facts.push(t("Counting began here: what the register showed before is in no entry."));
  if (kind === "counted") facts.push(t("Watched all along: {n} readings in {long}.", { n: number(found.readings, 0), long }));
  if (kind === "gap") facts.push(found.elapsed_s === null
    ? t("Nothing was read for {long} by the wall clock; no other clock spans it.", { long })
    : t("Nothing was read for {long}, by a clock that nobody can set.", { long }));
  if (kind === "gap") facts.push(t("What the register proves is booked whole, at the end: nobody knows when in this time it flowed."));
  if (kind === "restart") facts.push(t("The register began again; only what it shows since then is booked."));
  if (kind === "epoch") facts.push(t("From here on epoch {n} holds: another calibration, register or definition.", { n: entry.epoch }));
  if (kind === "clock") facts.push(t("From here on the wall clock shows another time; no energy is booked for that."));
  found.counter.forEach((now, place) => {
    const name = found.registers[place] ?? "", before = found.counter_before?.[place];
    facts.push(before === undefined ? t("Register {name} showed {now}.", { name, now: number(now, 0) })
      : t("Register {name} went from {before} to {now}; a count is {step} Wh.", { name, before: number(before, 0), now: number(now, 0), step: number(found.step_wh, 3) }));
  });
  if (found.undirected) facts.push(t("Nothing proves the direction of {n} counts.", { n: number(found.undirected, 0) }));
  if (found.undirected && entry.left_undirected < found.undirected) facts.push(t("A manual entry has given a direction to {n} of them.", { n: number(found.undirected - entry.left_undirected, 0) }));
  if (found.was_reset) facts.push(t("A setting was found at its value after a reset: the device has restarted."));
  if (found.reset_reason) facts.push(t("The device says why it started: {reason}.", { reason: found.reset_reason }));
  if (found.boot_count !== null) facts.push(t("The device has started {n} times.", { n: number(found.boot_count, 0) }));
  if (found.uptime_s !== null) facts.push(t("It had been running for {long}.", { long: duration(found.uptime_s) }));
  if (kind !== "counted" && CLASSES[found.persistence]) facts.push(CLASSES[found.persistence]);
  if (found.mode || found.status) facts.push(t("The chip said MODE {mode}, STATUS {status}.", { mode: hex(found.mode), status: hex(found.status) }));
  if (entry.note) facts.push(t("Note: {note}", { note: entry.who ? entry.note : said(entry.note) }));
  return facts;
}
