// What a dump says, part by part. Its texts are of strangers: they are only ever text.
import { button, element, pairs, section as part, tallTable as table } from "./element.js";
import { tell, valueOf } from "./found.js";
import { number } from "./format.js";
import { t } from "./language.js";

const CONFIDENCE = { likely: t("likely"), same_wiring: t("one of several with the same wiring"), possible: t("possible") };
const OWN_NAMES = ["erased", "unknown", "constants", "update"];  // the others are partitions, named as in the firmware
const TARGETS = { openbeken: "OpenBeken", esphome: "ESPHome", tasmota: "Tasmota", wattrail: "wattrail.toml" };
const MAX_BOARDS = 5;

const hex = (value) => `0x${value.toString(16).toUpperCase().padStart(6, "0")}`;
const size = (bytes) => (bytes % 1024 ? `${number(bytes, 0)} B` : `${number(bytes / 1024, 0)} KiB`);

// The title of the first one takes the focus, which leads a screen reader to the answer.
function section(title, ...parts) {
  const made = part(title, ...parts);
  made.querySelector("h2").setAttribute("tabindex", "-1");
  return made;
}

const facts = (found) => pairs("dl.pairs", found.filter(([, value]) => value));

const cells = (first, ...rest) => element("tr", {}, element("th", { scope: "row" }, first), ...rest.map((cell) => element("td", {}, cell ?? "–")));

// A button that keeps a text as a file; nothing is asked of the gateway again.
function keep(name, text, kind = "text/plain") {
  return button("button.again", name, () => {
    const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: kind })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
}

export function head({ inspection: found, picture }, file) {
  return section(file.name, facts([[t("Kind"), found.confidence === "none" ? tell(found.kind) : `${tell(found.kind)}, ${tell(found.confidence)}`], [t("Chip"), found.chip ? `${found.chip}, ${tell(found.chip_confidence)}` : t("not recognised")],
    [t("Size"), size(found.bytes)], ["SHA-256", found.sha256]]),
  element("p.check", {}, keep("flash.svg", picture, "image/svg+xml"), keep("inspection.json", JSON.stringify(found, null, 1), "application/json")));
}

export function problems({ inspection: { problems: found, confidence } }) {
  if (confidence === "none") return section(t("Problems"), element("p", {}, t("It is not recognised, so nothing of it could be checked.")));
  if (!found.length) return section(t("Problems"), element("p", {}, t("Nothing is wrong with it as far as it can be checked.")));
  return section(t("Problems"), element("ul.plain", {}, ...found.map(({ what, offset }) => element("li.remark", {}, offset === null ? tell(what) : `${hex(offset)}: ${tell(what)}`))));
}

export function map({ inspection: { map: regions } }) {
  const row = (region) => {
    const share = region.used_bytes / (region.end - region.start);
    const bar = element("span.used", { "aria-hidden": "true" }, element("span", {}));
    bar.firstChild.style.width = `${Math.round(100 * share)}%`;
    bar.firstChild.className = `is-${region.name}`;
    const is = region.name === "erased" ? region.holds : tell(region.holds);  // an erased one names its partitions
    const holds = element("span", {}, is || t("nothing"), region.evidence ? element("span.why", {}, region.by_content ? tell(region.evidence) : t("by the layout of the chip alone")) : null);
    return cells(`${hex(region.start)}–${hex(region.end)}`, OWN_NAMES.includes(region.name) ? tell(region.name) : region.name, element("span.share", {}, bar, size(region.used_bytes)), holds);
  };
  return section(t("Map of the flash"), table(t("Map of the flash"), [t("Place"), t("Part"), t("In use"), t("What is there")], regions.map(row)));
}

export function programs({ inspection: { programs: found, radio } }) {
  const rows = found.map((one) => (one.program === "bootloader" ? cells(t("Bootloader"), one.known_as ?? one.version, null, null)
    : cells(one.product ?? one.firmware ?? t("unknown firmware"), one.version, one.sdk, one.built)));
  if (radio) rows.push(cells(t("Radio calibration"), t("{count} elements", { count: number(radio.elements.length, 0) }), null, null));
  return rows.length ? section(t("Programs"), table(t("Programs"), [t("Program"), t("Version"), "SDK", t("Built")], rows)) : null;
}

function board(match, exports) {
  const own = exports.filter(({ board: name }) => name === match.board);
  const list = (title, texts) => (texts.length ? [element("h4", {}, title), element("ul", {}, ...texts.map((text) => element("li", {}, tell(text))))] : []);
  const links = own.map(({ target, files: made, with_calibration: carried }) => element("p.check", {}, element("span.target", {}, TARGETS[target]),
    ...Object.entries(made).map(([name, text]) => keep(name, text)), carried ? element("span.why", {}, t("with the calibration in the dump")) : null));
  return element("details.board", {}, element("summary", {}, element("strong", {}, match.title), ` (${match.board}): ${CONFIDENCE[match.confidence]}, `,
    t("{share} % agrees", { share: number(100 * match.agreement, 0) })), ...list(t("What speaks for it"), match.evidence),
  ...list(t("What speaks against it"), match.contradictions), links.length ? element("h4", {}, t("Files for its firmware")) : null, ...links);
}

