// Who looks at this page: a name and a button to sign out, where somebody had to sign in.
import { ask, send } from "./api.js";
import { button, element } from "./element.js";
import { t } from "./language.js";

const NOBODY = { who: "", kind: "machine", scopes: [] };

// A machine of which nobody has signed in may all: it is the gateway's own.
export const may = ({ kind, scopes }, scope) => kind === "machine" || scopes.includes(scope);

// Shows it in the header; gives the session, as /api/v1/session has it.
export async function showSession(header) {
  const session = await ask("session").catch(() => NOBODY);
  if (session.kind === "user") {
    const out = button("button.sign-out", t("Sign out"), async () => {
      out.disabled = true;
      await send("DELETE", "session");
      location.assign("/login");
    });
    header.append(element("p.session", {}, element("span", {}, `${session.who} (${session.scope})`), out));
  }
  return session;
}
