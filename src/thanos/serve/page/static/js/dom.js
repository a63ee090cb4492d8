// Elements from data. Text only ever becomes text nodes and attribute values: nothing here can parse HTML.

/**
 * Make an element.
 * @param {string} tag "div", or "div.class1.class2"
 * @param {Object} attributes attribute -> value; `on…` are event listeners; false, null and undefined leave it out
 * @param {...(Node|string|null|false)} children
 */
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  element.classList.add(...classes);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== false && child !== undefined));
  return element;
}

/** The element with an id of the page's own HTML. */
export function byId(id) {
  return document.getElementById(id);
}

/** Tell screen readers what has happened. */
export function announce(text) {
  const region = byId("announce");
  region.textContent = "";
  // Emptied first and filled later, so that the same words are read out again.
  setTimeout(() => (region.textContent = text), 50);
}

let ids = 0;

/** An id that no other element has, to tie a label or a description to its control. */
export function freshId(prefix) {
  ids += 1;
  return `${prefix}-${ids}`;
}

export function percent(p) {
  return p > 0 && p < 0.01 ? "<1%" : `${Math.round(100 * p)}%`;
}

export function plural(n, word) {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}
