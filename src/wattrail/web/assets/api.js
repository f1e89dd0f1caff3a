// Requests to the REST interface: every page asks and changes through here.
import { t } from "./language.js";
import { said } from "./said.js";

const ASK_MS = 10000, CHANGE_MS = 60000;

export const path = (name) => `meters/${encodeURIComponent(name)}`;

// One request; null where nobody answers in time. Who is not signed in any more is sent to do so.
async function request(method, path, patienceMs, more = {}) {
  const response = await fetch(`/api/v1/${path}`, { method, signal: AbortSignal.timeout(patienceMs), ...more }).catch(() => null);
  if (response?.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  return response;
}

// The answer to a question; an error has the hint and the status of the problem, 0 where nobody answers.
export async function ask(path, patienceMs = ASK_MS, method = "GET") {
  const response = await request(method, path, patienceMs);
  if (response === null) throw Object.assign(new Error(t("The gateway does not answer.")), { status: 0 });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(said(answer.detail ?? response.statusText)), { hint: answer.hint, status: response.status });
  return answer;
}

// send("PATCH", "settings", body) gives { ok, status, answer }: a change is refused with a problem for each field. A file
// goes as it is, anything else as JSON.
export async function send(method, path, body, patienceMs = CHANGE_MS) {
  const isFile = body instanceof Blob, type = isFile ? "application/octet-stream" : "application/json";
  const response = await request(method, path, patienceMs, body === undefined ? {} : { headers: { "content-type": type }, body: isFile ? body : JSON.stringify(body) });
  if (response === null) return { ok: false, status: 0, answer: { detail: t("The gateway does not answer. Look at what is stored before you send it again."), errors: [] } };
  const answer = await response.json().catch(() => ({ detail: response.statusText }));
  return { ok: response.ok, status: response.status, answer };
}

// What was refused, in one sentence with its remedy.
export const refusal = ({ detail, hint }) => withHint(detail ?? "", hint);

export const withHint = (text, hint) => (hint ? `${said(text)} (${said(hint)})` : said(text));

// The answer to a change, or an error that says why there is none.
export async function change(method, path, body) {
  const { ok, answer } = await send(method, path, body);
  if (!ok) throw new Error(refusal(answer));
  return answer;
}
