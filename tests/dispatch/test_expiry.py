"""What is of no use any more: alarms that pile up for a dead channel are not sent hours later."""

from datetime import timedelta

from adapters.base import Item
from gateway.health import State
from gateway.outbox.destination import Options
from gateway.store.base import Change, Lane, NewEvent
from normalizer.errors import TryLater
from tests.dispatch.scene import Scene, Script, answering

WAY = "notify:sms"


async def alarm(scene: Scene, ticket_id: str, lasts_s: float = 300) -> str:
    """Store an alarm that may be sent for so long; return its id."""
    until = scene.clock.now() + timedelta(seconds=lasts_s)
    delivery = scene.delivery(
        "hotline.ticket.added", Lane.EMERGENCY, WAY, expires_at=until.isoformat()
    )
    await scene.store.change(
        Change(
            ticket_id=ticket_id,
            events=(NewEvent(at=scene.clock.now(), event="escalated", by="gateway"),),
            deliveries=(delivery,),
        )
    )
    return delivery.id


async def pile(scene: Scene) -> str:
    """Store six alarms of one ticket, a minute apart; return the ticket's id."""
    ticket_id = (await scene.accept(to="elsewhere")).id
    for _ in range(6):
        await alarm(scene, ticket_id)
        await scene.clock.advance(60)
    return ticket_id


async def test_alarms_of_a_dead_channel_are_given_up_not_saved(scene: Scene) -> None:
    """When the channel comes back, what is older than its limit is dead and the rest is sent."""
    script = Script(scene.clock)
    scene.dispatcher({}, Options(poll_s=0.5), notify=script, elsewhere=Script(scene.clock)).start()
    with answering(script, lambda _item: TryLater("no carrier")):
        await pile(scene)
    await scene.clock.advance(30)
    await scene.until(lambda: scene.tally.of("delivered") >= 5)
    expired = scene.tally.counts["expired", f"{WAY}/emergency"]
    assert expired >= 1
    assert scene.tally.counts["dead", f"{WAY}/emergency"] == expired
    dead = await scene.store.deliveries(("dead",), 10)
    assert {d.last_error for d in dead} == {"too late to be sent: no carrier"}
    assert len(script.taken) == 6 - expired
    assert not {item.id for item in script.taken} & {d.id for d in dead}


async def test_what_nobody_could_try_in_time_is_not_tried(scene: Scene) -> None:
    """Alarms from before a stop of hours are dead letters, and the destination says so."""
    await pile(scene)
    await scene.clock.advance(3600)
    script = Script(scene.clock)
    dispatcher = scene.dispatcher(
        {}, Options(poll_s=0.5), notify=script, elsewhere=Script(scene.clock)
    )
    dispatcher.start()
    await scene.until_all("dead", 6)
    assert script.tried == []
    part = dispatcher.health()[WAY]
    assert part.state is not State.OK
    assert part.why == "too late to be sent: nothing was tried in time"
    late = (await scene.accept(to="elsewhere")).id
    await alarm(scene, late)
    await scene.clock.advance(31)  # it was leased to whoever stored it
    await scene.until(lambda: script.taken)
    assert dispatcher.health()[WAY].state is State.OK


async def test_operator_may_have_an_expired_one_sent_all_the_same(scene: Scene) -> None:
    """A dead letter that somebody replays is tried, however old it is."""
    ticket_id = (await scene.accept(to="elsewhere")).id
    one = await alarm(scene, ticket_id)
    await scene.clock.advance(3600)
    script = Script(scene.clock)
    dispatcher = scene.dispatcher(
        {}, Options(poll_s=0.5), notify=script, elsewhere=Script(scene.clock)
    )
    dispatcher.start()
    await scene.until_all("dead", 1)
    assert await scene.store.redo(one, "due", scene.clock.now(), "call them all the same")
    await scene.clock.advance(1)
    await scene.until(lambda: script.taken)
    assert [item.id for item in script.taken] == [one]


async def test_what_names_no_end_never_expires(scene: Scene) -> None:
    """An ordinary delivery has its days."""
    script = Script(scene.clock)
    seen: list[Item] = script.taken
    await scene.accept()
    await scene.clock.advance(86_400)
    scene.dispatcher({}, Options(poll_s=0.5), backoffice=script).start()
    await scene.until(lambda: seen)
    assert scene.tally.of("expired") == 0
