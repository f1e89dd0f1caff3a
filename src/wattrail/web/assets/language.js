// The reader's language: words from a file, numbers and times as their locale writes them.

export const locale = navigator.language || "en";
const language = locale.split("-")[0];
// A file of the reader's language; a language without one is answered with no words, so English remains.
export const fileOf = (name) => (language === "en" ? {} : fetch(`/assets/${name}.${language}.json`).then((answer) => answer.json()).catch(() => ({})));
const words = await fileOf("words");  // the English text is the key
document.documentElement.lang = Object.keys(words).length ? language : "en";

// t("since {when}", { when }) in the reader's language.
export function t(text, values = {}) {
  return (words[text] ?? text).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

// Puts the words that stand in a page's own markup, in elements with data-t, into the reader's language.
export function translatePage() {
  for (const found of document.querySelectorAll("[data-t]")) found.textContent = t(found.textContent.trim());
}
