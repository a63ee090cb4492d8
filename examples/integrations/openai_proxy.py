"""The official openai client, with its replies planned: only the address changes.

thanos serve --upstream https://api.openai.com/v1 &          # or without --upstream: a small model replies
python examples/integrations/openai_proxy.py gpt-4o-mini     # without --upstream: embedded/base
"""

import sys

from openai import OpenAI

ADDRESS = "http://127.0.0.1:8000/v1"
MESSAGES = [{"role": "user", "content": "I told the whole team about the party, and it was meant to be a surprise."}]
# Ours: what the planner should know. The chat model never sees this field; everything else is passed on unchanged.
OURS = {"thanos": {"social_context": "Two colleagues, the evening before a birthday."}}


def ask(client: OpenAI, model: str) -> None:
    """One whole reply; the plan is in its extra field `thanos`."""
    reply = client.chat.completions.create(model=model, messages=MESSAGES, extra_body=OURS)
    print_plan(reply.thanos)
    print(reply.choices[0].message.content)


def ask_streaming(client: OpenAI, model: str) -> None:
    """The same, token by token; the plan comes with the first chunk."""
    for chunk in client.chat.completions.create(model=model, messages=MESSAGES, extra_body=OURS, stream=True):
        if plan := getattr(chunk, "thanos", None):
            print_plan(plan)
        if chunk.choices:
            print(chunk.choices[0].delta.content or "", end="", flush=True)
    print()


def print_plan(plan: dict) -> None:
    """A reply without a plan says why."""
    print(f"[{plan['skill']}] {plan['explanation']}" if plan["planned"] else f"[no plan: {plan['reason']}]")


def main(model: str, address: str = ADDRESS) -> None:
    """Ask twice."""
    with OpenAI(base_url=address, api_key="none") as client:  # the key, if thanos serve has --api-key-file
        ask(client, model)
        ask_streaming(client, model)


if __name__ == "__main__":
    main(*sys.argv[1:])
