// A conversation on the page: its context, its timeline, and every turn with the thought before it.

import { h } from "./dom.js";
import { shownName, speakerAt, speakers } from "./model.js";
import { thoughtCard } from "./thought.js";
import { timeline } from "./timeline.js";

/**
 * Show a conversation in place of what the container held.
 * @param {(position: number) => Node|string} [below] what else stands under the thought of the turn not yet spoken
 * @returns {{draw: () => void, turn: (index: number) => HTMLElement,
 *   say: (index: number, text: string) => void, busy: (words: string) => void}}
 *   draw shows the thoughts anew, say changes the words of a turn, busy shows what is being waited for ("" for nothing)
 */
export function showConversation(container, conversation, below = () => "") {
  const onTheRight = conversation.onTheRight ?? speakers(conversation)[1];
  const side = (speaker) => (speaker === onTheRight ? "right" : "left");
  const status = h("p.waiting", { "aria-hidden": "true" });
  const overview = h("div");
  const list = h("ol.turns", { role: "list" });
  const cards = [];

  const turns = conversation.turns.map((turn, index) => {
    cards.push(h("div.slot"));
    return h(`li.turn.${side(turn.speaker)}`, { tabindex: "-1" }, cards[index], speech(conversation, turn));
  });
  list.append(...turns);
  if (conversation.last === conversation.turns.length) {
    const position = conversation.turns.length;
    cards.push(h("div.slot"));
    const next = speakerAt(conversation, position);
    list.append(h(`li.turn.next.${side(next)}`, { tabindex: "-1" }, cards[position], unspoken(conversation, next)));
  }

  const go = (position) => {
    const turn = list.children[position];
    turn.scrollIntoView({ block: "center" });
    turn.focus({ preventScroll: true });
  };
  const drawOverview = () => {
    overview.replaceChildren(timeline(conversation, go));
    const chart = overview.querySelector(".chart");
    if (chart) chart.scrollLeft = chart.scrollWidth; // where it is too wide, the newest is in sight
  };
  const drawCard = (position) => {
    const changed = () => {
      drawOverview();
      drawCard(position);
      cards[position].querySelector(".edit").focus();
    };
    cards[position].replaceChildren(position ? thoughtCard(conversation, position, changed) : "");
  };
  const draw = () => {
    drawOverview();
    cards.forEach((_, position) => drawCard(position));
  };

  draw();
  container.replaceChildren(context(conversation), status, overview, list, below(conversation.last));
  return {
    draw,
    turn: (index) => turns[index],
    say: (index, text) => (turns[index].querySelector(".said").textContent = text),
    busy: (words) => {
      container.classList.toggle("thinking", Boolean(words));
      status.textContent = words;
    },
  };
}

function context(conversation) {
  return conversation.context ? h("p.context", {}, h("span.visually-hidden", {}, "Social context: "), conversation.context) : "";
}

/** The bubble of a turn that is still to come. */
function unspoken(conversation, speaker) {
  const dots = h("p.dots", { "aria-hidden": "true" }, h("span"), h("span"), h("span"));
  return h("div.speech.unspoken", {}, h("p.speaker", {}, `${shownName(conversation, speaker)} speaks next`), dots);
}

function speech(conversation, turn) {
  return h(
    "div.speech",
    {},
    h("p.speaker", {}, shownName(conversation, turn.speaker)),
    turn.image !== undefined ? h("p.picture", {}, h("span.picture-tag", {}, "picture"), turn.image) : null,
    turn.text || turn.image === undefined ? h("p.said", {}, turn.text) : null,
  );
}
