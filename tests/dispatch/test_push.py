"""The outbox worker and the back-office adapter against a real HTTP server."""

import asyncio
import base64
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import standardwebhooks

from adapters.backoffice.adapter import BackOffice, BackOfficeSettings
from adapters.base import Item
from gateway.outbox.destination import Options
from gateway.store.base import Lane
from tests.dispatch.scene import Faulty, PatientClock, Scene
from tests.peers.backoffice import Answer, BackOfficePeer, Push, SilentPeer

EMERGENCY, ORDINARY = Lane.EMERGENCY, Lane.ORDINARY
SECRET = "whsec_" + base64.b64encode(b"the key that is in force now....").decode()


class Watched(BackOffice):
    """The adapter, with a count of its pushes under way."""

    busy = 0

    async def deliver(self, item: Item) -> None:
        """Deliver, counted."""
        self.busy += 1
        try:
            await super().deliver(item)
        finally:
            self.busy -= 1


def adapter_to(url: str, timeout_s: float = 10) -> Watched:
    section = {
        "name": "backoffice",
        "url": url,
        "secret": SECRET,
        "timeout": timedelta(seconds=timeout_s),
    }
    return Watched(BackOfficeSettings.model_validate(section))


@pytest.fixture
async def peer() -> AsyncIterator[BackOfficePeer]:
    peer = await BackOfficePeer().start()
    yield peer
    await peer.stop()


@pytest.fixture
async def adapter(peer: BackOfficePeer) -> AsyncIterator[Watched]:
    adapter = adapter_to(peer.url)
    await adapter.open()
    yield adapter
    await adapter.close()


@pytest.fixture
async def scene(tmp_path: Path, adapter: Watched) -> AsyncIterator[Scene]:
    store = Faulty(tmp_path / "gateway.db")
    await store.open()
    scene = Scene(PatientClock(lambda: store.busy + adapter.busy > 0), store)
    yield scene
    for dispatcher in scene.dispatchers:
        await dispatcher.stop(0)
    await store.close()


def firsts(pushes: list[Push]) -> list[Push]:
    """Return the first arrival of each event."""
    seen: dict[str, Push] = {}
    for push in pushes:
        seen.setdefault(push.id, push)
    return list(seen.values())


def is_urgent(push: Push) -> bool:
    """Return whether the event is of a ticket that is an emergency."""
    return bool(push.event["data"]["ticket"]["urgency"] == "emergency")


def check_order(pushes: list[Push]) -> None:
    """Assert that each ticket's events arrived in the order in which they happened."""
    lengths: dict[str, int] = {}
    for push in firsts(pushes):
        if push.type.startswith("hotline.ticket."):
            length = len(push.event["data"]["ticket"]["history"])
            assert length == lengths.get(push.subject, 0) + 1, push.subject
            lengths[push.subject] = length


def check_octets(pushes: list[Push]) -> None:
    """Assert that every try of an event sent the same octets, with a genuine signature."""
    bodies: dict[str, bytes] = {}
    for push in pushes:
        assert bodies.setdefault(push.id, push.body) == push.body
        standardwebhooks.Webhook(SECRET).verify(push.body, dict(push.headers))


