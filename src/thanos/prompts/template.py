"""Prompts are data files; this loads one and renders a dialogue into it."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypedDict

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from thanos.dialogue import Dialogue
from thanos.errors import ThanosError
from thanos.skills import CATEGORIES, Skill

BUILT_IN = ("thanos", "zero-shot")


class Message(TypedDict):
    """One message of a chat prompt."""

    role: str
    content: str


class Prompt(BaseModel):
    """A chat prompt with the places {social_context}, {dialogue} and {skills}."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: int
    """Raised with every change of the wording; recorded beside results."""
    source: str
    system: str
    user: str

    def render(self, dialogue: Dialogue) -> list[Message]:
        """The messages to send. A dialogue can't reach the template: values are put in, never read again."""
        values = {"social_context": dialogue.social_context, "dialogue": dialogue.text(), "skills": skill_list()}
        contents = (("system", self.system), ("user", self.user))
        return [{"role": role, "content": text.format_map(values)} for role, text in contents]


@cache
def load_prompt(name: str) -> Prompt:
    """Load a prompt by name ("thanos", "zero-shot") or from a YAML file of the same form.

    Raises:
        ThanosError: if there is no such prompt, or its file has a missing or unknown key.
    """
    if name in BUILT_IN:
        text = files("thanos.prompts").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    elif Path(name).suffix in (".yaml", ".yml") and Path(name).is_file():
        text = Path(name).read_text(encoding="utf-8")
    else:
        raise ThanosError(f"no prompt {name!r}: use {', '.join(BUILT_IN)} or the path of a YAML file")
    try:
        prompt = Prompt.model_validate({"name": name, **yaml.safe_load(text)})
        prompt.render(Dialogue.model_validate({"turns": [{"speaker": "A", "text": "Hello."}]}))
    except ValidationError as error:
        problem = error.errors()[0]
        raise ThanosError(f"prompt {name}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
    except (yaml.YAMLError, TypeError, KeyError, ValueError, IndexError) as error:
        raise ThanosError(f"prompt {name}: {error}".replace("\n", " ")) from None
    return prompt


@cache
def skill_list() -> str:
    """Category by category, `- name: definition`."""
    lines = []
    for category in CATEGORIES:
        lines.append(f"{category}:")
        lines += [f"- {skill.value}: {skill.definition}" for skill in Skill if skill.category == category]
    return "\n".join(lines)
