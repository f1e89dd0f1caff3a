// Signs in, then opens the page that was asked for. The password goes into one request, and nowhere else.
import { show } from "./element.js";
import { t, translatePage } from "./language.js";

const form = document.getElementById("form");
const error = document.getElementById("error");
const submit = document.getElementById("submit");

// A path of this server alone: "//host" and "/\host" would lead elsewhere.
function target() {
  const next = new URLSearchParams(location.search).get("next") ?? "/";
  return /^\/(?![/\\])/.test(next) ? next : "/";
}

function say(text) {
  show(error, text);
  error.hidden = !text;
}

async function signIn() {
  const answer = await fetch("/api/v1/session", {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ user: form.user.value, password: form.password.value }),
    signal: AbortSignal.timeout(20000),
  }).catch(() => null);
  if (answer === null) return t("The gateway does not answer.");
  if (answer.ok) return "";
  const problem = await answer.json().catch(() => ({}));
  if (problem.waits_for_user) return t("There is no user yet. Make one where the gateway runs: wattrail user add NAME");
  if (answer.status === 401) return t("The user or the password is wrong.");
  return answer.status === 429 ? t("Too many attempts: try again in {seconds} s.", { seconds: problem.retry_after_s }) : problem.detail ?? answer.statusText;
}

translatePage();
// A link in a mail leads here although the session goes on: a browser keeps the cookie from what another site opens.
fetch("/api/v1/session").then((answer) => { if (answer.ok) location.replace(target()); }).catch(() => null);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  submit.disabled = true;
  say("");
  const problem = await signIn();
  form.password.value = "";
  if (!problem) return location.replace(target());
  say(problem);
  submit.disabled = false;
  form.password.focus();
});
