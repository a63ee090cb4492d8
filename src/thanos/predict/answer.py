"""What an engine gave -> SkillOfMind."""

from collections import Counter

from thanos.engines.protocol import Generation
from thanos.predict.request import PredictionOptions
from thanos.prompts import MARKER, parse_thought
from thanos.skills import Skill, SkillOfMind


def read_generation(generation: Generation, options: PredictionOptions) -> SkillOfMind:
    """Read one generation: its constrained choice where there is one, its text otherwise."""
    if generation.error:
        return SkillOfMind(error=generation.error)
    named = f"{generation.text.strip()} {MARKER} {generation.choice}".strip()
    raw = named if generation.choice else generation.text
    thought = parse_thought(raw)
    skill = Skill(generation.choice) if generation.choice else thought.skill
    return SkillOfMind(
        explanation=thought.explanation,
        skill=skill,
        scores=_by_probability(generation.scores),
        valid=skill is not None and (options.mode == "direct" or bool(thought.explanation)),
        raw=raw,
    )


def vote(samples: list[SkillOfMind]) -> SkillOfMind:
    """Average several sampled thoughts about one dialogue.

    Every sample weighs the same: its distribution where the engine gives one, else its skill alone. The explanation is
    that of the sample which is surest of the winning skill, so that thought and skill belong together.
    """
    good = [sample for sample in samples if sample.valid]
    if not good:
        return samples[0]
    total: Counter[str] = Counter()
    for sample in good:
        total.update(_distribution(sample))
    scores = _by_probability({name: weight / len(good) for name, weight in total.items()})
    winner = Skill(next(iter(scores)))
    # A sample that itself settled on the winner comes first: its words argue for it.
    best = max(good, key=lambda sample: (sample.skill == winner, _distribution(sample).get(winner.value, 0.0)))
    return best.model_copy(update={"skill": winner, "scores": scores})


def _distribution(sample: SkillOfMind) -> dict[str, float]:
    return sample.scores or {sample.skill.value: 1.0}


def _by_probability(scores: dict[str, float]) -> dict[str, float]:
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))
