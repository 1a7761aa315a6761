"""Cards by the whole gateway: over HTTP to a back office, across restarts."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import msgspec
from standardwebhooks import Webhook

from channels.webhook.codec import key_of, signed_headers
from config.load import load
from gateway import plugins
from gateway.app import App, build
from gateway.cards.watch import PAUSE_S
from gateway.demo.peers import new_secret
from gateway.jsonschema import schema
from tests.clock import FakeClock
from tests.gateway.world import LAMP, ZONE
from tests.peers.backoffice import Answer, BackOfficePeer, Push

#: The lamp is a help request of Suzhou: signed by the end of Tuesday, finished by next Monday's.
SIGN_BY = datetime(2026, 11, 24, 23, 59, 59, tzinfo=ZONE)
FINISH_BY = datetime(2026, 11, 30, 23, 59, 59, tzinfo=ZONE)
SECRET = new_secret()
LIMIT = "hotline.ticket.limit"


class Leaping(FakeClock):
    """A clock that goes on by days in one leap: nobody who waits is woken at every half second."""

    async def leap(self, to: datetime) -> None:
        """Set the clock forward and wake whoever's time has come."""
        self._now = to
        for at, woken in list(self._waiting):
            if at <= to and not woken.done():
                woken.set_result(False)
        await self.settle()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let time pass, a second at a time, until something holds.

        Raises:
            AssertionError: It did not within two minutes of its time.
        """
        for _ in range(120):
            if holds():
                return
            await self.advance(1, step=1)
        raise AssertionError("not within two minutes of the clock")


@asynccontextmanager
async def serving(folder: Path, office: BackOfficePeer, clock: FakeClock) -> AsyncIterator[App]:
    """Yield a gateway on the store of a folder, stopped at the end."""
    path = folder / "gateway.yaml"
    path.write_text(
        f"""\
instance: {{name: 宿州12345, region: suzhou}}
http: {{host: 127.0.0.1, port: 0, public_url: "http://127.0.0.1:8345"}}
store: {{url: "sqlite:///gateway.db"}}
channels: [{{kind: web, name: portal}}]
adapters: [{{kind: backoffice, name: office, url: "{office.url}", secret: {SECRET}}}]
cards: {{near: 0.25}}
routes: [{{name: rest, send: {{to: office}}}}]
""",
        encoding="utf-8",
    )
    kinds = plugins.load("gateway.channels"), plugins.load("gateway.adapters")
    app = await build(load(path), *kinds, clock=clock)
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


async def accepted(app: App) -> str:
    """Return the number of a new ticket."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{app.url}/api/v1/requests", json={"text": LAMP}) as answer,
    ):
        assert answer.status == 201
        return str((await answer.json())["number"])


async def step(app: App, clock: FakeClock, kind: str, key: str, **data: Any) -> None:
    """Let the back office report a step, signed by its time."""
    body = msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": key,
            "type": f"hotline.work.{kind}",
            "source": "/",
            "data": data,
        }
    )
    headers = signed_headers((key_of(SECRET),), key, clock.now(), body)
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{app.url}/api/v1/backoffice/office/events", data=body, headers=headers
        ) as done,
    ):
        assert done.status == 202, await done.text()


def cards(office: BackOfficePeer) -> list[tuple[str, str, str]]:
    """Return the cards that a back office took, in order."""
    data = [(push.subject, push.event["data"]) for push in office.taken if push.type == LIMIT]
    return [(number, d["limit"], d["card"]) for number, d in data]


def _signatures(push: Push) -> str:
    """Return how the reference library signs what was pushed."""
    at = datetime.fromtimestamp(int(push.headers["webhook-timestamp"]), UTC)
    return Webhook(SECRET).sign(push.id, at, push.body.decode())


async def test_cards_reach_the_back_office_as_events(tmp_path: Path) -> None:
    """Over HTTP, signed, valid, in the order of the ticket's other events, and each once."""
    clock, office = Leaping(), await BackOfficePeer().start()
    async with serving(tmp_path, office, clock) as app:
        number = await accepted(app)
        await clock.until(lambda: bool(office.taken))
        await clock.advance(60 + 2 * PAUSE_S)
        await clock.leap(SIGN_BY - (SIGN_BY - clock.now()) / 8)
        await clock.until(lambda: len(cards(office)) == 1)
        await clock.leap(SIGN_BY + timedelta(seconds=1))
        await clock.until(lambda: len(cards(office)) == 2)
        assert cards(office) == [(number, "sign_by", "yellow"), (number, "sign_by", "red")]
        await step(app, clock, "signed", "w-1", number=number, unit="市城管局")
        await step(app, clock, "contacted", "w-2", number=number, unit="市城管局")
        await step(app, clock, "answered", "w-3", number=number, unit="市城管局", text="修好了")
        await clock.leap(FINISH_BY + timedelta(days=3))
        await clock.advance(4 * PAUSE_S, step=1)
    await office.stop()
    assert [p.type for p in office.taken] == ["hotline.ticket.accepted", LIMIT, LIMIT]
    for push in office.taken:
        jsonschema.validate(push.event, msgspec.to_builtins(schema()))
        assert push.headers["webhook-signature"] in _signatures(push)
    red = office.taken[-1].event
    assert (red["subject"], red["data"]["ticket"]["status"]) == (number, "accepted")
    assert [h["event"] for h in red["data"]["ticket"]["history"]] == ["accepted", "limit", "limit"]
    assert red["data"]["card_label"] == "红牌"


async def test_a_gateway_that_was_down_for_days_catches_up(tmp_path: Path) -> None:
    """What ended meanwhile is shown red, once, whatever else is started again."""
    clock, office = Leaping(), await BackOfficePeer().start()
    async with serving(tmp_path, office, clock) as app:
        number = await accepted(app)
        await clock.until(lambda: bool(office.taken))
    await clock.leap(FINISH_BY + timedelta(days=2))
    for _ in range(2):
        async with serving(tmp_path, office, clock):
            await clock.until(lambda: len(cards(office)) >= 2)
            await clock.advance(2 * PAUSE_S, step=1)
    await office.stop()
    assert cards(office) == [(number, "sign_by", "red"), (number, "finish_by", "red")]


async def test_a_card_that_is_refused_comes_again_with_its_id(tmp_path: Path) -> None:
    """It is an event like the others: tried until it is taken, the same octets each time."""
    clock, office = Leaping(), await BackOfficePeer().start()
    refused: list[Push] = []

    def answer(push: Push) -> Answer:
        if push.type != LIMIT or len(refused) >= 2:
            return Answer()
        refused.append(push)
        return Answer(status=500)

    office.answer = answer
    async with serving(tmp_path, office, clock) as app:
        number = await accepted(app)
        await clock.until(lambda: bool(office.taken))
        await clock.advance(60 + 2 * PAUSE_S)
        await clock.leap(SIGN_BY + timedelta(seconds=1))
        await clock.until(lambda: bool(cards(office)))
    await office.stop()
    assert cards(office) == [(number, "sign_by", "red")]
    tries = [push for push in office.pushes if push.type == LIMIT]
    assert len({push.id for push in tries}) == 1
    assert len({json.dumps(push.event) for push in tries}) == 1
    assert len(tries) == 3
