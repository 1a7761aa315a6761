"""The line in front of an engine, with one that answers when the test says so."""

import asyncio
from typing import Any

import pytest

from gateway import line as line_module
from gateway.line import ANSWERED_AT_ONCE, MOST_IN_BATCH, MOST_WAITING, PATIENCE_S, Line
from normalizer.errors import StoreError


class Held:
    """An engine that keeps batches until it is told to answer."""

    depth = 1
    express = False

    def __init__(self, line: Line) -> None:
        self.line = line
        self.batches: list[list[Any]] = []
        self.under_way: list[list[Any]] = []
        self.refuses = False
        self.stopped = False

    def send(self, items: list[Any]) -> bool:
        """Keep the batch."""
        if self.refuses:
            return False
        self.batches.append(items)
        self.under_way.append(items)
        return True

    def answer(self, errors: dict[int, str] | None = None) -> None:
        """Answer the oldest batch under way: each question with itself."""
        self.line.answered((self.under_way.pop(0), errors or {}))

    def lose(self) -> None:
        """Lose what is under way."""
        self.under_way.clear()
        self.line.failed("the writer died")

    async def stop(self) -> None:
        """Note that it was stopped."""
        self.stopped = True


@pytest.fixture
async def engine() -> Held:
    """Return an engine with its line."""
    line = Line()
    held = Held(line)
    line.start(held)
    return held


