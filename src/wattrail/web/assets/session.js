// Who looks at this page: a name and a button to sign out, where somebody had to sign in.
import { ask, element } from "./element.js";
import { t } from "./language.js";

const NOBODY = { who: "", kind: "machine", scopes: [] };

// Shows it in the header; gives the session, as /api/v1/session has it.
export async function showSession(header) {
  const session = await ask("session").catch(() => NOBODY);
  if (session.kind === "user") {
    const out = element("button.sign-out", { type: "button" }, t("Sign out"));
    out.addEventListener("click", async () => {
      out.disabled = true;
      await fetch("/api/v1/session", { method: "DELETE" }).catch(() => null);
      location.assign("/login");
    });
    header.append(element("p.session", {}, element("span", {}, `${session.who} (${session.scope})`), out));
  }
  return session;
}
