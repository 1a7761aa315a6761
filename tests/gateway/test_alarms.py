"""Operators are told what is down, once an outage, and that it is well again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiohttp import web

from channels.base import Message
from config.settings import Alarms
from gateway.alarms.ledger import Ledger
from gateway.alarms.notice import Words, label, lasted
from gateway.alarms.watch import Watch
from gateway.alarms.ways import Ways
from gateway.health import Part, State
from gateway.jsonschema import schema
from gateway.metrics import Metrics
from gateway.shared import FileShared
from gateway.view import Public
from normalizer.errors import TryLater, Unreachable
from tests.acceptance.office import BackOffice
from tests.acceptance.signing import OFFICE_SECRET
from tests.clock import FakeClock
from tests.gateway.test_metrics import value

PHONE = "channels/phone:trunk"
SMS, OTHER_SMS = "channels/sms:mobile", "channels/sms:spare"
NUMBER, ADDRESS = "+8613800138000", "duty@city.example"
BY_SMS = {"to": "sms", "number": NUMBER}
BY_EMAIL = {"to": "email", "address": ADDRESS}


@dataclass
class Carrier:
    """A messenger that remembers what it sent, or refuses."""

    sent: list[tuple[str, Message]] = field(default_factory=list)
    fails: Exception | None = None
    tries: int = 0

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def send(self, to: str, message: Message) -> str:
        """Remember."""
        self.tries += 1
        if self.fails is not None:
            raise self.fails
        self.sent.append((to, message))
        return message.key

    @property
    def kinds(self) -> list[str]:
        """What was sent, in a word each."""
        return [message.kind.rpartition(".")[2] for _, message in self.sent]


@dataclass
class Scene:
    """Alarms whose parts, time and carriers a test controls."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    parts: dict[str, Part] = field(default_factory=dict)
    sms: Carrier = field(default_factory=Carrier)
    spare: Carrier = field(default_factory=Carrier)
    email: Carrier = field(default_factory=Carrier)
    metrics: Metrics = field(default_factory=Metrics)
    settings: Alarms | None = None
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin as a new process does."""
        ids = count(int(self.clock.monotonic() * 1000))
        public = Public(url="https://12345.example", zone=UTC, secret=b"")
        speakers = {
            "answer:sms:mobile": self.sms,
            "notify:sms": self.sms,
            "answer:sms:spare": self.spare,
            "answer:email:mailbox": self.email,
            "notify:email": self.email,
        }
        self.watch = Watch(
            self.states,
            lambda: self.settings,
            self.clock,
            Ways(speakers, Words("宿州12345", public)),
            Ledger(FileShared(self.folder)),
            self.metrics,
            lambda: f"outage-{next(ids)}",
        )

    async def states(self) -> dict[str, Part]:
        """Return the parts as the test has them."""
        return dict(self.parts)

    def ladder(self, *rungs: dict[str, Any], **times: str) -> None:
        """Set who is told."""
        self.settings = Alarms.model_validate({"ladder": list(rungs), **times})

    def down(self, part: str = PHONE, why: str = "the registrar refuses") -> None:
        """Have a part go down now."""
        self.parts[part] = Part(state=State.DOWN, since=self.clock.now(), why=why)

    def well(self, part: str = PHONE) -> None:
        """Have a part come back now."""
        self.parts[part] = Part(state=State.OK, since=self.clock.now())

    async def passes(self, seconds: float, step: float = 5) -> None:
        """Let time pass, looking as the gateway does."""
        end = self.clock.monotonic() + seconds
        while True:
            assert self.settings is not None
            await self.watch.look(self.settings)
            if self.clock.monotonic() >= end:
                return
            self.clock._now += timedelta(seconds=min(step, end - self.clock.monotonic()))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A gateway whose operator gets texts."""
    made = Scene(tmp_path / "shared")
    made.ladder(BY_SMS)
    made.well()
    await made.passes(0)
    yield made
    await made.watch.close()


async def test_an_outage_is_told_once_and_its_end_once(scene: Scene) -> None:
    """Half a minute of it, and of being well again, is waited for; the words hold what matters."""
    scene.down()
    await scene.passes(29)
    assert scene.sms.sent == []
    await scene.passes(31)
    scene.well()
    await scene.passes(29)
    assert scene.sms.kinds == ["raised"]
    await scene.passes(300)
    assert scene.sms.kinds == ["raised", "cleared"]
    (to, alarm), (_, over) = scene.sms.sent
    assert to == NUMBER
    assert alarm.urgent
    assert alarm.number is None
    assert alarm.text == (
        "【宿州12345】故障告警：电话线路 trunk，11-23 02:00:00 起中断。"
        "原因：the registrar refuses。请立即处理，详情见 https://12345.example/readyz"
    )
    assert over.text == ("【宿州12345】故障恢复：电话线路 trunk，11-23 02:01:00 恢复，中断 1 分。")
    assert value(scene.metrics, "gateway_events_total", event="alarm", where="raised") == 1


