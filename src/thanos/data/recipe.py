"""What `thanos data validate` lets through: a YAML file, every field of which is optional."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thanos.errors import ThanosError


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExplanationRules(_Section):
    """What an explanation must look like."""

    min_words: int = Field(8, ge=0)
    max_words: int = Field(90, ge=1)
    first_person: bool = False
    """Every explanation needs a word like I, my or we. (Inner speech may do without: "A short goodbye will do.")"""
    thinker_names: list[str] = ["the next speaker", "the speaker", "the responder", "the respondent"]
    """Besides the speaker's name: what an explanation that looks at its thinker from outside calls them."""


class LeakageRules(_Section):
    """When an explanation gives its reply away; see `thanos.data.leakage`."""

    max_share: float = Field(0.5, ge=0, le=1)
    """Half of the reply's new content words is too much..."""
    min_shared: int = Field(2, ge=1)
    """...if it is at least so many words."""
    max_copied: int = Field(4, ge=0)
    """Most words in a row that may be the reply's."""


class NearDuplicateRules(_Section):
    """Which rows are one too many: Jaccard similarity of word triples from which the later row is dropped."""

    dialogue: float | None = Field(0.8, gt=0, le=1)
    """Of all turns with the reply, between rows of different dialogues. null: don't look."""
    explanation: float | None = Field(0.8, gt=0, le=1)
    """Of explanations, between any two rows. null: don't look."""


class HelpfulnessRules(_Section):
    """Keep what helps: skill and explanation must make the true reply more likely under a given model."""

    model: str
    """A model string whose engine scores texts: embedded, hf/... or vllm/..."""
    min_gain: float = 0.0
    """Least gain in nats a word of the reply."""
    options: dict[str, Any] = {}
    """Engine options, e.g. batch_size."""


class Recipe(_Section):
    """All rules of a validation."""

    explanation: ExplanationRules = ExplanationRules()
    leakage: LeakageRules | None = LeakageRules()
    near_duplicates: NearDuplicateRules = NearDuplicateRules()
    helpfulness: HelpfulnessRules | None = None


def load_recipe(path: str | None) -> Recipe:
    """Read a recipe; None is the built-in one (validate.yaml).

    Raises:
        ThanosError: if the file can't be read, or has an unknown key or a value out of range.
    """
    try:
        if path is None:
            text = files("thanos.data").joinpath("validate.yaml").read_text(encoding="utf-8")
        else:
            text = Path(path).read_text(encoding="utf-8")
        return Recipe.model_validate(yaml.safe_load(text) or {})
    except OSError as error:
        raise ThanosError(f"can't read {path}: {(error.strerror or str(error)).lower()}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        raise ThanosError(f"recipe {path}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
    except yaml.YAMLError as error:
        raise ThanosError(f"recipe {path}: {error}".replace("\n", " ")) from None
