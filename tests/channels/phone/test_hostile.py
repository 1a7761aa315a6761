"""Datagrams that nobody sane would send, while callers are on the line."""

import asyncio
import random
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.channels.phone.caller import SDP, Caller, calling, status
from tests.channels.phone.lines import Line, line, mute, noise, settings

Mutation = Callable[[random.Random, bytes], bytes]


def _cut(dice: random.Random, data: bytes) -> bytes:
    return data[: dice.randrange(len(data))]


def _flip(dice: random.Random, data: bytes) -> bytes:
    flipped = bytearray(data)
    for _ in range(dice.randrange(1, 20)):
        flipped[dice.randrange(len(flipped))] = dice.randrange(256)
    return bytes(flipped)


def _without_a_line(dice: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    del lines[dice.randrange(1, len(lines))]
    return b"\r\n".join(lines)


def _stuffed(dice: random.Random, data: bytes) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + bytes([dice.choice(b'\r\n\0;:<>"%')]) * dice.randrange(1, 3000) + data[at:]


MUTATIONS: tuple[Mutation, ...] = (
    _cut,
    _flip,
    _without_a_line,
    _stuffed,
    lambda dice, data: data.replace(b"CSeq: 1 ", b"CSeq: %d " % dice.randrange(1 << 40)),
    lambda dice, data: dice.randbytes(dice.randrange(1, 1400)),
    lambda dice, data: data.replace(b"INVITE", dice.choice([b"BYE", b"ACK", b"CANCEL", b"INFO"])),
    lambda dice, data: data.replace(b"m=audio", dice.choice([b"m=", b"m=audio x", b"a=", b"c=IN"])),
)


def hostile(base: bytes, number: int) -> list[bytes]:
    """Return datagrams that are nearly SIP, and some that are nothing like it."""
    dice = random.Random(1)  # noqa: S311 - a fixed seed
    made = []
    for _ in range(number):
        data = base.replace(b"Call-ID: ", b"Call-ID: %08x" % dice.randrange(1 << 32))
        made.append(dice.choice(MUTATIONS)(dice, data))
    return made


def _came(up: Line, key: str) -> bool:
    return any(call.key == key for call in up.office.calls)


async def test_hostile_datagrams_harm_nobody(tmp_path: Path) -> None:
    """While ten good calls run, 2,000 bad datagrams and bad RTP come: recordings stay exact."""
    section = settings(tmp_path / "line", dialogue=mute(tmp_path), no_media="5s")
    sounds = [noise(2, seed=n) for n in range(10)]
    async with line(section) as up, calling(up.at) as enemy:
        keys = await asyncio.gather(
            *(_good(up, n, sound) for n, sound in enumerate(sounds)), _flood(enemy)
        )
        for key, sound in zip(keys, sounds, strict=False):
            await up.office.until(partial(_came, up, key))
            (ticket,) = [c for c in up.office.calls if c.key == key]
            assert up.office.sound(ticket) == sound
        async with calling(up.at) as next_one:
            while status(await next_one.call()) == 503:  # calls of the flood hold their places
                await asyncio.sleep(0.2)
                next_one.sequence += 1
                next_one.their_tag = ""
                next_one.branch = "z9hG4bK" + secrets.token_hex(8)
            await next_one.bye()
            await up.ticket(next_one)
        assert up.listener.supervisors[0].starts == 1


async def _flood(enemy: Caller) -> str:
    base = enemy.request("INVITE", SDP.format(port=enemy.sound.port))
    for at, data in enumerate(hostile(base, 2000)):
        enemy.send(data)
        if at % 20 == 0:
            await asyncio.sleep(0.01)
    return ""


async def _good(up: Line, n: int, sound: bytes) -> str:
    async with calling(up.at, f"1390000000{n}") as caller, calling(up.at) as stranger:
        assert status(await caller.call()) == 200
        speaking = asyncio.create_task(caller.speak(sound))
        await asyncio.sleep(0.3)
        wrong = [b"", b"\x80", b"\x80\x08\x00\x01", b"\xff" * 40]
        wrong.append(caller.packet(b"\x55" * 160, stamp=caller.stamp + 400_000_000))
        caller.count -= 1
        wrong.append(wrong[-1][:8] + secrets.token_bytes(4) + wrong[-1][12:])  # another source
        for data in wrong:
            caller.sound.send(data, caller.media)
            stranger.sound.send(data, caller.media)
        await speaking
        await caller.bye()
        return f"{caller.call_id};{caller.tag}"
