"""Opening, closing and sharing a store: what every store does."""

import asyncio

import pytest

from gateway.store.base import Lane
from normalizer.errors import StoreError
from normalizer.number import parse
from tests.store import make
from tests.store.conftest import Place, SqlitePlace


async def test_what_was_stored_survives_a_restart(place: Place) -> None:
    """A store opened again has the same secret and tickets and goes on counting."""
    first = place.gateway()
    await first.open()
    added = await first.add(make.acceptance(key="k"))
    secret = first.secret
    await first.close()
    second = place.gateway()
    await second.open()
    assert second.secret == secret
    assert len(secret) == 32
    assert (await second.add(make.acceptance(key="k"))).number == added.number
    assert parse((await second.add(make.acceptance())).number) == ("20261122", 2)
    await second.close()


async def test_every_store_has_its_own_secret(place: Place) -> None:
    """Two stores do not share a secret."""
    other = place.another()
    secrets = set()
    for one in (place, other):
        store = one.gateway()
        await store.open()
        secrets.add(store.secret)
        await store.close()
    assert len(secrets) == 2


async def test_closing_finishes_what_was_asked(place: Place) -> None:
    """Everything asked before closing is answered and stored; afterwards nothing is taken."""
    store = place.gateway()
    await store.open()
    asked = [asyncio.ensure_future(store.add(make.acceptance())) for _ in range(600)]
    await asyncio.sleep(0)
    await store.close()
    numbers = {added.number for added in await asyncio.gather(*asked)}
    assert len(numbers) == 600
    with pytest.raises(StoreError):
        await store.add(make.acceptance())
    with pytest.raises(StoreError):
        await store.counts()
    await store.close()
    again = place.gateway()
    await again.open()
    assert (await again.counts())["tickets"] == 600
    await again.close()


async def test_before_opening_nothing_works(place: Place) -> None:
    """A store that is not open says so."""
    store = place.gateway()
    with pytest.raises(StoreError, match="not open"):
        await store.add(make.acceptance())
    with pytest.raises(StoreError, match="not open"):
        await store.counts()
    with pytest.raises(StoreError, match="not open"):
        _ = store.secret


@pytest.mark.parametrize("place", ["thread", "process"], indirect=True)
async def test_a_second_gateway_is_refused(place: SqlitePlace) -> None:
    """A second gateway on the same store gets an error that names it; the first is unharmed."""
    first = place.gateway()
    await first.open()
    second = place.gateway()
    with pytest.raises(StoreError, match="another gateway process") as caught:
        await second.open()
    assert str(place.path) in str(caught.value)
    await first.add(make.acceptance())
    await first.close()
    await second.open()
    assert (await second.counts())["tickets"] == 1
    await second.close()


async def test_a_command_works_beside_the_gateway(place: Place) -> None:
    """A command sees what the gateway stored and the gateway what the command changed."""
    gateway = place.gateway()
    await gateway.open()
    item = make.quarantined()
    await gateway.quarantine(item)
    command = place.command()
    await command.open()
    assert command.secret == gateway.secret
    assert await command.quarantined(["held"], 10) == [item]
    assert await command.release(item.id, "replayed", None)
    assert not await gateway.release(item.id, "discarded", "late")
    both = await asyncio.gather(
        *(s.add(make.acceptance()) for _ in range(50) for s in (gateway, command))
    )
    assert len({added.number for added in both}) == 100
    await command.close()
    assert (await gateway.counts())["tickets"] == 100
    await gateway.close()


async def test_a_command_hands_out_no_emergencies(place: Place) -> None:
    """What a command stores is for the gateway to deliver: nothing of it is leased."""
    gateway = place.gateway()
    await gateway.open()
    command = place.command()
    await command.open()
    added = await command.add(make.acceptance(deliveries=(make.urgent("backoffice"),)))
    assert added.leased == ()
    await command.close()
    taken = await gateway.claim("backoffice", Lane.EMERGENCY, make.NOW, 5, make.after(30))
    assert [d.stream for d in taken] == [added.id]
    await gateway.close()


async def test_a_restart_frees_leases(place: Place) -> None:
    """What a process had claimed when it ended is due again at once for the next one."""
    first = place.gateway()
    await first.open()
    await first.add(make.acceptance())
    await first.add(make.acceptance(deliveries=(make.urgent("backoffice"),)))
    held = await first.claim("backoffice", Lane.ORDINARY, make.NOW, 5, make.after(3600))
    assert len(held) == 1
    await first.close()
    second = place.gateway()
    await second.open()
    again = await second.claim("backoffice", Lane.ORDINARY, make.NOW, 5, make.after(3600))
    assert [d.id for d in again] == [d.id for d in held]
    urgent = await second.claim("backoffice", Lane.EMERGENCY, make.NOW, 5, make.after(3600))
    assert len(urgent) == 1
    await second.close()