async def test_a_short_outage_is_nobodys_business(scene: Scene) -> None:
    """A part that comes and goes within the time is told of neither when it goes nor comes."""
    for _ in range(5):
        scene.down()
        await scene.passes(25)
        scene.well()
        await scene.passes(25)
    assert scene.sms.sent == []


async def test_an_outage_with_breaks_is_one(scene: Scene) -> None:
    """Once it is told, being well for less than the time ends nothing."""
    scene.down()
    await scene.passes(40)
    for _ in range(5):
        scene.well()
        await scene.passes(20)
        scene.down()
        await scene.passes(40)
    assert scene.sms.kinds == ["raised"]


async def test_it_is_told_again_while_it_lasts(scene: Scene) -> None:
    """Every `repeat`, with how long it has lasted; each time is a message of its own."""
    scene.ladder(BY_SMS, repeat="10m")
    scene.down()
    await scene.passes(30 + 1210)
    assert scene.sms.kinds == ["raised", "repeated", "repeated"]
    assert "已 10 分 30 秒" in scene.sms.sent[1][1].text
    assert len({message.key for _, message in scene.sms.sent}) == 3


async def test_a_restart_tells_nobody_a_second_time(scene: Scene) -> None:
    """The outage is known, its next repetition keeps its hour, and its end is told."""
    scene.down()
    await scene.passes(600)
    scene.start()
    await scene.passes(600)
    assert scene.sms.kinds == ["raised"]
    await scene.passes(2500)
    assert scene.sms.kinds == ["raised", "repeated"]
    scene.start()
    scene.well()  # as some parts are until they are used
    await scene.passes(20)
    scene.down()
    await scene.passes(60)
    scene.start()
    scene.well()
    await scene.passes(60)
    assert scene.sms.kinds == ["raised", "repeated", "cleared"]
    scene.start()
    await scene.passes(60)
    assert len(scene.sms.sent) == 3


async def test_a_part_that_a_restart_has_removed_is_over(scene: Scene) -> None:
    """A channel that is configured no more is told of once, for somebody waits for it."""
    scene.down()
    await scene.passes(60)
    scene.parts.clear()
    scene.start()
    await scene.passes(60)
    assert scene.sms.kinds == ["raised", "cleared"]


async def test_the_ladder_is_climbed_while_it_lasts(scene: Scene) -> None:
    """Who comes later is told only of what has lasted so long; who was not told, not of its end."""
    scene.ladder(BY_SMS, {**BY_EMAIL, "after": "5m"})
    scene.down()
    await scene.passes(120)
    scene.well()
    await scene.passes(60)
    assert (scene.sms.kinds, scene.email.sent) == (["raised", "cleared"], [])
    scene.down()
    await scene.passes(340)
    scene.well()
    await scene.passes(60)
    assert scene.sms.kinds == ["raised", "cleared"] * 2
    assert scene.email.kinds == ["raised", "cleared"]
    assert scene.email.sent[0][1].title == "【宿州12345】故障告警：电话线路 trunk"


async def test_nothing_is_sent_by_what_is_down(scene: Scene) -> None:
    """Another account of the kind is taken, and without one the next rung, at once."""
    scene.ladder(BY_SMS, {**BY_EMAIL, "after": "5m"})
    scene.down(SMS)
    await scene.passes(60)
    assert (scene.sms.tries, scene.spare.kinds, scene.email.tries) == (0, ["raised"], 0)
    scene.down(OTHER_SMS)
    await scene.passes(60)
    assert (scene.sms.tries, scene.spare.kinds, scene.email.kinds) == (0, ["raised"], ["raised"])
    assert "短信通道 spare" in scene.email.sent[0][1].text
    scene.well(SMS)
    scene.well(OTHER_SMS)
    await scene.passes(200)
    # Now that texts go again, who was to be told first hears of nothing that is over.
    assert (scene.sms.kinds, scene.spare.kinds) == (["cleared"], ["raised"])
    assert scene.email.kinds == ["raised", "cleared"]


@pytest.mark.parametrize(
    "fault", [TryLater("busy"), Unreachable("no such number"), RuntimeError("a fault of ours")]
)
async def test_who_cannot_be_told_is_tried_again_and_the_next_one_told(
    scene: Scene, fault: Exception
) -> None:
    """The next rung does not wait for its time, and a failing one gets pauses that grow."""
    scene.ladder(BY_SMS, {**BY_EMAIL, "after": "5m"})
    scene.sms.fails = scene.spare.fails = fault
    scene.down()
    await scene.passes(31)
    assert scene.email.kinds == ["raised"]
    await scene.passes(120)
    assert 3 <= scene.sms.tries <= 6
    assert value(scene.metrics, "gateway_events_total", event="alarm_unsent", where="sms") >= 3
    scene.sms.fails = scene.spare.fails = None
    await scene.passes(125)
    assert scene.sms.kinds + scene.spare.kinds == ["raised"]
    assert scene.email.kinds == ["raised"]


async def test_an_end_that_cannot_be_told_is_let_go(scene: Scene) -> None:
    """After `repeat` nobody is told that something works which they have seen work for long."""
    scene.ladder(BY_SMS, repeat="10m")
    scene.down()
    await scene.passes(40)
    scene.well()
    scene.sms.fails = scene.spare.fails = TryLater("busy")
    await scene.passes(700)
    scene.sms.fails = scene.spare.fails = None
    await scene.passes(300)
    assert scene.sms.kinds == ["raised"]


