// The form that corrects a thought.

import { setCorrection } from "./corrections.js";
import { announce, freshId, h } from "./dom.js";
import { thoughtAt } from "./model.js";
import { definitionOf, isSkill, shortName, taxonomy } from "./skills.js";

/** @param {(saved: boolean) => void} done called when the person saves or gives up */
export function correctionForm(conversation, position, done) {
  const thought = thoughtAt(conversation, position);
  const [skillId, meaningId, wordsId] = ["skill", "meaning", "words"].map(freshId);
  const select = h("select", { id: skillId, "aria-describedby": meaningId, required: true }, ...options(thought?.skill));
  const meaning = h("p.hint", { id: meaningId, "aria-live": "polite" });
  const words = h("textarea", { id: wordsId, rows: 3 });
  words.value = thought?.explanation ?? "";
  const explain = () => (meaning.textContent = definitionOf(select.value) || "Choose the skill that fits best.");
  select.addEventListener("change", explain);
  explain();

  const save = (event) => {
    event.preventDefault();
    if (!select.value) {
      select.focus();
      return;
    }
    setCorrection(conversation, position, { skill: select.value, explanation: words.value.trim() });
    announce(`Corrected to ${select.value}.`);
    done(true);
  };
  const leave = (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    done(false);
  };
  return h(
    "form.correction",
    { novalidate: true, onsubmit: save, onkeydown: leave, "aria-label": "Correct this thought" },
    h("label", { for: skillId }, "Skill"),
    select,
    meaning,
    h("label", { for: wordsId }, "Explanation"),
    words,
    h(
      "div.actions",
      {},
      h("button.primary.small", { type: "submit" }, "Save"),
      h("button.small", { type: "button", onclick: () => done(false) }, "Cancel"),
    ),
  );
}

function options(chosen) {
  const groups = taxonomy().map((category) =>
    h(
      "optgroup",
      { label: shortName(category.name) },
      ...category.skills.map(({ name }) => h("option", { value: name, selected: name === chosen }, name)),
    ),
  );
  return isSkill(chosen) ? groups : [h("option", { value: "", selected: true }, "Choose a skill"), ...groups];
}
