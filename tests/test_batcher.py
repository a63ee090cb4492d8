"""Work that arrives together is done together, and one bad item spoils nothing."""

import asyncio
import threading

import pytest

from thanos.dialogue import Dialogue, Turn
from thanos.engines.batcher import Batcher
from thanos.errors import EngineError, ThanosError
from thanos.predict import PredictionOptions
from thanos.prompts import load_prompt
from thanos.serve.metrics import Metrics
from thanos.serve.planner import Planner


class Doubler:
    """Doubles numbers; notes its batches; stumbles over 13 and gives up altogether on 99."""

    def __init__(self):
        self.batches: list[list[int]] = []
        self.may_go = threading.Event()
        self.may_go.set()

    def __call__(self, items):
        self.may_go.wait(5)
        batch = list(items)
        self.batches.append(batch)
        for place in reversed(range(len(batch))):
            if batch[place] == 13:
                raise TypeError("13")
            if batch[place] == 99:
                raise EngineError("no connection")
            yield place, 2 * batch[place]


@pytest.fixture
def doubler():
    return Doubler()


def together(doubler, *items, **options):
    async def run():
        batcher = Batcher(doubler, **options)
        try:
            return await asyncio.gather(*(batcher.submit(item) for item in items), return_exceptions=True)
        finally:
            batcher.close()

    return asyncio.run(run())


def test_items_that_arrive_together_are_one_batch_and_keep_their_results(doubler):
    rows = []
    assert together(doubler, *range(100, 150), on_batch=rows.append) == [2 * n for n in range(100, 150)]
    assert rows == [50] and len(doubler.batches) == 1


def test_items_for_a_server_elsewhere_go_one_by_one(doubler):
    assert together(doubler, 1, 2, 3, threads=3) == [2, 4, 6]
    assert sorted(map(len, doubler.batches)) == [1, 1, 1]


def test_an_item_that_the_engine_stumbles_over_fails_alone(doubler):
    results = together(doubler, 1, 13, 3)
    assert results[0] == 2 and results[2] == 6
    assert isinstance(results[1], TypeError)


def test_a_fault_of_the_engine_concerns_all_and_the_next_batch_is_tried_again(doubler):
    async def run():
        batcher = Batcher(doubler)
        first = await asyncio.gather(batcher.submit(1), batcher.submit(99), return_exceptions=True)
        second = await batcher.submit(5)
        batcher.close()
        return first, second

    first, second = asyncio.run(run())
    assert all(isinstance(error, ThanosError) for error in first) and second == 10


def test_cancelled_while_waiting_an_item_is_never_begun(doubler):
    async def run():
        doubler.may_go.clear()
        batcher = Batcher(doubler)
        running = asyncio.create_task(batcher.submit(1))
        await asyncio.sleep(0.02)
        waiting = [asyncio.create_task(batcher.submit(n)) for n in (2, 3)]
        await asyncio.sleep(0.02)
        waiting[0].cancel()
        await asyncio.sleep(0)
        doubler.may_go.set()
        results = await running, await waiting[1]
        batcher.close()
        return results

    assert asyncio.run(run()) == (2, 6)
    assert not any(2 in batch for batch in doubler.batches)


def test_a_row_that_breaks_the_engine_is_an_error_of_its_own(caplog):
    class Broken:
        model, prompt, options = "embedded", load_prompt("thanos"), PredictionOptions()

        def stream(self, dialogues):
            for dialogue in dialogues:
                raise TypeError(f"can't read {dialogue.text()}")
            yield

    async def run():
        planner = Planner(Broken(), Metrics())
        try:
            with pytest.raises(ThanosError, match="log says why"):
                await planner.predict(Dialogue(turns=[Turn(speaker="A", text="x")]))
            return await planner.plan([{"role": "user", "content": "x"}], "", 5)
        finally:
            await planner.close()

    plan = asyncio.run(run())
    assert plan.thought is None and plan.as_field()["planned"] is False
    assert "TypeError" in caplog.text


def test_an_engine_that_forgets_an_item_leaves_nobody_waiting():
    with_gap = lambda items: ((place, item) for place, item in enumerate(list(items)) if item != 2)
    results = together(with_gap, 1, 2, 3)
    assert results[0] == 1 and results[2] == 3 and isinstance(results[1], RuntimeError)
