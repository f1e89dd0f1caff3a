// Values as people read them.

export const SIMULATED = "Simulated – digital twin";
export const STATES = { connecting: "Connecting", live: "Live", stale: "Stale", lost: "Lost", failed: "Failed" };

export const DELIVERY = { connecting: "Connecting", live: "Live", away: "Away", refused: "Refused", failed: "Failed" };

// [field of a reading, label, unit, decimals that mean something]
export const QUANTITIES = [
  ["volts", "Voltage", "V", 1], ["amps", "Current", "A", 3], ["power_factor", "Power factor", "", 2],
  ["hertz", "Frequency", "Hz", 2],
];

export function number(value, decimals) {
  if (value === null || value === undefined) return "–";
  const text = value.toFixed(decimals);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

// The amount is shown without a sign beside the word.
export function direction(reading) {
  if (!reading) return "No reading yet";
  if (reading.watts === null) return "Power unknown";
  if (Number(reading.watts.toFixed(1)) === 0) return "No load";
  return reading.watts < 0 ? "Export" : "Import";
}

// Rounded down, so that what is shown never falls.
export function kilowattHours(wattHours) {
  if (wattHours === null || wattHours === undefined) return "–";
  return (Math.floor(wattHours) / 1000).toFixed(3);
}

export function clock(moment, zone, seconds = true) {
  const parts = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone ?? undefined };
  if (seconds) parts.second = "2-digit";
  return new Date(moment).toLocaleTimeString("en-GB", parts);
}

// The time of day, with its date unless that is today.
export function moment(at, zone) {
  const day = (date) => date.toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: zone ?? undefined });
  const date = day(new Date(at));
  return date === day(new Date()) ? clock(at, zone) : `${date}, ${clock(at, zone)}`;
}

// A network meter's connection today, in one line.
export function connection(link) {
  if (!link) return "";
  const signal = link.signal_mean === null ? [] :
    [`signal ${number(link.signal_mean, 0)} dBm, lowest ${number(link.signal_min, 0)}`];
  const counts = [["dropouts", "dropout"], ["reconnects", "reconnect"], ["restarts", "restart"]]
    .filter(([name]) => link[name]).map(([name, word]) => `${link[name]} ${word}${link[name] === 1 ? "" : "s"}`);
  return `Connection today: ${[...signal, ...counts, `longest silence ${number(link.longest_silence_s, 0)} s`].join(", ")}`;
}
