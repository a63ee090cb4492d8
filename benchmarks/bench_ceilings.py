"""How far a perfect planner could come on the tasks with human labels, given the maps from skills to labels.

python benchmarks/bench_ceilings.py --data FOLDER

reachable: rows with a label that some skill stands for, the most that any answer could get. annotated skill: accuracy of
the annotator's own skill through the map, on turns that have both, seen in training or not; a planner that agrees with
the annotator everywhere would get as much. best map: the same if every skill stood for the label that it most often goes
with on these very turns; how much of the gap is the map's, and how much is that skills and labels are different things.
"""

import argparse
import json
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

from thanos.bench.data import find_data
from thanos.bench.errors import NotPossibleError
from thanos.bench.items import Item
from thanos.bench.metrics.bootstrap import Number, Resample
from thanos.bench.tasks.labelled_turns import READERS, labelled_items
from thanos.bench.tasks.skill_map import SkillMap, load_map
from thanos.errors import ThanosError
from thanos.skills import Skill
from thanos.sources import turn_key


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="holds sources/ and annotated/; by default data in $THANOS_SHARED")
    args = parser.parse_args()
    data = find_data(args.data)
    skills = annotated_skills([path for path in (data.annotated, data.train) if path])
    print("| task | rows | left out | reachable | turns with both | annotated skill | best map | most frequent label |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name in READERS:
        skill_map = load_map(name)
        try:
            scored, every = labelled_items(data, skill_map), labelled_items(replace(data, train=None), skill_map).kept
        except NotPossibleError as reason:
            print(f"| {name} | {reason} |")
            continue
        both = [(item, skills[key]) for item in every if (key := key_of(item.id, item.source)) in skills]
        cells = [name, f"{len(scored.kept):,}", f"{scored.left_out.total():,}", reachable(scored.kept, skill_map)]
        cells += [f"{len(both):,}", *([shown(n) for n in accuracies(both, skill_map)] if both else ["-"] * 3)]
        print(f"| {' | '.join(cells)} |", flush=True)


def annotated_skills(paths: list[Path]) -> dict[tuple, Skill]:
    rows = (json.loads(line) for path in paths for line in path.open(encoding="utf-8"))
    return {key: Skill.parse(row["skill"]) for row in rows if (key := key_of(row["id"], row["source"]))}


def key_of(id: str, source: str) -> tuple | None:
    try:
        return turn_key({"id": id, "source": source})
    except ThanosError:
        return None


def labels_of(item: Item) -> list[str]:
    return [item.target] if isinstance(item.target, str) else item.target


def reachable(items: list[Item], skill_map: SkillMap) -> str:
    labels = skill_map.reachable()
    return f"{sum(any(label in labels for label in labels_of(item)) for item in items) / max(len(items), 1):.1%}"


def accuracies(both: list[tuple[Item, Skill]], skill_map: SkillMap) -> list[Number]:
    """Through the map, through the best map, and of the most frequent label."""
    resample = Resample([item.cluster for item, _ in both])
    met: dict[Skill, Counter] = defaultdict(Counter)
    for item, skill in both:
        met[skill].update(labels_of(item))
    best = {skill: counts.most_common(1)[0][0] for skill, counts in met.items()}
    most = sum(met.values(), Counter()).most_common(1)[0][0]
    answers = (skill_map.label_of, best.get, lambda skill: most)
    return [resample.mean([float(answer(skill) in labels_of(item)) for item, skill in both]) for answer in answers]


def shown(number: Number) -> str:
    return f"{number['value']:.1%} ({number['low']:.1%} to {number['high']:.1%})"


if __name__ == "__main__":
    main()
