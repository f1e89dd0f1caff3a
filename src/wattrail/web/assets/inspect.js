// A dump that is dropped here is sent to the page's own process, looked at, and forgotten; the answer is POST /api/v1/inspect.
import { send } from "./api.js";
import { element, show } from "./element.js";
import { tell } from "./found.js";
import { number } from "./format.js";
import { boards, constants, files, head, map, pins, problems, programs, settings } from "./inspectview.js";
import { t } from "./language.js";
import { showHeader } from "./page.js";

const MAX_BYTES = 16 * 1024 * 1024;
const PATIENCE_MS = 200000;
const main = document.getElementById("main");

async function ask(file) {
  const { ok, status, answer } = await send("POST", "inspect", file, PATIENCE_MS);
  if (status === 0) throw new Error(t("The file was not sent: the gateway does not answer, or the file has changed meanwhile."));
  if (!ok) throw Object.assign(new Error(tell(answer.detail)), { hint: tell(answer.hint) });
  return answer;
}

function shown(result, file, answer) {
  const parts = [head, problems, map, programs, boards, pins, constants, settings, files];
  result.replaceChildren(...parts.map((part) => part(answer, file)).filter(Boolean));
  result.querySelector("h2").focus();
}

function chooser(result) {
  const input = element("input", { type: "file", id: "file", "aria-describedby": "promise" });
  const said = element("p.said", { role: "status" });
  const area = element("div.drop", {}, element("label", { for: "file" }, t("Choose a file, or drop it here")), input,
    element("p", { id: "promise" }, t("A dump of 2 MiB, a firmware image or a storage area, up to 16 MiB. It goes to your own gateway and no further, and is not stored. Passwords and keys stay hidden.")), said);
  let running = false;
  const take = async (file) => {
    if (!file || running) return;
    result.replaceChildren();
    if (file.size > MAX_BYTES) {
      show(said, t("{name} has {size} MiB: more than any flash of this family.", { name: file.name, size: number(file.size / 1048576, 1) }));
      return;
    }
    running = true;
    show(said, t("Looking at {name}…", { name: file.name }));
    try {
      shown(result, file, await ask(file));
      show(said, "");
    } catch (error) {
      show(said, error.message);
      result.replaceChildren(...(error.hint ? [element("p.hint", {}, t("Try this: {hint}", { hint: error.hint }))] : []));
    } finally {
      running = false;
      input.value = "";
    }
  };
  input.addEventListener("change", () => take(input.files[0]));
  area.addEventListener("dragover", (event) => { event.preventDefault(); area.classList.add("is-over"); });
  area.addEventListener("dragleave", () => area.classList.remove("is-over"));
  area.addEventListener("drop", (event) => { event.preventDefault(); area.classList.remove("is-over"); take(event.dataTransfer.files[0]); });
  return area;
}

await showHeader();
document.title = `${t("Inspect a dump")} – wattrail`;
const result = element("div", {});
main.replaceChildren(element("section.part", { "aria-label": t("Inspect a dump") }, element("h1", {}, t("Inspect a dump")),
  element("p", {}, t("What a sealed device knows of itself, read out of its flash before anything is written to it.")), chooser(result)), result);
