// What changes, each second, from /api/v1/events; and whether the gateway still runs.
import { show } from "./element.js";
import { t } from "./language.js";

// The stream says "alive" every second while the gateway runs.
const MAX_SILENCE_MS = 3000, CONNECT_AGAIN_MS = 10000;

// `take(meters)` gets those that changed, at first all; `connected(is)` whether the gateway answers; `arrange(names)` which
// meters there are, in their order, at first and when it changes.
export function follow(take, connected, arrange = () => {}) {
  const stream = new EventSource("/api/v1/events");
  let silence = 0, again = 0;
  const close = () => { connected(false); stream.close(); clearTimeout(silence); clearTimeout(again); };
  const wait = () => {
    clearTimeout(silence);
    clearTimeout(again);
    silence = setTimeout(connected, MAX_SILENCE_MS, false);
    again = setTimeout(() => { close(); follow(take, connected, arrange); }, CONNECT_AGAIN_MS);
  };
  let isFirst = true;
  stream.onmessage = ({ data }) => {
    const meters = JSON.parse(data);
    take(meters);
    if (isFirst) arrange(meters.map(({ name }) => name));
    isFirst = false;
  };
  stream.addEventListener("names", ({ data }) => arrange(JSON.parse(data)));
  stream.addEventListener("alive", () => { connected(true); wait(); });
  stream.onerror = () => { close(); setTimeout(follow, 2000, take, connected, arrange); };
  wait();
}

// Says above the page that the gateway does not answer, and greys what is below.
export function showGateway(is) {
  const warning = document.getElementById("connection");
  show(warning, is ? "" : t("The gateway does not answer. The numbers below are the last ones; this page tries again by itself."));
  warning.hidden = is;
  document.body.classList.toggle("is-cut-off", !is);
}

// For a page that shows no live values.
export const followGateway = () => follow(() => {}, showGateway);
