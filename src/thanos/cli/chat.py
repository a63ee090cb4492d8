"""thanos chat: a conversation in the terminal."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from thanos.cli.model_options import Adapter, Mode, Model, PromptName, Timeout
from thanos.cli.responder_options import (
    Arm,
    PlannerUrl,
    ReplyTokens,
    ResponderName,
    ResponderUrl,
    Seed,
    Temperature,
)


def chat(
    responder: ResponderName = "embedded/base",
    arm: Arm = "both",
    model: Model = "embedded",
    prompt: PromptName = None,
    mode: Mode = "explain",
    context: Annotated[Optional[str], typer.Option(help="What is known of the speakers and the situation.")] = None,
    you: Annotated[str, typer.Option(help="Your name.")] = "User",
    other: Annotated[str, typer.Option(help="The name of who answers.")] = "Assistant",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Don't show thoughts; /why still does.")] = False,
    history: Annotated[
        Optional[Path], typer.Option(help="JSONL file of the conversation. Default: chat.jsonl in your data folder.")
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="Begin another conversation; the file keeps the last one.")
    ] = False,
    max_tokens: ReplyTokens = 160,
    temperature: Temperature = 0.0,
    seed: Seed = 0,
    base_url: PlannerUrl = None,
    responder_base_url: ResponderUrl = None,
    adapter: Adapter = None,
    timeout: Timeout = None,
) -> None:
    """Converse with a chat model that plans its skill before it speaks; run it again to go on.

    The thought and the skill are shown dimmed above each reply. /help lists the commands.
    """
    from platformdirs import user_data_path

    from thanos.chat import History, Session
    from thanos.chat import chat as converse
    from thanos.chat.screen import Screen
    from thanos.cli.responder_options import load_models
    from thanos.errors import ThanosError

    if you.strip() == other.strip() or not you.strip() or not other.strip():
        raise ThanosError("--you and --other: give two different names")
    kept = History(history or user_data_path("thanos-skill-of-mind") / "chat.jsonl")
    if new and (kept.turns or kept.context):
        kept.begin_anew()
    if context is not None and context != kept.context:
        kept.set_context(context)
    thanos, answers = load_models(
        model,
        responder,
        arm,
        planner={"prompt": prompt, "mode": mode, "adapter": adapter, "base_url": base_url},
        replies={
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
            "base_url": responder_base_url,
        },
        local={},
        remote={"timeout": timeout},
    )
    session = Session(thanos, answers, kept, you.strip(), other.strip())
    try:
        converse(session, Screen(), quiet)
    finally:
        session.close()
