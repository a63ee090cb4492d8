"""The options that say which model answers and how; shared by the commands that run one."""

from typing import Annotated, Optional

import typer

Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", help="embedded, embedded/base, hf/<id or folder>, vllm/<id or folder> or openai/<model>."
    ),
]
PromptName = Annotated[
    Optional[str],
    typer.Option("--prompt", help="thanos, zero-shot or a YAML file. Default: zero-shot for openai/, else thanos."),
]
Mode = Annotated[str, typer.Option(help="explain: think, then choose. direct: choose at once.")]
Adapter = Annotated[
    Optional[str], typer.Option(help="hf, vllm: a PEFT adapter's folder or id. embedded: a tuning file.")
]
BaseUrl = Annotated[Optional[str], typer.Option(help="openai: the server, e.g. http://localhost:8000/v1.")]
BatchSize = Annotated[Optional[int], typer.Option(min=1, help="embedded, hf: rows decoded together.")]
Concurrency = Annotated[Optional[int], typer.Option(min=1, help="openai: requests in flight at a time.")]
Timeout = Annotated[Optional[float], typer.Option(min=0.1, help="openai: seconds to wait for one answer.")]
Retries = Annotated[Optional[int], typer.Option(min=0, help="openai: tries after a failed one.")]
