"""The options that say which model replies and what it is told; shared by the commands that let one speak."""

from typing import Annotated, Any, Optional

import typer

ResponderName = Annotated[
    str,
    typer.Option(
        "--responder", "-r", help="The chat model that speaks: embedded/base, hf/<...>, vllm/<...> or openai/<model>."
    ),
]
Arm = Annotated[
    str, typer.Option(help="What of the plan the responder is told: plain (nothing), skill, explanation, both.")
]
ReplyTokens = Annotated[int, typer.Option(min=1, help="Most tokens of a reply.")]
Seed = Annotated[int, typer.Option(help="Seeds the sampling.")]
Temperature = Annotated[float, typer.Option(min=0.0, help="Of the reply; 0 is greedy.")]
PlannerUrl = Annotated[Optional[str], typer.Option("--base-url", help="openai: the server of --model.")]
ResponderUrl = Annotated[Optional[str], typer.Option("--responder-base-url", help="openai: the server of --responder.")]


def load_models(
    model: str,
    responder: str,
    arm: str,
    planner: dict[str, Any],
    replies: dict[str, Any],
    local: dict[str, Any],
    remote: dict[str, Any],
) -> tuple[Any, Any]:
    """Load planner and responder; one engine serves both if they are the same local model.

    Args:
        planner: The planner's own options.
        replies: The responder's own options.
        local: Options of engines that run weights here, for whichever of the two does.
        remote: Options of chat endpoints, for whichever of the two is one.

    Returns:
        A `Thanos`, or None if the arm is "plain", and a `Responder`.

    Raises:
        ThanosError: for an unknown model, arm or option, or an option that neither of the two has.
    """
    from thanos.errors import ThanosError
    from thanos.predict import Thanos
    from thanos.respond import Responder

    own = lambda name: remote if name.startswith("openai/") else local
    names = [responder] if arm == "plain" else [model, responder]
    for options in (local, remote):
        given = [name for name, value in options.items() if value is not None]
        if given and not any(own(name) is options for name in names):
            raise ThanosError(f"--{given[0].replace('_', '-')} is no option of {' or '.join(names)}")
    if arm == "plain":
        return None, Responder(responder, arm=arm, **replies, **own(responder))
    thanos = Thanos(model, **planner, **own(model))
    twice = responder == thanos.model and own(responder) is local
    return thanos, thanos.responder(responder, arm=arm, **replies, **({} if twice else own(responder)))