async def turn() -> None:
    """Let the loop run what is ready."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_one_batch_is_under_way(engine: Held) -> None:
    """What is asked in one turn is one batch; what is asked meanwhile is the next one."""
    first = [engine.line.ask(n) for n in range(3)]
    await turn()
    later = [engine.line.ask(n) for n in range(3, 5)]
    await turn()
    assert engine.batches == [[0, 1, 2]]
    engine.answer()
    assert engine.batches == [[0, 1, 2], [3, 4]]
    assert [f.result() for f in first] == [0, 1, 2]
    assert not any(f.done() for f in later)
    engine.answer()
    assert await asyncio.gather(*later) == [3, 4]


async def test_emergencies_go_first(engine: Held) -> None:
    """Urgent questions overtake all that wait, and keep their own order."""
    engine.line.ask("under way")
    await turn()
    for n in range(MOST_IN_BATCH):
        engine.line.ask(n)
    engine.line.ask("fire", urgent=True)
    engine.line.ask("flood", urgent=True)
    engine.answer()
    assert engine.batches[1] == ["fire", "flood", *range(MOST_IN_BATCH - 2)]
    engine.answer()
    assert engine.batches[2] == [MOST_IN_BATCH - 2, MOST_IN_BATCH - 1]


async def test_an_emergency_does_not_wait_for_the_loop(engine: Held) -> None:
    """An engine that takes another batch gets what is urgent behind the one under way, at once."""
    engine.express = True
    ordinary = [engine.line.ask("under way")]
    await turn()
    ordinary.append(engine.line.ask("ordinary"))
    urgent = [engine.line.ask("fire", urgent=True)]
    assert engine.batches == [["under way"], ["fire"]]
    urgent += [engine.line.ask("gas", urgent=True), engine.line.ask("flood", urgent=True)]
    assert len(engine.batches) == 2  # two at a time are enough
    engine.answer()
    # Nothing ordinary is under way any more: what waited goes with what is urgent.
    assert engine.batches[2:] == [["gas", "flood", "ordinary"]]
    engine.answer()
    engine.answer()
    assert [future.result() for future in urgent] == ["fire", "gas", "flood"]
    assert await asyncio.gather(*ordinary) == ["under way", "ordinary"]


async def test_an_emergency_alone_is_sent_before_the_loop_turns(engine: Held) -> None:
    """What is urgent waits for no callbacks when nothing is under way."""
    ordinary = engine.line.ask("ordinary")
    urgent = engine.line.ask("fire", urgent=True)
    assert engine.batches == [["fire", "ordinary"]]
    await turn()
    assert len(engine.batches) == 1
    engine.answer()
    assert await asyncio.gather(ordinary, urgent) == ["ordinary", "fire"]


async def test_a_batch_is_answered_in_parts(engine: Held) -> None:
    """The loop turns between the answers of a large batch; every asker has its own in the end."""
    futures = [engine.line.ask(n) for n in range(MOST_IN_BATCH)]
    await turn()
    engine.answer()
    assert [future.done() for future in futures].count(True) == ANSWERED_AT_ONCE
    assert await asyncio.gather(*futures) == list(range(MOST_IN_BATCH))


async def test_answers_come_in_order_and_urgent_ones_at_once(engine: Held) -> None:
    """Askers go on in the order of their changes; what is urgent waits for no ordinary answer."""
    engine.express = True
    order: list[Any] = []
    asked = [engine.line.ask(n) for n in range(20)]
    await turn()
    asked.append(engine.line.ask("fire", urgent=True))
    for future in asked:
        future.add_done_callback(lambda done: order.append(done.result()))
    engine.answer()
    asked += [engine.line.ask("gas", urgent=True), engine.line.ask("flood", urgent=True)]
    for future in asked[-2:]:
        future.add_done_callback(lambda done: order.append(done.result()))
    while engine.under_way:
        engine.answer()
    await asyncio.gather(*asked)
    await turn()
    first = ANSWERED_AT_ONCE
    assert order == [*range(first), "fire", "gas", "flood", *range(first, 20)]


async def test_a_stream_of_emergencies_holds_up_nothing_ordinary(engine: Held) -> None:
    """Though there is always an urgent batch under way, an ordinary one goes with the next."""
    engine.express = True
    engine.line.ask("fire 0", urgent=True)
    engine.line.ask("fire 1", urgent=True)
    ordinary = engine.line.ask("lamp")
    for n in range(2, 6):
        engine.line.ask(f"fire {n}", urgent=True)
        engine.answer()
        await turn()
    assert ordinary.done()
    assert [batch for batch in engine.batches if "lamp" in batch] == [["fire 2", "lamp"]]


async def test_a_refused_batch_fails_alone(engine: Held) -> None:
    """An engine that cannot take a batch now fails its askers at once, and nobody else."""
    kept = engine.line.ask("kept")
    await turn()
    engine.refuses, engine.depth = True, 2
    refused = engine.line.ask("refused")
    await turn()
    with pytest.raises(StoreError, match="nobody to ask"):
        refused.result()
    engine.refuses = False
    engine.answer()
    assert await kept == "kept"
    later = engine.line.ask("later")
    await turn()
    engine.answer()
    assert await later == "later"


async def test_errors_reach_their_askers(engine: Held) -> None:
    """An error is the answer of its own question only."""
    futures = [engine.line.ask(n) for n in range(3)]
    await turn()
    engine.answer({1: "no room"})
    assert (futures[0].result(), futures[2].result()) == (0, 2)
    with pytest.raises(StoreError, match="no room"):
        futures[1].result()


async def test_an_overload_is_turned_away(engine: Held) -> None:
    """When too much waits a question fails at once; when there is room again it is taken."""
    waiting = [engine.line.ask(0)]
    await turn()
    waiting += [engine.line.ask(n) for n in range(MOST_WAITING)]
    with pytest.raises(StoreError, match="wait for the disk"):
        engine.line.ask("one too many")
    engine.answer()
    waiting.append(engine.line.ask("now"))
    while engine.under_way:
        engine.answer()
    assert await waiting[-1] == "now"


async def test_an_engine_that_does_not_answer_keeps_nobody_waiting(
    engine: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits behind a batch that does not end is turned away, who asks later at once."""
    monkeypatch.setattr(line_module, "STALLED_S", 0.05)
    begun = engine.line.ask("begun")
    await turn()
    behind = [
        engine.line.ask("emergency", urgent=True),
        engine.line.ask("ordinary"),
        engine.line.ask("outcome", patient=True),
    ]
    for future in behind:
        with pytest.raises(StoreError, match="has not answered"):
            await asyncio.wait_for(future, 1.0)
    with pytest.raises(StoreError, match="nothing was written"):
        engine.line.ask("later", urgent=True)
    assert not begun.done()  # its fate is the engine's to tell
    engine.answer()
    assert await begun == "begun"
    again = engine.line.ask("again")
    await turn()
    assert engine.batches == [["begun"], ["again"]]
    engine.answer()
    assert await again == "again"
    await engine.line.close()