async def test_a_return_before_everybody_knew_of_the_end_is_told_anew(scene: Scene) -> None:
    """Who had the all-clear gets an alarm of another id; who had not, nothing but its own."""
    scene.ladder(BY_SMS, BY_EMAIL)
    scene.down()
    await scene.passes(40)
    scene.email.fails = TryLater("busy")
    scene.well()
    await scene.passes(40)
    scene.down()
    await scene.passes(40)
    scene.email.fails = None
    scene.well()
    await scene.passes(160)
    assert scene.sms.kinds == ["raised", "cleared", "raised", "cleared"]
    assert scene.email.kinds == ["raised", "cleared"]
    assert len({message.key for _, message in scene.sms.sent}) == 4


async def test_a_clock_that_is_set_back_silences_nobody(scene: Scene) -> None:
    """A day back: the outage is told again rather than held for a day."""
    scene.down()
    await scene.passes(40)
    scene.clock._now -= timedelta(days=1)
    scene.start()
    await scene.passes(40)
    assert scene.sms.kinds == ["raised", "repeated"]


async def test_alarms_need_no_disk(scene: Scene) -> None:
    """What cannot be written down is told all the same, and once."""
    scene.folder.write_text("no folder")
    scene.down("store", "disk full")
    await scene.passes(600)
    assert scene.sms.kinds == ["raised"]
    assert "数据库" in scene.sms.sent[0][1].text


async def test_without_alarms_nobody_is_told(scene: Scene) -> None:
    """The key left out, the chore does nothing; put in by a reload, it begins."""
    scene.settings = None
    scene.down()
    chore = asyncio.create_task(scene.watch.run())
    await scene.clock.advance(300)
    assert scene.sms.sent == []
    scene.ladder(BY_SMS)
    await scene.clock.advance(40)
    chore.cancel()
    await asyncio.gather(chore, return_exceptions=True)
    assert scene.sms.kinds == ["raised"]


@pytest.fixture
async def monitor() -> AsyncIterator[BackOffice]:
    """A monitoring system that verifies by the reference library."""
    office = await BackOffice(OFFICE_SECRET, "/alerts").start()
    yield office
    await office.stop()
    assert office.forged == []


async def test_a_monitoring_system_gets_signed_events(scene: Scene, monitor: BackOffice) -> None:
    """CloudEvents whose signature the reference library verifies, for each step one id."""
    scene.ladder({"to": "webhook", "url": monitor.url, "secret": OFFICE_SECRET}, repeat="10m")
    scene.down()
    await scene.passes(640)
    scene.well()
    await scene.passes(60)
    kinds = ["hotline.alarm.raised", "hotline.alarm.repeated", "hotline.alarm.cleared"]
    assert [push.type for push in monitor.taken] == kinds
    assert {push.subject for push in monitor.taken} == {PHONE}
    for push in monitor.taken:
        jsonschema.validate(push.event, schema())
    raised, _, cleared = (push.event for push in monitor.taken)
    assert raised["source"] == "https://12345.example"
    assert len({push.id for push in monitor.taken}) == 3
    alarm = raised["data"]["alarm"]
    assert (alarm["state"], alarm["why"], alarm["until"]) == ("down", "the registrar refuses", None)
    assert alarm["part_label"] == "电话线路 trunk"
    assert cleared["data"]["alarm"] == {
        **alarm,
        "state": "ok",
        "state_label": "恢复",
        "until": "2026-11-23T02:10:40Z",
    }


async def test_a_monitoring_system_that_is_gone_is_left_alone(
    scene: Scene, monitor: BackOffice
) -> None:
    """After a 410 nothing more is posted, and the next rung is told."""

    async def gone(_push: object) -> web.Response:
        return web.Response(status=410)

    monitor.answer = gone
    webhook = {"to": "webhook", "url": monitor.url, "secret": OFFICE_SECRET}
    scene.ladder(webhook, {**BY_SMS, "after": "1h"})
    scene.down()
    await scene.passes(600)
    assert len(monitor.pushes) == 1
    assert scene.sms.kinds == ["raised"]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("store", "数据库"),
        ("queue/liaison", "联动队列"),
        ("adapters/backoffice", "对接系统 backoffice"),
        ("adapters/liaison:119", "消防救援联动席位 119"),
        ("adapters/notify:sms", "发送途径 notify:sms"),
        ("channels/wechat:oa", "微信通道 oa"),
        ("channels/fax:one", "fax one"),
    ],
)
def test_every_kind_of_part_has_a_name(part: str, expected: str) -> None:
    """Operators read what it is, also of a channel that others have made."""
    assert label(part) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-5, "0 秒"), (0, "0 秒"), (61, "1 分 1 秒"), (7200, "2 小时"), (93_784, "1 天 2 小时")],
)
def test_a_span_is_told_in_two_units(seconds: int, expected: str) -> None:
    """As people say it."""
    assert lasted(timedelta(seconds=seconds)) == expected
