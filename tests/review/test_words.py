"""Promise: whoever reads the queue reads the words that made it an emergency."""

import msgspec

from gateway.outbox.events import materialize
from normalizer.text import normalize_text
from tests.gateway.world import FIRE, World


async def test_words_added_later_come_with_the_emergencys_event(world: World) -> None:
    """An addition that raises or joins an incident is told whole, to the desk too."""
    receipt = await world.intake.accept(world.inbound())
    for words in (FIRE, f"{FIRE}！火更大了"):
        await world.citizen.add(receipt.number, receipt.query_code, "127.0.0.1", words)
        deliveries = [d for d in await world.deliveries() if d.destination == "liaison:119"]
        items = await materialize(world.store, deliveries, world.public)
        data = msgspec.json.decode(items[deliveries[-1].seq].body)["data"]
        assert data["message"]["text"] == normalize_text(words)
    assert [d.type for d in deliveries] == ["hotline.emergency.raised", "hotline.emergency.updated"]


async def test_a_tickets_own_words_are_not_told_twice(world: World) -> None:
    """An emergency from its first words on shows them in the ticket alone."""
    await world.intake.accept(world.inbound(FIRE))
    for delivery in await world.deliveries():
        assert "message" not in delivery.data
