// A script that does not arrive, as where the gateway restarts while a page opens, leaves the page empty, with nothing that
// could say so. This one needs no other: it says so, and opens the page again once the gateway answers.
{
  const AGAIN_MS = 2000;
  const english = { t: (text) => text };

  const openAgain = async () => {
    const answer = await fetch(location.href, { cache: "no-store" }).catch(() => null);
    if (answer !== null && answer.status < 500) location.reload();
    else setTimeout(openAgain, AGAIN_MS);
  };

  const say = async () => {
    const { t } = await import("/assets/language.js").catch(() => english);
    const warning = document.createElement("p");
    warning.className = "warning";
    warning.setAttribute("role", "status");
    warning.textContent = t("This page has not arrived whole. It opens again as soon as the gateway answers.");
    document.querySelector("main").prepend(warning);
  };

  const missed = ({ target }) => {
    if (target.tagName !== "SCRIPT") return;
    removeEventListener("error", missed, true);
    setTimeout(openAgain, AGAIN_MS);
    say();
  };
  addEventListener("error", missed, true);  // it does not bubble
}
