"""A line with a real worker, whose gateway is this test."""

import asyncio
import hashlib
import os
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from channels.base import Receipt
from channels.phone import channel
from channels.phone.codec import Account
from channels.phone.dialogue import load
from channels.phone.listener import PhoneLine
from channels.phone.ports import Lent
from channels.phone.settings import PhoneSettings
from channels.phone.voice import Prompts
from channels.phone.wav import read_wav
from channels.testing import receipt
from normalizer.errors import Conflict, StoreError
from normalizer.schema import Inbound, Service, Status, Urgency
from tests.channels.phone.caller import Caller

_ports = count(20_000 + os.getpid() % 400 * 100, 50)


def ports(number: int) -> int:
    """Return the first of so many free UDP ports, the first one even."""
    while True:
        first = 20_000 + (next(_ports) - 20_000) % 40_000
        taken = []
        try:
            for port in range(first, first + number):
                one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                taken.append(one)
                one.bind(("127.0.0.1", port))
        except OSError:
            continue
        finally:
            for one in taken:
                one.close()
        for _ in range(number // 50):  # ports that are bound only later are not given out again
            next(_ports)
        return first


def tone(seconds: float, level: int = 8000, rate: int = 8000) -> bytes:
    """Return 16-bit samples of a square wave."""
    samples = int(seconds * rate)
    return b"".join(struct.pack("<h", level if at // 8 % 2 else -level) for at in range(samples))


class Beep:
    """A voice that says nothing but beeps of a fiftieth of a second."""

    name = "beep"

    async def render(self, text: str, into: Path) -> None:
        """Write a beep."""
        del text
        data = tone(0.02)
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
        whole = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
        content = b"RIFF" + struct.pack("<I", len(whole)) + whole
        await asyncio.to_thread(into.write_bytes, content)


def noise(seconds: float, seed: int = 1) -> bytes:
    """Return A-law that repeats nowhere and is loud."""
    loud = [octet for octet in range(256) if octet & 0x7F < 0x40]
    return bytes(random.Random(seed).choices(loud, k=int(8000 * seconds)))  # noqa: S311 - sound


@dataclass
class Office:
    """Stands for the gateway: takes calls in as its store would."""

    taken: dict[str, tuple[str, str]] = field(default_factory=dict)  #: digest and number by key
    calls: list[Inbound] = field(default_factory=list)  #: what made tickets
    added: list[Inbound] = field(default_factory=list)  #: what was added to one
    files: dict[str, bytes] = field(default_factory=dict)
    away: bool = False
    urgent: str = "着火"
    rated: dict[str, tuple[str, str]] = field(default_factory=dict)
    told: dict[str, tuple[bool, str]] = field(default_factory=dict)
    quiet_now: str = ""  #: the quiet hours that it is in
    rung: list[str] = field(default_factory=list)  #: what seats of a test have heard ringing
    popped: list[tuple[str, dict[str, Any], int]] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def accept(self, inbound: Inbound) -> Receipt:
        """Take a message like the intake does."""
        if self.away:
            raise StoreError("the store is away")
        assert inbound.key is not None
        known = self.taken.get(inbound.key)
        if known is not None and known[0] != inbound.digest:
            raise Conflict(inbound.key_name, "other content")
        if known is None:
            number = inbound.continues or f"20261122-{len(self.calls) + 1:06}-7"
            self.taken[inbound.key] = known = (inbound.digest, number)
            (self.added if inbound.continues else self.calls).append(inbound)
        async with self.arrived:
            self.arrived.notify_all()
        urgent = self.urgent in inbound.text
        return msgspec.structs.replace(
            receipt(at=datetime.now(UTC)),
            number=known[1],
            status=Status.DRAFT if inbound.draft else Status.ACCEPTED,
            urgency=Urgency.EMERGENCY if urgent else Urgency.NORMAL,
            services=(Service.FIRE,) if urgent else (),
        )

    def judge(self, text: str) -> tuple[Service, ...] | None:
        """Find an emergency as the judge would."""
        return (Service.FIRE,) if self.urgent in text else None

    def scale(self) -> tuple[str, ...]:
        """Return the ratings that there are."""
        return ("very_satisfied", "satisfied", "dissatisfied")

    async def rate(self, number: str, rating: str, key: str) -> None:
        """Take a rating."""
        self.rated[key] = (number, rating)
        async with self.arrived:
            self.arrived.notify_all()

    async def tell(self, key: str, arrived: bool, why: str) -> None:
        """Take what became of a call."""
        self.told[key] = (arrived, why)
        async with self.arrived:
            self.arrived.notify_all()

    def quiet(self, span: str, at: datetime) -> datetime:
        """Return the end of the quiet hours, if they are now."""
        return at + timedelta(hours=8) if span == self.quiet_now else at

    def pop(self, desk: str, call: Mapping[str, Any]) -> None:
        """Show a call at a desk."""
        self.popped.append((desk, dict(call), len(self.rung)))

    async def keep(self, chunks: Any, limit: int = 0) -> tuple[str, int]:
        """Keep a file."""
        assert len(chunks) <= limit
        sha256 = hashlib.sha256(chunks).hexdigest()
        self.files[sha256] = chunks
        return sha256, len(chunks)

    async def until(self, holds: Callable[[], bool], within_s: float = 10.0) -> None:
        """Return once it holds, looked at with every message taken."""
        async with asyncio.timeout(within_s), self.arrived:
            await self.arrived.wait_for(holds)

    def sound(self, inbound: Inbound) -> bytes:
        """Return the A-law of a message's recording."""
        (recording,) = inbound.attachments
        content = self.files[recording.sha256]
        assert len(content) == recording.bytes
        return read_wav(content).data


@dataclass
class Line:
    """A line that is up."""

    office: Office
    listener: PhoneLine
    at: tuple[str, int]
    settings: PhoneSettings
    run: "asyncio.Task[None]"

    @property
    def spool(self) -> Path:
        """The folder of calls."""
        return self.settings.home / "calls"

    async def ticket(self, caller: Caller, within_s: float = 10.0) -> Inbound:
        """Return the one message that a call became, once it is there."""
        key = f"{caller.call_id};{caller.tag}"
        calls = self.office.calls
        await self.office.until(lambda: any(c.key == key for c in calls), within_s)
        (ticket,) = [c for c in calls if c.key == key]
        return ticket

    def rest(self, caller: Caller) -> list[Inbound]:
        """Return what was added at the end of a call to its ticket."""
        key = f"{caller.call_id};{caller.tag}:end"
        return [c for c in self.office.added if c.key == key]

    async def emptied(self, within_s: float = 10.0) -> None:
        """Return once the worker holds no call any more."""
        await until(lambda: not self.left(), within_s)

    def spools(self) -> list[Path]:
        """The folders of calls of all workers."""
        return [Path(each.spool) for each in channel.worker_settings(self.settings, "")]

    def reported(self) -> bool:
        """Return whether every worker has found the gateway."""
        return all(self.listener.line(str(spool)) is not None for spool in self.spools())

    def left(self) -> list[str]:
        """Return the files of calls that the workers still hold."""
        files = [p for spool in self.spools() for p in spool.iterdir()]
        return [p.name for p in files if p.suffix in (".call", ".done", ".alaw")]


def settings(folder: Path, **values: Any) -> PhoneSettings:
    """Return a section on free ports."""
    first = ports(44)
    section = {
        "kind": "phone",
        "name": "trunk",
        "server": "127.0.0.1",
        "user": "12345",
        "registration": False,
        "alone": "30s",  # of a worker that a failed test leaves behind
        "folder": folder,
        "local_port": first,
        "rtp_ports": [first + 2, first + 42],
        **values,
    }
    return PhoneSettings.model_validate(section)


@asynccontextmanager
async def line(
    section: PhoneSettings, office: Office | None = None, *, recognizer: Any = None
) -> AsyncIterator[Line]:
    """Give a line once it answers."""
    office = office or Office()
    text = channel.dialogue_text(section)
    listener = PhoneLine(
        Account(name=section.name),
        channel.worker_settings(section, text),
        Prompts(section.home / "prompts", Beep(), section.recordings),
        dict(load(text).prompts),
        recognizer,
        2.0,
    )
    if section.call_back is not None:
        listener.make_calls(section.call_back)
    listener.equip(Lent(office.keep, office.judge, office.pop, office, office.quiet))
    listener.follow(office.tell)
    run = asyncio.create_task(listener.run(office.accept))
    up = Line(office, listener, (section.local_host, section.local_port), section, run)
    try:
        await until_up(up)
        yield up
    finally:
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run


async def until(holds: Callable[[], bool], within_s: float = 10.0) -> None:
    """Return once it holds, looked at twenty times a second."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.05)


async def _answer(up: Line) -> bool:
    return all([await each.answers() for each in up.listener.supervisors])


async def until_up(up: Line, within_s: float = 10.0) -> None:
    """Return once the worker answers and has found the gateway."""
    async with asyncio.timeout(within_s):
        while not (await _answer(up) and up.reported()):
            assert not up.run.done(), up.run.exception()
            await asyncio.sleep(0.05)


#: A dialogue that asks nothing: it listens at once, for the tests of sound.
MUTE = """
version: "1"
begins: matter
states:
  matter:
    listen: {begin: 60s, pause: 60s, most: 5m}
    keys: {"#": filing}
    next: {heard: filing, unheard: filing}
  filing:
    do: file
    wait: 4s
    next: {filed: number, unfiled: bye}
  number: {last: true, say: ["{advice}", "{number}"], next: {said: bye}}
  bye: {last: true, do: end}
prompts:
"""
MUTE += "".join(f"  digit_{digit}: 零\n" for digit in range(10))
MUTE += "".join(f"  advice_{service}: 请拨打\n" for service in (110, 119, 120, 122))


def brisk(folder: Path) -> Path:
    """Return the file of the shipped dialogue, in a hurry."""
    text = files("channels.phone").joinpath("data/dialogue.yaml").read_text("utf-8")
    for long, short in (("begin: 8s", "begin: 2s"), ("pause: 4s", "pause: 1s"), ("3s", "0s")):
        assert long in text
        text = text.replace(long, short)
    path = folder / "brisk.yaml"
    path.write_text(text, "utf-8")
    return path


def mute(folder: Path) -> Path:
    """Return the file of a dialogue that listens at once."""
    path = folder / "mute.yaml"
    path.write_text(MUTE, "utf-8")
    return path
