// The taxonomy, as the server gives it: 39 skills in five categories, each category with a colour and a shape.

import { h } from "./dom.js";

let categories = [];
const places = new Map(); // skill -> {category, definition, lane}

export async function loadTaxonomy() {
  const response = await fetch(new URL("page/taxonomy.json", document.baseURI));
  categories = await response.json();
  categories.forEach((category, lane) => {
    for (const { name, definition } of category.skills) places.set(name, { category: category.name, definition, lane });
  });
}

/** The categories in their order: [{name, skills: [{name, definition}]}]. */
export function taxonomy() {
  return categories;
}

export function isSkill(name) {
  return places.has(name);
}

/** Which of the five categories, from 0; null for a name that is no skill. */
export function laneOf(skill) {
  return places.get(skill)?.lane ?? null;
}

export function categoryOf(skill) {
  return places.get(skill)?.category ?? "";
}

export function definitionOf(skill) {
  return places.get(skill)?.definition ?? "";
}

/** "Memory & Knowledge Management Skills" without its last word. */
export function shortName(category) {
  return category.replace(/ Skills$/, "");
}

/** The category's shape, for the eye alone: its name always stands somewhere beside it as text. */
export function mark(lane) {
  return h(`span.mark.lane-${lane}`, { "aria-hidden": "true" });
}

/** A skill with its category's colour and shape. */
export function chip(skill) {
  const lane = laneOf(skill);
  return h(
    `span.chip.lane-${lane}`,
    { title: definitionOf(skill) },
    mark(lane),
    h("span.chip-skill", {}, skill),
    h("span.chip-category", {}, shortName(categoryOf(skill))),
  );
}
