// Changes go to the gateway here, and its refusals come back as they are: a problem with a field for each error.
import { t } from "./language.js";
import { said } from "./said.js";

// send("PATCH", "settings", body) gives { ok, status, answer }.
export async function send(method, path, body) {
  const response = await fetch(`/api/v1/${path}`, {
    method, headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(60000),
  }).catch(() => null);
  if (response === null) return { ok: false, status: 0, answer: { detail: t("The gateway does not answer. Look at what is stored before you send it again."), errors: [] } };
  if (response.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
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
