"""The dataset card: README.md with the front matter that the hub reads."""

from collections import Counter
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from string import Template

import yaml

from thanos.data.stats import Stats
from thanos.skills import Skill

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def write_card(path: Path, title: str, stats: Stats, parts: Counter[str], made_by: Counter[tuple[str, str]]) -> None:
    """Write the card.

    Args:
        parts: Part -> rows, in the order in which they are listed.
        made_by: (model, prompt) -> rows.
    """
    template = Template(files("thanos.data").joinpath("card.md").read_text(encoding="utf-8"))
    size = next((name for limit, name in _SIZES if stats.rows < limit), "1M<n<10M")
    text = template.substitute(
        title=_one_line(title),
        size=f'["{size}"]',
        rows=f"{stats.rows:,}",
        dialogues=f"{stats.dialogues:,}",
        sources=len(stats.skills),
        data_files=_data_files("data", parts),
        standoff_files=_data_files("standoff", parts),
        parts="\n".join(f"| {name} | {n:,} |" for name, n in parts.items()),
        source_rows="\n".join(_source_rows(stats)),
        made="\n".join(_made(made_by)),
        skill_rows="\n".join(_skill_rows(stats)),
    )
    path.write_text(text, encoding="utf-8")


def _one_line(title: str) -> str:
    """Safe as a YAML value and as a heading."""
    line = " ".join(title.split())
    try:
        safe = yaml.safe_load(f"t: {line}") == {"t": line}
    except yaml.YAMLError:
        safe = False
    return line if safe else "".join(char for char in line if char.isalnum() or char in " .,-_()")


def _data_files(form: str, parts: Iterable[str]) -> str:
    return "\n".join(f"  - {{split: {name}, path: {form}/{name}.parquet}}" for name in parts)


def _source_rows(stats: Stats) -> Iterable[str]:
    from thanos.sources import SOURCES

    for name, counts in sorted(stats.skills.items(), key=lambda item: -item[1].total()):
        source = SOURCES.get(name)
        about = f"{source.hub_id} | {source.licence}" if source else "| see the source"
        yield f"| {name} | {counts.total():,} | {about} |"


def _made(made_by: Counter[tuple[str, str]]) -> Iterable[str]:
    yield "With [thanos](https://pypi.org/project/thanos-skill-of-mind/): turns drawn from the sources, annotated by a"
    yield "language model that saw the true response, and validated: closed set of skills, length and person of the"
    yield "explanation, no explanation that gives the response away, no near-duplicates."
    yield ""
    for (model, prompt), n in made_by.most_common():
        yield f"- {n:,} turns: " + (
            f"annotated by {model} with the prompt {prompt}" if model else "annotator not recorded"
        )


def _skill_rows(stats: Stats) -> Iterable[str]:
    for skill in sorted(Skill, key=lambda skill: -stats.by_skill[skill.value]):
        yield f"| {skill.value} | {skill.category} | {stats.by_skill[skill.value]:,} |"
