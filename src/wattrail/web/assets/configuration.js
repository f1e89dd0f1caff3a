// Says that wattrail.toml was changed and refused, from /api/v1/health.
import { ask, withHint } from "./api.js";
import { show } from "./element.js";
import { moment } from "./format.js";
import { t } from "./language.js";

const EVERY_MS = 3000;

export function followConfiguration(line, zone) {
  const look = async () => {
    const health = await ask("health").catch(() => null);
    const state = health?.configuration;
    if (health) {
      line.hidden = !state?.error;
      show(line, state?.error ? t("The configuration that was read at {when} is refused, and the one before it runs on: {error}",
        { when: moment(state.refused_at, zone), error: withHint(state.error, state.hint) }) : "");
    }
    setTimeout(look, EVERY_MS);
  };
  look();
}
