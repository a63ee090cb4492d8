"""The model as it was and what was made of it, on the same dialogues, one after the other."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import torch

from thanos.dialogue import Dialogue
from thanos.engines.hf.engine import TransformersEngine
from thanos.engines.protocol import Engine
from thanos.export.agreement import Agreement, Answer, answer_all, fit_prompts
from thanos.export.llama_cpp import llama_cpp_engine
from thanos.export.source import Source
from thanos.longrun import progress_bar
from thanos.prompts import Prompt


def compare(source: Source, form: str, output: Path, dialogues: list[Dialogue], prompt: Prompt) -> Agreement:
    """Let both answer every dialogue: the model in transformers and in float32, the export in the engine that it's for.

    Raises:
        EngineError: if one of them fails.
    """
    with progress_bar("compare skills", 2 * len(dialogues)) as advance:
        adapter = str(source.adapter) if source.adapter else None
        # In bfloat16, a GPU's default, rounding alone would change a third of a small model's skills.
        with closing(TransformersEngine(str(source.files), adapter=adapter, dtype=torch.float32)) as engine:
            prompts = fit_prompts(dialogues, prompt, engine)
            ours = answer_all(engine, prompts, advance)
        with _engine_of(form, output) as engine:
            theirs = answer_all(engine, prompts, advance)
    return Agreement(list(zip(ours, theirs, strict=True)))


def write_disagreements(drawn: list[tuple[int, Dialogue]], compared: Agreement, path: Path) -> None:
    """One JSON object for each dialogue after which the two name different skills, with what they wrote."""
    with path.open("w", encoding="utf-8") as file:
        for (line, dialogue), (ours, theirs) in zip(drawn, compared.pairs, strict=True):
            if ours.skill != theirs.skill:
                row = {"line": line, "id": dialogue.id, "model": _shown(ours), "export": _shown(theirs)}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


@contextmanager
def _engine_of(form: str, output: Path) -> Iterator[Engine]:
    if form == "gguf":
        with llama_cpp_engine(output) as engine:
            yield engine
        return
    if form == "embedded":
        from thanos.engines.embedded import EmbeddedEngine

        engine = EmbeddedEngine(adapter=str(output))
    else:
        engine = TransformersEngine(str(output))
    with closing(engine):
        yield engine


def _shown(answer: Answer) -> dict[str, Any]:
    return {"skill": answer.skill and answer.skill.value, "text": answer.text}
