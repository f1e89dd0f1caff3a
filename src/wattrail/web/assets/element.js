// Elements from a description, and the shapes that several pages have. Text is always text: nothing that a meter or a
// person named is ever read as markup.

// element("p.error", { role: "status" }, "text", child, ...)
export function element(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Only what has changed: a live region that is written again is read aloud again, and a marked text loses its mark.
export function show(found, text) {
  if (found.textContent !== text) found.textContent = text;
}

// button("button.main", t("Keep it"), () => ...)
export function button(what, text, act, attributes = {}) {
  const made = element(what, { type: "button", ...attributes }, text);
  made.addEventListener("click", act);
  return made;
}

// A part of a page; its title is also its name for a screen reader.
export const section = (title, ...parts) => element("section.part", { "aria-label": title }, element("h2", {}, title), ...parts);

export const field = (title, control) => element("div.field", {}, element("label", { for: control.id }, title), control);

export const input = (id, more = {}) => element("input", { id, name: id, autocomplete: "off", ...more });

// Terms and what belongs to each: [[term, value, ...], ...]
export const pairs = (what, found) => element(what, {}, ...found.map(([term, ...values]) => element("div", {}, element("dt", {}, term), element("dd", {}, ...values))));

// A table that scrolls by itself where it is wider than the page, by keys too. `more` follows its rows.
export function table(what, label, heads, rows, ...more) {
  return element("div.scrolls", { tabindex: "0", role: "region", "aria-label": label }, element(what, {},
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))), element("tbody", {}, ...rows), ...more));
}

// One whose rows a phone shows as cards: there each cell says its column.
export function tallTable(label, heads, rows) {
  for (const row of rows) [...row.children].forEach((cell, n) => { if (n) cell.dataset.label = heads[n]; });
  return table("table.lines.is-tall", label, heads, rows);
}
