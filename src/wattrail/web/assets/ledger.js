// The ledger of a meter: its registers, whether nothing was altered, what people stated, and every entry with its evidence.
import { ask, change, path } from "./api.js";
import { button, element, pairs, show } from "./element.js";
import { clock, dated, kilowattHours, number } from "./format.js";
import { LedgerEntries } from "./ledgerentries.js";
import { ManualEntries } from "./ledgerstate.js";
import { t } from "./language.js";
import { meterChoice, pageHead, pageOf, showHeader } from "./page.js";
import { opening } from "./problem.js";
import { said } from "./said.js";
import { may } from "./session.js";

const main = document.getElementById("main");
const LOOK_AGAIN_MS = 500;

function facts(ledger, zone) {
  const unit = () => element("span.unit", {}, "kWh"), at = (moment) => (moment ? dated(moment, zone) : "–");
  return pairs("dl.facts-list", [[t("Import register"), kilowattHours(ledger.registers.import_wh), unit()], [t("Export register"), kilowattHours(ledger.registers.export_wh), unit()],
    [t("Entries"), number(ledger.entries, 0)], [t("Began"), at(ledger.began)], [t("Booked until"), at(ledger.booked_until)]]);
}

function remarks({ estimated, left, registers }) {
  const remarked = estimated ? [t("Some of the energy is estimated from power.")] : [];
  if (left.import_wh || left.export_wh) remarked.push(t("Of the registers {imported} kWh of import and {exported} kWh of export were reversed. No day and no bill has them.",
    { imported: kilowattHours(left.import_wh), exported: kilowattHours(left.export_wh) }));
  if (registers.undirected_wh) remarked.push(t("{energy} kWh have no direction yet.", { energy: kilowattHours(registers.undirected_wh) }));
  return remarked.map((line) => element("p.quiet", {}, line));
}

class Verification {
  constructor(meter, zone, mayVerify) {
    Object.assign(this, { meter, zone });
    this.button = button("button.button", t("Verify everything"), () => this.#begin(), mayVerify ? {} : { hidden: "" });
    this.said = element("p", { role: "status" });
    this.findings = element("ul.findings");
    this.root = element("div", {}, element("div.row", {}, this.button, this.said), this.findings);
    this.follow();
  }

  async #begin() {
    try {
      await change("POST", `${path(this.meter)}/ledger/verification`);
      await this.follow();
    } catch (error) {
      show(this.said, error.message);
    }
  }

  async follow() {
    const now = await ask(`${path(this.meter)}/ledger/verification`).catch(() => null);
    if (!now || now.state === "none") return;
    const { done, entries } = now, is = now.state;
    this.button.disabled = is === "running";
    this.said.className = is === "done" && !now.findings.length ? "good" : "";
    show(this.said, {
      running: t("Verifying: {done} of {entries} entries", { done: number(done, 0), entries: number(entries, 0) }),
      failed: t("It could not be verified: {error}", { error: said(now.error) }),
      done: now.findings.length ? t("{n} things differ. Stop the gateway, and keep the database and a copy.", { n: number(now.findings.length + now.more_findings, 0) })
        : t("Nothing differs: the file, the chain and {entries} entries are as they were written ({when}).", { entries: number(entries, 0), when: now.at ? clock(now.at, this.zone) : "" }),
    }[is]);
    this.findings.replaceChildren(...now.findings.map(({ text }) => element("li", {}, said(text))));
    if (is === "running") setTimeout(() => this.follow(), LOOK_AGAIN_MS);
  }
}

// #entry-12 and #manual-entry-3 name an entry.
function named(kind) {
  const found = new RegExp(`^#${kind}-(\\d+)$`).exec(location.hash);
  return found ? Number(found[1]) : null;
}

function head(ledger, meters) {
  return pageHead(t("Ledger of {meter}", { meter: ledger.name }), ledger, meterChoice(meters, ledger.name, (chosen) => location.assign(pageOf("ledger", chosen))));
}

async function build(about, session) {
  const meters = await ask("meters"), asked = location.pathname.split("/")[2];
  const name = asked ? decodeURIComponent(asked) : about.grid ?? meters[0]?.name, zone = about.zone;
  if (!name) return main.replaceChildren(element("p", {}, t("No meter yet")));
  const mayState = may(session, "adjust");
  const summary = element("div"), load = async () => {
    const ledger = await ask(`${path(name)}/ledger`);
    summary.replaceChildren(head(ledger, meters), facts(ledger, zone), ...remarks(ledger));
    manual.take(ledger);
  };
  const manual = new ManualEntries(name, zone, mayState, session.kind === "machine", load), entries = new LedgerEntries(name, zone), verification = new Verification(name, zone, mayState);
  await load();
  document.title = `${t("Ledger of {meter}", { meter: name })} – wattrail`;
  main.replaceChildren(element("section.part", { "aria-label": t("Ledger") }, summary, verification.root), manual.root, entries.root);
  const entry = named("entry"), stated = named("manual-entry");
  await entries.show(entry === null ? "remarkable" : "all", "", entry);
  const row = stated === null ? null : document.getElementById(`manual-entry-${stated}`);
  row?.classList.add("is-named");
  row?.focus();
}

const session = await showHeader();
window.addEventListener("hashchange", () => location.reload());
await opening(main, decodeURIComponent(location.pathname.split("/")[2] ?? ""), async () => build(await ask("about"), session));
