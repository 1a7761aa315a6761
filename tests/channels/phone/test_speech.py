"""Words out of sound: the recognizer's client, and emergencies before the caller hangs up."""

import asyncio
from pathlib import Path

import pytest

from channels.phone.funasr import FunAsr
from channels.phone.settings import Recognizer
from channels.phone.speech import Words
from tests.channels.phone.asr import Script, recognizer
from tests.channels.phone.caller import calling
from tests.channels.phone.lines import line, mute, noise, settings

ONLINE, OFFLINE = "2pass-online", "2pass-offline"


async def heard(url: str, sound: bytes, *hot: str) -> list[Words]:
    """Return all that a session yields for some sound."""
    session = FunAsr(Recognizer(url=url, hot_words=hot)).listen("call-1")
    session.put(sound)
    session.end()
    return [words async for words in session.words()]


@pytest.mark.beside
async def test_pieces_grow_and_are_corrected() -> None:
    """What is spoken grows; the second pass puts its words in the place of the first's."""
    script = Script(
        says=[(9600, ONLINE, "路灯"), (19200, ONLINE, "部亮"), (28800, OFFLINE, "路灯不亮，")],
        final="请来修。",
    )
    async with recognizer(script) as url:
        texts = await heard(url, noise(3), "幸福小区", "城管局")
    assert [w.text for w in texts] == ["路灯", "路灯部亮", "路灯不亮，", "路灯不亮，请来修。"]
    assert [w.final for w in texts] == [False, False, False, True]
    first = script.firsts[0]
    assert (first["mode"], first["audio_fs"], first["wav_name"]) == ("2pass", 8000, "call-1")
    assert first["hotwords"] == '{"幸福小区": 20, "城管局": 20}'
    assert script.heard == [3 * 8000 * 2]


@pytest.mark.beside
async def test_a_recognizer_that_fails_ends_without_final_words() -> None:
    """A dropped connection and a refused one raise nothing; what was understood stays."""
    async with recognizer(Script(says=[(9600, ONLINE, "水管")], drop_at=10_000)) as url:
        texts = await heard(url, noise(2))
    assert texts == [Words(text="水管")]
    assert await heard("ws://127.0.0.1:9/", noise(0.1)) == []


@pytest.mark.beside
async def test_an_answer_that_is_none_is_passed_over() -> None:
    """The words behind it still count."""
    async with recognizer(Script(nonsense=True, final="停水了")) as url:
        assert await heard(url, noise(1)) == [Words(text="停水了", final=True)]


@pytest.mark.beside
async def test_the_words_of_a_call_are_its_ticket(tmp_path: Path) -> None:
    """With a recognizer the ticket holds what was said, and nobody need listen first."""
    script = Script(says=[(9600, ONLINE, "路灯")], final="幸福小区路灯不亮。")
    async with (
        recognizer(script) as url,
        line(
            settings(tmp_path / "line", dialogue=mute(tmp_path)),
            recognizer=FunAsr(Recognizer(url=url)),
        ) as up,
        calling(up.at) as caller,
    ):
        await caller.call()
        await caller.speak(noise(1.5), 0.005)
        await caller.bye()
        ticket = await up.ticket(caller)
    assert (ticket.text, ticket.draft, ticket.undecodable) == ("幸福小区路灯不亮。", False, False)
    assert len(ticket.attachments) == 1
    assert script.heard[0] == 1.5 * 16_000


@pytest.mark.beside
async def test_an_emergency_is_raised_while_the_caller_speaks(tmp_path: Path) -> None:
    """The first words make the ticket at once; the rest and the recording are added to it."""
    script = Script(says=[(16_000, ONLINE, "三号楼着火了")], final="三号楼着火了，四楼有人。")
    sound = noise(2)
    async with (
        recognizer(script) as url,
        line(
            settings(tmp_path / "line", dialogue=mute(tmp_path)),
            recognizer=FunAsr(Recognizer(url=url)),
        ) as up,
        calling(up.at) as caller,
    ):
        await caller.call()
        speaking = asyncio.create_task(caller.speak(sound))
        early = await up.ticket(caller)
        assert early.text == "三号楼着火了"
        assert not speaking.done()
        await speaking
        await caller.bye()
        await up.office.until(lambda: len(up.office.added) == 1)
        await up.emptied()
    (rest,) = up.office.added
    assert len(up.office.calls) == 1
    assert (rest.continues, rest.text) == ("20261122-000001-7", "三号楼着火了，四楼有人。")
    assert up.office.sound(rest) == sound
    assert early.key is not None
    assert rest.key == early.key + ":end"


@pytest.mark.beside
async def test_a_call_that_streaming_missed_is_understood_from_its_recording(
    tmp_path: Path,
) -> None:
    """The connection drops while the caller speaks: the recording is heard afterwards."""
    script = Script(drop_at=4000, final="井盖没有了。")
    async with (
        recognizer(script) as url,
        line(
            settings(tmp_path / "line", dialogue=mute(tmp_path)),
            recognizer=FunAsr(Recognizer(url=url)),
        ) as up,
        calling(up.at) as caller,
    ):
        await caller.call()
        await caller.speak(noise(2), 0.005)
        await up.office.until(lambda: True)
        script.drop_at = None
        await caller.bye()
        ticket = await up.ticket(caller)
    assert ticket.text == "井盖没有了。"
    assert script.sessions == 2
