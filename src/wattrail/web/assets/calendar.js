// Calendar dates of the site as texts, 2026-11-29, and the spans that people ask for.

const DAY_MS = 86400e3;
const utc = (day) => Date.parse(`${day}T00:00Z`);
const text = (ms) => new Date(ms).toISOString().slice(0, 10);

// Today at the site. Swedish writes dates as ISO 8601 does.
export const today = (zone) => new Date().toLocaleDateString("sv-SE", { timeZone: zone ?? undefined });

export const plusDays = (day, days) => text(utc(day) + days * DAY_MS);

// The first of the month that is so many months later.
function plusMonths(day, months) {
  const [year, month] = day.split("-").map(Number);
  return text(Date.UTC(year, month - 1 + months, 1));
}

const monday = (day) => plusDays(day, -((new Date(utc(day)).getUTCDay() + 6) % 7));

// What one step back is, what a bar is, and where the span of a day begins.
const SPANS = {
  day: { by: "hour", begin: (day) => day, next: (day, n) => plusDays(day, n) },
  week: { by: "day", begin: monday, next: (day, n) => plusDays(day, 7 * n) },
  month: { by: "day", begin: (day) => plusMonths(day, 0), next: plusMonths },
  year: { by: "month", begin: (day) => `${day.slice(0, 4)}-01-01`, next: (day, n) => plusMonths(day, 12 * n) },
};
export const KINDS = Object.keys(SPANS);

// The span of a kind that holds a day: { kind, by, from, to } with `to` not in it.
export function spanOf(kind, day) {
  const { by, begin, next } = SPANS[kind], from = begin(day);
  return { kind, by, from, to: next(from, 1) };
}

// The span so many steps later.
export const shifted = ({ kind, from }, steps) => spanOf(kind, SPANS[kind].next(from, steps));
