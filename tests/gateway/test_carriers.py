"""What the gateway tells a channel that a crash made forget."""

from datetime import timedelta

import msgspec

from gateway.carriers import Recollection
from normalizer.schema import Inbound
from tests.gateway.world import LAMP, PHONE, World


def text(world: World, words: str, stem: str, **more: object) -> Inbound:
    """Return a text message; its key begins with what equal words have in common."""
    values = {"channel": "sms", "account": "main", "thread": PHONE, **more}
    values["key"] = f"{stem}:{world.clock.now().timestamp():.6f}"
    return msgspec.structs.replace(world.inbound(words), **values)


async def test_words_are_known_as_a_ticket_and_as_an_event_of_one(world: World) -> None:
    """A ticket by its words, what joined it and a rating by their key; at the moment of each."""
    memory = Recollection(world.store)
    began = world.clock.now()
    receipt = await world.intake.accept(text(world, LAMP, "a"))
    await world.clock.advance(20)
    await world.intake.accept(text(world, "就在小学门口", "b"))
    await world.happens(receipt.number, "answered", text="修好了")
    await world.clock.advance(100)
    await world.intake.accept(text(world, "1", "c"))
    await world.clock.advance(100)
    moments = [
        await memory.taken(text(world, w, s)) for w, s in ((LAMP, "a"), ("就在小学门口", "b"))
    ]
    assert moments == [[began], [began + timedelta(seconds=20)]]
    assert await memory.taken(text(world, "1", "c")) == [began + timedelta(seconds=120)]


async def test_other_words_and_other_people_are_not(world: World) -> None:
    """Neither another text, nor the same text from another telephone or by another channel."""
    memory = Recollection(world.store)
    await world.intake.accept(text(world, LAMP, "a"))
    assert await memory.taken(text(world, "没有水", "d")) == []
    assert await memory.taken(text(world, LAMP, "a", thread="+8613900139000")) == []
    assert await memory.taken(text(world, LAMP, "a", account="other")) == []


async def test_the_same_words_twice_are_two_moments(world: World) -> None:
    """Who asks decides which of them counts."""
    memory = Recollection(world.store)
    for _ in range(2):
        await world.intake.accept(text(world, LAMP, "a"))
        await world.clock.advance(3600)
    assert len(await memory.taken(text(world, LAMP, "a"))) == 2