export function boards({ boards: found, exports }) {
  const against = found.disagreements.map((text) => element("li.remark", {}, tell(text)));
  const source = (one) => [element("h3", {}, tell(one.source)), element("p.why", {}, [one.module ?? one.chip, one.metering_chip?.toUpperCase(), one.bus, ...one.pins.map(tell)].filter(Boolean).join("; ")),
    one.bus === "tuyamcu" && !one.metering_chip && !one.pins.length && !one.matches.some(({ confidence }) => confidence !== "possible") ? element("p.remark", {}, t("All it says is that a microcontroller does the work, as in a thermostat. Nothing says that it measures.")) : null,
    ...(one.matches.length ? one.matches.slice(0, MAX_BOARDS).map((match) => board(match, exports)) : [element("p", {}, t("No known board fits."))])];
  const shown = section(t("Which board it is"), against.length ? element("p", {}, t("The configurations in it contradict each other; until one is found to be stale, believe neither.")) : null,
    against.length ? element("ul.plain", {}, ...against) : null,
    ...(found.sources.length ? found.sources.flatMap(source) : [element("p", {}, t("Nothing in it says how its board is wired."))]));
  shown.querySelector("details")?.setAttribute("open", "");
  return shown;
}

export function pins({ inspection: { configuration: found } }) {
  if (!found) return null;
  const level = (use) => (use.active_high === null ? null : use.active_high ? t("active high") : t("active low"));
  const meter = found.meter ? [found.meter.chip, tell(found.meter.bus), found.meter.shunt_milliohms ? `${number(found.meter.shunt_milliohms, 1)} mΩ` : null].filter(Boolean).join(", ") : t("none");
  return section(t("Pins of the stock firmware"), found.source === "code" ? element("p.remark", {}, t("A default in the code, which may be another board's.")) : null,
    facts([[t("Module"), found.module], [t("Metering chip"), meter], [t("Evidence"), tell(found.meter?.reason)], [t("Line to a microcontroller"), found.mcu_baud ? `${found.mcu_baud} baud` : null]]),
    found.pins.length ? table(t("Pins of the stock firmware"), [t("Pin"), t("Use"), t("Level"), t("Name in the settings")],
      found.pins.map((use) => cells(`P${use.pin}`, `${tell(use.role)}${use.number > 1 ? ` ${use.number}` : ""}`, level(use), use.source))) : null);
}

export function constants({ inspection: { factory_constants: found } }) {
  if (!found) return null;
  return section(t("Calibration of the factory"), facts([[t("Metering chip"), found.chip], [t("Counts per volt"), number(found.counts_per_volt, 1)], [t("Counts per ampere"), number(found.counts_per_amp, 1)],
    [t("Counts per watt"), number(found.counts_per_watt, 2)], [t("Counts per kilowatt-hour"), number(found.counts_per_kwh, 0)], [t("Place"), hex(found.start)]]),
  element("p", {}, t("Another firmware erases them: keep the dump. This takes them over:")), element("pre.command", { tabindex: "0" }, `wattrail meter calibrate METER --factory ${found.words.join(",")}`));
}

export function settings({ inspection: { storage, openbeken } }) {
  const values = storage.read ? Object.entries(storage.values).map(([name, { value, problem }]) => cells(name, valueOf(value), problem && tell(problem))) : [];
  const own = openbeken ? Object.entries(openbeken.settings).filter(([, value]) => value !== null && value !== "").map(([name, value]) => cells(name, valueOf(value))) : [];
  return section(t("Settings"), element("p", {}, tell(storage.answer)), storage.hint ? element("p.why", {}, t("Try this: {hint}", { hint: tell(storage.hint) })) : null,
    values.length ? element("details", {}, element("summary", {}, `${t("Settings of the stock firmware")} (${number(values.length, 0)})`), table(t("Settings of the stock firmware"), [t("Name"), t("Value"), t("Problem")], values)) : null,
    own.length ? element("details", {}, element("summary", {}, t("Settings of OpenBeken")), table(t("Settings of OpenBeken"), [t("Name"), t("Value")], own)) : null);
}

export function files({ inspection: { file_systems: found } }) {
  const rows = found.flatMap((system) => system.files.map((file) => cells(file.path, file.folder ? t("folder") : size(file.bytes))));
  return rows.length ? section(t("Files"), table(t("Files"), [t("Name"), t("Size")], rows)) : null;
}
