"""thanos serve: the HTTP server."""

import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from thanos.cli.model_options import Adapter, BaseUrl, BatchSize, Concurrency, Model, PromptName, Retries

UPSTREAM_KEY = "THANOS_UPSTREAM_KEY"


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; only this machine by default.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    upstream: Annotated[
        Optional[str], typer.Option(help=f"OpenAI-compatible server that replies, up to /v1; its key: ${UPSTREAM_KEY}.")
    ] = None,
    responder: Annotated[str, typer.Option(help="Without --upstream: the chat model that replies.")] = "embedded/base",
    model: Model = "embedded",
    prompt: PromptName = None,
    mode: Annotated[str, typer.Option(help="explain: think, then choose. direct: choose at once.")] = "explain",
    max_tokens: Annotated[Optional[int], typer.Option(min=1, help="Most tokens of an explanation.")] = None,
    plan_timeout: Annotated[
        float, typer.Option(min=0.001, help="Seconds a chat reply waits for its plan; then it comes unplanned.")
    ] = 10.0,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Longest silence of the upstream, and wait at /v1/skill-of-mind, in seconds.")
    ] = 300.0,
    api_key_file: Annotated[
        Optional[Path], typer.Option(help="Keys that callers must send, one a line. Without: everybody may call.")
    ] = None,
    max_body: Annotated[int, typer.Option(min=1, help="Largest request body, in bytes.")] = 4 * 1024 * 1024,
    max_concurrency: Annotated[int, typer.Option(min=1, help="POST requests in hand; more get 429.")] = 256,
    shutdown_timeout: Annotated[int, typer.Option(min=1, help="Seconds that open streams have at the end.")] = 30,
    adapter: Adapter = None,
    batch_size: BatchSize = None,
    base_url: BaseUrl = None,
    concurrency: Concurrency = None,
    retries: Retries = None,
) -> None:
    """Serve skills-of-mind, and an OpenAI-compatible chat endpoint that plans the skill before it speaks.

    POST /v1/skill-of-mind, POST /v1/chat/completions, GET /v1/models, /health, /metrics; the API's page is at /docs.
    """
    from thanos.errors import ThanosError

    try:
        from thanos.serve.run import run_server
    except ModuleNotFoundError as error:
        raise ThanosError(f"serve needs {error.name}: pip install 'thanos-skill-of-mind[serve]'") from None
    from thanos.serve.keys import read_keys
    from thanos.serve.settings import ServeSettings

    settings = ServeSettings(
        model=model,
        prompt=prompt,
        mode=mode,
        max_tokens=max_tokens,
        engine_options={
            "adapter": adapter,
            "batch_size": batch_size,
            "base_url": base_url,
            "concurrency": concurrency,
            "retries": retries,
        },
        responder=responder,
        upstream=upstream,
        upstream_key=os.environ.get(UPSTREAM_KEY) or None,
        plan_timeout=plan_timeout,
        timeout=timeout,
        api_keys=read_keys(api_key_file) if api_key_file else (),
        max_body=max_body,
        max_concurrency=max_concurrency,
    )
    run_server(settings, host, port, shutdown_timeout)
