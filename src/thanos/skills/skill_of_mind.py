"""The thought: an explanation and the skill that it leads to."""

from pydantic import BaseModel, ConfigDict, Field, computed_field

from thanos.skills.skill import Skill


class SkillOfMind(BaseModel):
    """What goes on in the next speaker's mind before the reply, and the skill it settles on."""

    model_config = ConfigDict(frozen=True)

    explanation: str = ""
    """The speaker's own thoughts; empty in direct mode, which names a skill without thinking aloud."""
    skill: Skill | None = None
    """The chosen skill; None if the output named none of the 39."""
    scores: dict[str, float] = Field(default_factory=dict)
    """Skill name -> probability (they sum to 1), most probable first; empty where the engine can't tell."""
    valid: bool = False
    """True if a skill of the closed set came out, and with it an explanation where one was asked for."""
    raw: str = ""
    """The model's own text, before parsing."""
    error: str = ""
    """Why there is no prediction at all (bad input, an endpoint that is down): one line. Empty otherwise."""

    @computed_field
    @property
    def category(self) -> str | None:
        """The skill's category, or None."""
        return self.skill.category if self.skill else None

    def top(self, n: int = 5) -> list[tuple[str, float]]:
        """The n most probable skills with their probabilities."""
        return sorted(self.scores.items(), key=lambda item: -item[1])[:n]
