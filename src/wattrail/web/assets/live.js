// What changes, each second, from /api/v1/events; and whether the gateway still runs.

// The stream says "alive" every second while the gateway runs.
const MAX_SILENCE_MS = 3000, CONNECT_AGAIN_MS = 10000;

// `take(meters)` gets those that changed, at first all; `connected(is)` whether the gateway answers.
export function follow(take, connected) {
  const stream = new EventSource("/api/v1/events");
  let silence = 0, again = 0;
  const close = () => { connected(false); stream.close(); clearTimeout(silence); clearTimeout(again); };
  const wait = () => {
    clearTimeout(silence);
    clearTimeout(again);
    silence = setTimeout(connected, MAX_SILENCE_MS, false);
    again = setTimeout(() => { close(); follow(take, connected); }, CONNECT_AGAIN_MS);
  };
  stream.onmessage = ({ data }) => take(JSON.parse(data));
  stream.addEventListener("alive", () => { connected(true); wait(); });
  stream.onerror = () => { close(); setTimeout(follow, 2000, take, connected); };
  wait();
}
