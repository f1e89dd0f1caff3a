// The strip of alarms: those that are raised now, from /api/v1/alarms. Without any it is not there.
import { ask, send } from "./api.js";
import { button, element } from "./element.js";
import { clock, date } from "./format.js";
import { t } from "./language.js";
import { simulatedBadge } from "./page.js";
import { said } from "./said.js";

const EVERY_MS = 2000;
const SEVERITIES = { critical: t("Critical"), warning: t("Warning"), info: t("Note") };

// The time, with its day where that is not the last half day.
function when(at, zone) {
  const isOld = Date.now() - Date.parse(at) > 12 * 3600 * 1000;
  const day = isOld ? `${date(at, zone)}, ` : "";
  return day + clock(at, zone);
}

function row(alarm, zone, mayAdjust) {
  const seen = alarm.acknowledged_at ? `, ${t("acknowledged at {time}", { time: when(alarm.acknowledged_at, zone) })}` : "";
  return element(`li.alarm.is-${alarm.severity}${alarm.acknowledged ? ".is-acknowledged" : ""}`, {},
    element("p.alarm-text", {}, element("strong", {}, `${SEVERITIES[alarm.severity] ?? alarm.severity}: `), said(alarm.text)),
    element("p.alarm-since", {}, t("since {when}", { when: when(alarm.since, zone) }) + seen),
    simulatedBadge(alarm),
    alarm.acknowledged || !mayAdjust ? null : acknowledging(alarm));
}

// Acknowledges an alarm. The strip shows it when the gateway has stored it; a refusal stands on the button.
function acknowledging(alarm) {
  const made = button("button", t("Acknowledge"), async () => {
    made.disabled = true;
    const { ok } = await send("POST", `alarms/${alarm.id}/acknowledge`);
    if (ok) return;
    made.textContent = t("Refused, try again");
    made.disabled = false;
  }, { "aria-label": `${t("Acknowledge")}: ${said(alarm.text)}` });
  return made;
}

// Shows the alarms in a section and keeps them up to date; where the gateway does not answer, the last ones stay, greyed.
// Only who has the scope "adjust" may acknowledge one.
export function followAlarms(section, zone, mayAdjust) {
  let shown = "[]";
  const look = async () => {
    const alarms = await ask("alarms").catch(() => null);
    section.classList.toggle("is-cut-off", alarms === null);
    const text = JSON.stringify(alarms ?? []);
    if (alarms !== null && text !== shown) {
      shown = text;
      section.hidden = !alarms.length;
      section.replaceChildren(element("ul", {}, ...alarms.map((alarm) => row(alarm, zone, mayAdjust))));
    }
    setTimeout(look, EVERY_MS);
  };
  look();
}
