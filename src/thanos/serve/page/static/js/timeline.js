// The skills of a whole conversation at a glance: one column a turn, one lane a category.

import { h, plural } from "./dom.js";
import { shownName, speakerAt, thoughtAt } from "./model.js";
import { categoryOf, laneOf, mark, shortName, taxonomy } from "./skills.js";

const SVG = "http://www.w3.org/2000/svg";

/** @param {(position: number) => void} go shows the turn of a column */
export function timeline(conversation, go) {
  const lanes = taxonomy();
  const columns = conversation.last === conversation.turns.length ? conversation.last + 1 : conversation.turns.length;
  const points = [];
  for (let position = 0; position < columns; position += 1) {
    const lane = laneOf(thoughtAt(conversation, position)?.skill);
    if (lane !== null) points.push({ position, lane });
  }
  if (points.length < 2) return ""; // one point is no line
  const tracks = h(
    "ol.tracks",
    { role: "list" },
    ...Array.from({ length: columns }, (_, position) => column(conversation, position, go)),
  );
  tracks.style.setProperty("--columns", columns);
  const chart = h("div.chart", { tabindex: "0", role: "group", "aria-label": "Skill of each turn" }, line(points, columns, lanes.length), tracks);
  return h(
    "section.timeline",
    { "aria-label": "Skill timeline" },
    h("h3", {}, "Skill timeline"),
    h("p.hint", {}, summary(points)),
    h(
      "div.timeline-body",
      {},
      h("ul.lanes", { "aria-hidden": "true" }, ...lanes.map(laneName)),
      chart,
    ),
  );
}

/** A lane's name in two parts; a phone shows the first alone. */
function laneName(category, lane) {
  const [first, ...more] = shortName(category.name).split(" & ");
  return h("li", {}, mark(lane), h("span", {}, first, h("span.more", {}, ...more.map((part) => ` & ${part}`))));
}

function column(conversation, position, go) {
  const skill = thoughtAt(conversation, position)?.skill;
  const lane = laneOf(skill);
  const unspoken = position === conversation.turns.length;
  const number = h("span.number", { "aria-hidden": "true" }, unspoken ? "…" : String(position + 1));
  if (lane === null) return h("li", {}, h("span.visually-hidden", {}, `Turn ${position + 1}: no skill known`), number);
  const who = shownName(conversation, speakerAt(conversation, position));
  const where = unspoken ? "Next turn" : `Turn ${position + 1}`;
  const label = `${where}, ${who}: ${skill}, ${shortName(categoryOf(skill))}`;
  const stop = h(`button.stop.lane-${lane}`, { type: "button", "aria-label": label, title: label, onclick: () => go(position) }, mark(lane));
  return h("li", {}, stop, number);
}

function line(points, columns, lanes) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${columns} ${lanes}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.style.setProperty("--columns", columns);
  const path = document.createElementNS(SVG, "polyline");
  path.setAttribute("points", points.map(({ position, lane }) => `${position + 0.5},${lane + 0.5}`).join(" "));
  svg.append(path);
  return svg;
}

function summary(points) {
  const counts = new Map();
  for (const { lane } of points) counts.set(lane, (counts.get(lane) ?? 0) + 1);
  const [lane, most] = [...counts].sort((a, b) => b[1] - a[1])[0];
  return `${plural(points.length, "thought")}, ${most} of them ${shortName(taxonomy()[lane].name)}.`;
}