async def test_a_lost_batch_fails_and_the_next_one_goes(engine: Held) -> None:
    """When the engine loses a batch its askers are told, and those who wait are not."""
    lost = engine.line.ask("lost")
    await turn()
    waiting = engine.line.ask("waiting")
    engine.lose()
    with pytest.raises(StoreError, match="died"):
        await lost
    await turn()
    assert engine.batches == [["lost"], ["waiting"]]
    engine.answer()
    assert await waiting == "waiting"


async def test_a_loss_between_batches_does_no_harm(engine: Held) -> None:
    """An engine that dies with nothing in hand fails nobody, and sends nothing twice."""
    asked = engine.line.ask("asked")
    engine.lose()
    await turn()
    assert engine.batches == [["asked"]]
    engine.answer()
    assert await asked == "asked"


async def test_whoever_left_is_told_of(engine: Held) -> None:
    """What was done for a cancelled asker is reported; an error of it is not."""
    seen: list[Any] = []
    line = Line(lambda question, answer: seen.append((question, answer)))
    held = Held(line)
    line.start(held)
    futures = [line.ask(n) for n in range(4)]
    await turn()
    for future in futures[:3]:
        future.cancel()
    held.answer({1: "no room"})
    assert seen == [(0, 0), (2, 2)]
    assert await futures[3] == 3


async def test_closing_waits_for_what_was_asked(engine: Held) -> None:
    """A line closes when everything was answered, and takes nothing meanwhile or after."""
    futures = [engine.line.ask(0)]
    await turn()
    futures.append(engine.line.ask(1))
    closing = asyncio.ensure_future(engine.line.close())
    await turn()
    with pytest.raises(StoreError, match="closed"):
        engine.line.ask(2)
    engine.answer()
    await turn()
    assert not closing.done()
    engine.answer()
    await closing
    assert engine.stopped
    assert await asyncio.gather(*futures) == [0, 1]
    with pytest.raises(StoreError, match="closed"):
        engine.line.ask(3)


async def test_patient_goes_with_the_next_batch(engine: Held) -> None:
    """What is patient makes no batch, and stands in front of the next one that goes."""
    patient = engine.line.ask("outcome", patient=True)
    await turn()
    assert engine.batches == []
    engine.line.ask("ticket")
    await turn()
    assert engine.batches == [["outcome", "ticket"]]
    engine.answer()
    assert await patient == "outcome"


async def test_patience_has_an_end(engine: Held) -> None:
    """What is patient goes alone once it has waited for long enough."""
    engine.line.ask("outcome", patient=True)
    await asyncio.sleep(2 * PATIENCE_S)
    assert engine.batches == [["outcome"]]


async def test_patient_waits_for_the_batch_under_way(engine: Held) -> None:
    """What has lost its patience goes behind the batch under way, not beside it."""
    engine.line.ask("first")
    await turn()
    engine.line.ask("outcome", patient=True)
    await asyncio.sleep(2 * PATIENCE_S)
    assert engine.batches == [["first"]]
    engine.answer()
    assert engine.batches == [["first"], ["outcome"]]


async def test_ordinary_patience_holds_up_nothing_urgent(engine: Held) -> None:
    """On top of the batch under way goes what is patient and urgent, and nothing ordinary."""
    engine.express = True
    engine.line.ask("first")
    await turn()
    engine.line.ask("ordinary", patient=True)
    engine.line.ask("urgent", urgent=True, patient=True)
    engine.line.ask("emergency", urgent=True)
    assert engine.batches == [["first"], ["urgent", "emergency"]]


async def test_closing_ends_patience(engine: Held) -> None:
    """What is patient is carried out before the line is closed."""
    patient = engine.line.ask("outcome", patient=True)
    closing = asyncio.create_task(engine.line.close())
    await turn()
    assert engine.batches == [["outcome"]]
    engine.answer()
    await closing
    assert await patient == "outcome"
    assert engine.stopped
