"""The whole way: a call to a gateway of its own process becomes a ticket at the back office."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from channels.phone.wav import read_wav
from tests.acceptance.polling import eventually
from tests.acceptance.signing import report, work
from tests.acceptance.world import World, opened
from tests.channels.phone.asr import Script, recognizer
from tests.channels.phone.caller import calling, status
from tests.channels.phone.lines import brisk, mute, noise, ports
from tests.channels.phone.seat import seated


def section(folder: Path, **values: Any) -> dict[str, Any]:
    """Return a line on free ports."""
    first = ports(24)
    return {
        "kind": "phone",
        "name": "trunk",
        "server": "127.0.0.1",
        "user": "12345",
        "registration": False,
        "alone": "30s",
        "local_port": first,
        "rtp_ports": [first + 2, first + 22],
        "folder": str(folder / "line"),
        "dialogue": str(mute(folder)),
        **values,
    }


async def up(world: World) -> None:
    """Return once the line is up, as ``/readyz`` tells."""

    async def told() -> bool | None:
        answer = await world.citizen.get("/readyz")
        return answer.json["channels"]["phone:trunk"]["state"] == "ok" or None

    await eventually(told, "the line is up")


@pytest.mark.beside
async def test_two_calls_of_a_minute_are_two_tickets_with_their_recordings(tmp_path: Path) -> None:
    """The same caller within a minute: two tickets, a merged hotline's route, sound to fetch."""
    line = section(tmp_path)
    sound = noise(1)
    channels = [{"kind": "web", "name": "portal"}, line]
    async with opened(tmp_path, channels=channels) as world:
        await up(world)
        for said in (sound, b""):
            async with calling(("127.0.0.1", line["local_port"])) as caller:
                diverted = "Diversion: <tel:12315>;reason=unconditional\r\n"
                assert status(await caller.call(extra=diverted)) == 200
                await caller.speak(said)
                await caller.bye()
        first, second = await _accepted(world, 2)
        assert (first["status"], second["status"]) == ("accepted", "draft")
        assert first["channel"]["called"] == "12315"
        assert first["route"]["unit"] == "市市场监管局"
        assert first["requester"]["phone"] == first["channel"]["thread"] == "+8613800138000"
        assert first["verify"] is True  # nobody has heard it yet
        (recording,) = first["attachments"]
        assert recording["media_type"] == "audio/wav"
        path = re.sub(r"^https?://[^/]+", "", recording["url"])
        fetched = await world.citizen.get(path)
        assert read_wav(fetched.body).data == sound


async def _accepted(world: World, number: int) -> list[dict[str, Any]]:
    def tickets() -> list[dict[str, Any]]:
        return [p.ticket for p in world.office.taken if p.type == "hotline.ticket.accepted"]

    await world.office.until(lambda: len(tickets()) == number, f"{number} tickets")
    assert len(tickets()) == number
    return sorted(tickets(), key=lambda ticket: str(ticket["status"]))


@pytest.mark.beside
async def test_an_emergency_has_its_incident_before_the_caller_hangs_up(tmp_path: Path) -> None:
    """着火 comes back from the recognizer as 找火: the fire desk has it while the caller speaks."""
    words = "幸福小区三号楼找火了有人被困"
    script = Script(says=[(8_000, "2pass-online", words)], final=words + "，请快来。")
    async with recognizer(script) as url:
        line = section(tmp_path, recognizer={"url": url})
        channels = [{"kind": "web", "name": "portal"}, line]
        async with opened(tmp_path, channels=channels) as world:
            await up(world)
            async with calling(("127.0.0.1", line["local_port"])) as caller:
                await caller.call()
                await caller.speak(noise(1), 0.005)

                async def raised() -> list[dict[str, Any]] | None:
                    return await world.incidents("119") or None

                (incident,) = await eventually(raised, "the incident")
                assert status(await caller.bye()) == 200  # only now

            (number,) = incident["reports"]
            message = (await world.office.event(number, "hotline.ticket.added")).event["data"][
                "message"
            ]
            assert message["text"] == words + ",请快来。"
            assert len(message["attachments"]) == 1
            assert len(await _accepted(world, 1)) == 1


def _not_now() -> str:
    """Return an hour of quiet that is far from now."""
    begins = datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(hours=11)
    return f"{begins:%H:%M}-{begins + timedelta(hours=1):%H:%M}"


@pytest.mark.beside
async def test_a_caller_rates_the_answer_by_telephone(tmp_path: Path) -> None:
    """The unit has answered: the caller is called, presses 1, and the back office has the rating."""
    async with seated() as telephone:
        line = section(
            tmp_path,
            port=telephone.sip.port,
            dialogue=str(brisk(tmp_path)),
            call_back={"quiet_hours": _not_now()},
        )
        channels = [{"kind": "web", "name": "portal"}, line]
        async with opened(tmp_path, channels=channels) as world:
            await up(world)
            async with calling(("127.0.0.1", line["local_port"])) as caller:
                await caller.call()
                caller.press("1")
                await caller.speak(noise(1.5))  # as fast as people do: not before the line listens
                await caller.bye()
            (ticket,) = await _accepted(world, 1)
            number = ticket["number"]
            assert ticket["domain"] == "other"  # nobody has heard the matter yet
            for step in ("signed", "answered"):
                answer = await report(world.citizen, work(step, number, text="路灯已修好"))
                assert answer.status == 202, answer.text
            invite = await telephone.ring(20)
            assert b"INVITE sip:13800138000@" in invite
            await telephone.pick_up()
            telephone.press("1")
            rated = await world.office.event(number, "hotline.ticket.rated")
            telephone.reply(await telephone.asked_by("BYE", 10), 200)
            assert rated.event["data"]["rating"] == "very_satisfied"
            assert len(await _accepted(world, 1)) == 1