async def test_the_back_office_is_down_for_an_hour(
    scene: Scene, peer: BackOfficePeer, adapter: Watched
) -> None:
    """Nothing is lost, order is kept, and emergencies arrive first when it is back."""
    dispatcher = scene.dispatcher(backoffice=adapter)
    dispatcher.start()
    await scene.accept()
    dispatcher.wake("backoffice", ORDINARY)
    await scene.until_all("done", 1)
    await peer.stop()
    tickets = []
    for minute in range(60):
        tickets.append(await scene.accept())
        await scene.change(tickets[minute // 2].id, "added", message={"text": "x"})
        dispatcher.wake("backoffice", ORDINARY)
        if minute in (49, 57):
            emergency = await scene.accept(EMERGENCY, reports=(scene.report(),))
            dispatcher.hand_over(emergency.leased)
        await scene.clock.advance(60)
    assert (await scene.states())["done"] == 1
    assert scene.tally.of("dead") == 0
    await peer.start()
    await scene.pass_time(20, lambda: sum(map(is_urgent, peer.taken)) == 4, step=1)
    await scene.pass_time(300, lambda: len(firsts(peer.taken)) == 125, step=5)
    await scene.until_all("done", 125)
    check_order(peer.taken)
    check_octets(peer.pushes)
    assert dispatcher.health()["backoffice"].state == "ok"


async def test_order_is_kept_under_random_failures(
    scene: Scene, peer: BackOfficePeer, adapter: Watched
) -> None:
    """With every third push failing in one way or another, each ticket's events arrive in order."""
    rng = random.Random(11)  # noqa: S311 - the same failures in every run
    ways = [
        Answer(500),
        Answer(429, {"Retry-After": "2"}),
        Answer(404),
        Answer(written=b"HTTP/1.1 202 Acc"),
        Answer(302, {"Location": "/elsewhere"}),
    ]
    together: list[str] = []

    def answer(push: Push) -> Answer:
        if sum(other.subject == push.subject for other in peer.under_way) > 1:
            together.append(push.subject)
        if rng.random() < 1 / 3:
            return rng.choice(ways)
        return Answer(after_s=rng.random() * 0.003)

    peer.answer = answer
    dispatcher = scene.dispatcher(backoffice=adapter)
    added = [await scene.accept() for _ in range(20)]
    dispatcher.start()
    for _ in range(5):
        for ticket in rng.sample(added, 20):
            lane = EMERGENCY if rng.random() < 0.2 else ORDINARY
            dispatcher.hand_over(await scene.change(ticket.id, "added", lane))
        dispatcher.wake("backoffice", ORDINARY)
        await scene.clock.advance(1)
    # A push that was taken and whose answer was cut short is made once more.
    await scene.pass_time(4000, lambda: scene.tally.of("delivered") == 120, step=5)
    await scene.until_all("done", 120)
    check_order(peer.taken)
    check_octets(peer.pushes)
    assert together == []
    assert len(peer.pushes) > 140


async def test_410_disables_and_enabling_goes_on(
    scene: Scene, peer: BackOfficePeer, adapter: Watched
) -> None:
    """After one 410 no push is made, not for hours; once enabled everything arrives in order."""
    peer.answer = lambda _push: Answer(410)
    dispatcher = scene.dispatcher(backoffice=adapter)
    dispatcher.start()
    first = await scene.accept()
    dispatcher.wake("backoffice", ORDINARY)
    await scene.until(lambda: scene.tally.of("gone"))
    for _ in range(5):
        await scene.change(first.id, "added")
        dispatcher.hand_over((await scene.accept(EMERGENCY)).leased)
        dispatcher.wake("backoffice", ORDINARY)
        await scene.clock.advance(3600)
    assert len(peer.pushes) == 1
    peer.answer = lambda _push: Answer()
    dispatcher.enable("backoffice")
    await scene.until_all("done", 11)
    check_order(peer.taken)


@pytest.mark.parametrize("as_date", [False, True])
async def test_429_with_retry_after_is_obeyed(
    scene: Scene, peer: BackOfficePeer, adapter: Watched, *, as_date: bool
) -> None:
    """The back office is left alone for as long as it asks, in seconds or by a date."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=300), usegmt=True)
    peer.answer = lambda _push: Answer(429, {"Retry-After": date if as_date else "300"})
    dispatcher = scene.dispatcher(backoffice=adapter)
    dispatcher.start()
    for _ in range(3):
        await scene.accept()
        dispatcher.wake("backoffice", ORDINARY)
        await scene.until(lambda: peer.pushes)
        await scene.clock.settle()
    assert len(peer.pushes) == 1
    peer.answer = lambda _push: Answer()
    await scene.clock.advance(290)
    assert len(peer.pushes) == 1
    await scene.clock.advance(12)
    await scene.until_all("done", 3)


async def test_a_slow_back_office_delays_no_emergency(
    scene: Scene, peer: BackOfficePeer, adapter: Watched
) -> None:
    """A backlog that is answered slowly is carried many at a time, an emergency passes it."""
    peer.answer = lambda push: Answer(after_s=0.0 if is_urgent(push) else 0.1)
    dispatcher = scene.dispatcher(backoffice=adapter)
    for _ in range(120):
        await scene.accept()
    dispatcher.start()
    await scene.until(lambda: len(peer.under_way) == 32)
    emergency = await scene.accept(EMERGENCY)
    dispatcher.hand_over(emergency.leased)
    await scene.until(lambda: any(p.subject == emergency.number for p in peer.taken))
    assert len(peer.taken) < 100
    await scene.until_all("done", 121)
    assert peer.most_under_way <= 33


async def test_a_back_office_that_never_answers_delays_no_emergency(
    scene: Scene, peer: BackOfficePeer
) -> None:
    """Ordinary pushes hang to their time-outs; the emergency is there meanwhile."""
    adapter = adapter_to(peer.url, 0.5)
    await adapter.open()
    peer.answer = lambda push: Answer(hangs=not is_urgent(push))
    dispatcher = scene.dispatcher(backoffice=adapter)
    for _ in range(100):
        await scene.accept()
    dispatcher.start()
    await scene.until(lambda: len(peer.under_way) == 32)
    emergency = await scene.accept(EMERGENCY)
    dispatcher.hand_over(emergency.leased)
    await scene.until(lambda: peer.taken)
    assert peer.taken[0].subject == emergency.number
    peer.answer = lambda _push: Answer()
    await scene.until(lambda: scene.tally.of("retried") >= 32)
    await scene.pass_time(200, lambda: len(firsts(peer.taken)) == 101, step=2)
    check_octets(peer.pushes)
    await dispatcher.stop(0)
    await adapter.close()


async def test_a_half_open_connection_is_tried_again(scene: Scene) -> None:
    """Where connections are made and never served the delivery waits, with the reason."""
    silent = SilentPeer()
    adapter = adapter_to(silent.url, 0.1)
    await adapter.open()
    dispatcher = scene.dispatcher(backoffice=adapter)
    dispatcher.start()
    await scene.accept()
    dispatcher.wake("backoffice", ORDINARY)
    await scene.until(lambda: scene.tally.of("retried") == 1)
    await scene.clock.advance(3)
    await scene.until(lambda: scene.tally.of("retried") == 2)
    await dispatcher.stop(0)
    (due,) = await scene.store.deliveries(("due",), 1)
    assert (due.attempts, due.last_error) == (2, "no answer in time")
    await adapter.close()
    silent.close()


async def test_an_answer_that_breaks_off_is_asked_for_again(
    scene: Scene, peer: BackOfficePeer, adapter: Watched
) -> None:
    """A reset in the middle of the status line: tried again, under the same id."""
    peer.answer = lambda _push: Answer(written=b"HTTP/1.1 20")
    dispatcher = scene.dispatcher(backoffice=adapter)
    dispatcher.start()
    await scene.accept()
    dispatcher.wake("backoffice", ORDINARY)
    await scene.until(lambda: scene.tally.of("retried") == 1)
    peer.answer = lambda _push: Answer()
    await scene.clock.advance(3)
    await scene.until_all("done", 1)
    assert len({(push.id, push.body) for push in peer.pushes}) == 1
    assert len(peer.pushes) >= 2


async def test_a_flood_over_http(scene: Scene, peer: BackOfficePeer, adapter: Watched) -> None:
    """A thousand events arrive once each, 32 at a time at most, on as many connections."""
    await asyncio.gather(*(scene.accept() for _ in range(1000)))
    dispatcher = scene.dispatcher(backoffice=adapter, options=Options())
    dispatcher.start()
    await scene.until_all("done", 1000, real_s=20)
    assert len(peer.taken) == 1000
    assert len({push.id for push in peer.taken}) == 1000
    assert peer.most_under_way <= 32
