// Who may sign in, and which programs have a token: from /api/v1/users and /api/v1/tokens.
import { ask, refusal, send } from "./api.js";
import { button, element, show } from "./element.js";
import { date } from "./format.js";
import { t } from "./language.js";

const SCOPES = [["read", t("may look")], ["adjust", t("may also acknowledge and adjust")], ["admin", t("may change everything")]];
const STATES = { valid: t("valid"), revoked: t("revoked"), expired: t("expired") };
const quiet = (text, label, act) => button("button.quiet", text, act, { "aria-label": label });
let made = 0;

function labelled(text, control) {
  control.id = `access-${made += 1}`;
  return element("div.field", {}, element("label", { for: control.id }, text), control);
}

const scopes = () => element("select", {}, ...SCOPES.map(([value, text]) => element("option", { value }, `${value}: ${text}`)));
const secret = () => element("input", { type: "password", autocomplete: "new-password", maxlength: "256" });

// A form that sends what it holds; `sent` gets the answer.
function adding(title, fields, sentence, submit, sent) {
  const problem = element("p.error", { role: "alert", hidden: "" });
  const form = element("form", { novalidate: "", method: "post" }, element("div.fields", {}, ...fields), problem, element("div.buttons", {}, element("button.main", { type: "submit" }, sentence)));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    const found = await submit();
    if (found.ok) return sent(found.answer);
    show(problem, refusal(found.answer));
    problem.hidden = false;
  });
  return element("details.table", {}, element("summary", {}, element("span.name", {}, title)), form);
}

// Fills the section, and fills it again after each change.
export async function showAccess(root, said) {
  const [users, tokens] = await Promise.all([ask("users"), ask("tokens")]);
  const again = async (sentence) => { await showAccess(root, said); said(sentence); };
  const act = (method, path, question, sentence) => async () => {
    if (!confirm(question)) return;
    const found = await send(method, path);
    if (found.ok) await again(sentence);
    else said(refusal(found.answer), true);
  };
  const person = ({ name, scope, password_at: since }) => {
    const password = secret();
    const change = adding(t("Another password"), [labelled(t("New password of {name}", { name }), password)], t("Change the password"),
      () => send("PUT", `users/${encodeURIComponent(name)}/password`, { password: password.value }), () => again(t("{name} has another password, and every session has ended", { name })));
    return element("li", {}, element("div.row", {}, element("span", {}, element("strong", {}, name), element("span.facts", {}, `${scope} · ${t("password of {when}", { when: date(since) })}`)),
      quiet(t("Remove"), t("Remove user {name}", { name }), act("DELETE", `users/${encodeURIComponent(name)}`, t("Remove {name}?", { name }), t("{name} may no longer sign in", { name })))), change);
  };
  const program = ({ name, prefix, scope, state, expires_at: until }) => element("li", {}, element("div.row", {},
    element("span", {}, element("strong", {}, name), element("span.facts", {}, `${prefix}… · ${scope} · ${STATES[state] ?? state} · ${t("until {when}", { when: date(until, undefined, { dateStyle: "medium" }) })}`)),
    state === "revoked" ? null : quiet(t("Revoke"), t("Revoke token {name}", { name }), act("DELETE", `tokens/${encodeURIComponent(prefix)}`, t("Revoke {name}?", { name }), t("{name} is revoked", { name })))));
  root.replaceChildren(root.querySelector("h2"), element("h3", {}, t("Users")), list(users.map(person), t("Nobody: only the gateway's own machine gets in.")), newUser(again),
    element("h3", {}, t("Tokens of programs")), list(tokens.map(program), t("None.")), newToken(root, said));
}

function list(rows, none) {
  return rows.length ? element("ul.people", {}, ...rows) : element("p.facts", {}, none);
}

function newUser(again) {
  const name = element("input", { autocomplete: "off", autocapitalize: "none", spellcheck: "false", maxlength: "64" }), password = secret(), scope = scopes();
  return adding(t("Add a user"), [labelled(t("Name"), name), labelled(t("Password, 10 characters or more"), password), labelled(t("What it may do"), scope)], t("Add the user"),
    () => send("POST", "users", { name: name.value.trim(), password: password.value, scope: scope.value }), () => again(t("{name} may sign in", { name: name.value.trim() })));
}

function newToken(root, said) {
  const name = element("input", { autocomplete: "off", autocapitalize: "none", spellcheck: "false", maxlength: "64" }), scope = scopes(), days = element("input", { value: "365", inputmode: "numeric" });
  return adding(t("Add a token"), [labelled(t("Name of the program"), name), labelled(t("What it may do"), scope), labelled(t("Days for which it is valid"), days)], t("Make the token"),
    () => send("POST", "tokens", { name: name.value.trim(), scope: scope.value, days: Number(days.value) }), async ({ token }) => {
      await showAccess(root, said);
      root.append(element("div.notice", { role: "status" }, element("p", {}, t("Keep this token now: it is not shown again.")), element("pre", { tabindex: "0" }, token)));
    });
}
