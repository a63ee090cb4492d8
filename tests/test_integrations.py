"""The examples in examples/integrations, run with the real libraries against real servers on loopback."""

import importlib.util
from types import ModuleType

import pytest
from chat_server import chat_server, completion, failure
from conftest import ROOT

from thanos import Thanos
from thanos.respond import instruction
from thanos.skills import Skill

EMPATHY = instruction(Skill.EMPATHY)


def example(name: str) -> ModuleType:
    path = ROOT / "examples" / "integrations" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plans_and_replies(body):
    if body["model"] == "plan":
        return completion("She is upset with me. [RESULT SKILL] Empathy")
    return completion("I'm so sorry!")


def test_the_openai_client_through_the_server(capsys):
    pytest.importorskip("fastapi")
    from thanos_server import planning_settings, thanos_server
    from upstream_server import upstream_server

    with upstream_server() as seen, thanos_server(planning_settings(seen, plan_timeout=5.0)) as address:
        example("openai_proxy").main("m", f"{address}/v1")
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 4
    assert shown[0] == shown[2] and shown[0].startswith("[Empathy] ")
    assert shown[1] == shown[3] != ""
    assert len(seen.bodies) == 2
    for body in seen.bodies:
        assert "thanos" not in body and EMPATHY in body["messages"][0]["content"]


@pytest.fixture
def langchain():
    pytest.importorskip("langgraph")
    openai = pytest.importorskip("langchain_openai")
    with chat_server(plans_and_replies) as (url, seen), Thanos("openai/plan", base_url=url) as thanos:
        yield example("langchain_runnable"), thanos, openai.ChatOpenAI(model="m", base_url=url, api_key="none"), seen


def test_a_langchain_runnable(langchain):
    module, thanos, model, seen = langchain
    reply = (module.planner(thanos) | model).invoke([("system", "Be brief."), ("user", "You told everyone!")])
    assert reply.text == "I'm so sorry!"
    system, user = seen[-1]["messages"]
    assert system["content"].startswith("Be brief.\n\n") and EMPATHY in system["content"]
    assert user["content"] == "You told everyone!"


def test_a_langgraph_graph(langchain):
    module, thanos, model, seen = langchain
    state = module.graph(thanos, model).invoke({"messages": [("user", "You told everyone!")]})
    assert state["thought"].skill == Skill.EMPATHY
    assert [message.text for message in state["messages"]] == ["You told everyone!", "I'm so sorry!"]
    assert EMPATHY in seen[-1]["messages"][0]["content"]


def test_langchain_replies_without_a_plan(langchain, capsys):
    module, _, model, seen = langchain
    with chat_server(lambda body: failure(400, "down")) as (url, _), Thanos("openai/plan", base_url=url) as thanos:
        reply = (module.planner(thanos) | model).invoke([("user", "You told everyone!")])
    assert reply.text == "I'm so sorry!" and "no plan: HTTP 400: down" in capsys.readouterr().err
    assert [m["role"] for m in seen[-1]["messages"]] == ["user"]


@pytest.mark.parametrize(("arm", "told"), [("both", True), ("plain", False)])
def test_an_inspect_solver(tmp_path, arm, told):
    inspect_ai = pytest.importorskip("inspect_ai")
    from inspect_ai.model import get_model

    module = example("inspect_solver")
    with chat_server(plans_and_replies) as (url, seen):
        task = module.apologies(arm, "openai/plan", base_url=url)
        # Without memoize=False the library would go on asking the last test's server.
        model = get_model("openai-api/local/m", base_url=url, api_key="none", memoize=False)
        (log,) = inspect_ai.eval(task, model=model, display="none", log_dir=str(tmp_path), max_retries=0, time_limit=30)
    assert log.status == "success" and log.results.scores[0].metrics["accuracy"].value == 1
    assert log.samples[0].metadata["skill_of_mind"]["skill"] == "Empathy"
    assert (EMPATHY in str(seen[-1]["messages"])) == told
