"""The whole gateway with a mailbox: Dovecot before it, swaks beside it, a sink behind it."""

import asyncio
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.acceptance.http import Client
from tests.acceptance.polling import eventually
from tests.acceptance.signing import report, work
from tests.acceptance.world import World, opened
from tests.channels.email.servers import Dovecot, answers, free_port, open_folder
from tests.channels.email.sink import Got, Sink
from tests.channels.email.vectors import machines
from tests.channels.email.vectors.building import OURS, mail

FLOOD = "家里进水齐腰深，老人被困二楼"


@dataclass
class Post:
    """A gateway that speaks by mail, and its peers."""

    world: World
    dovecot: Dovecot
    sink: Sink
    port: int  #: of the hand-over
    count: int = 0

    def write(self, text: str, sender: str, **fields: Any) -> bytes:
        """Put a letter into the mailbox; return its Message-ID."""
        self.count += 1
        id_ = b"<%d.%d@qq.example>" % (self.count, time.monotonic_ns())
        head = b"Return-Path: <" + sender.encode() + b">\r\n"
        raw = head + mail(text.encode(), sender=sender.encode(), message_id=id_, **fields)
        self.dovecot.put(raw)
        return id_

    async def mail_to(self, address: str, count: int = 1, within_s: float = 10.0) -> Got:
        """Return the last of so many mails that went to an address."""

        async def look() -> Got | None:
            found = [got for got in self.sink.got if got.to == (address,)]
            return found[count - 1] if len(found) >= count else None

        return await eventually(look, f"mail {count} to {address}", within_s)


@asynccontextmanager
async def post_office(folder: Path, **more: Any) -> AsyncIterator[Post]:
    """Run everything; ``more`` are settings of the channel, ``listen`` without its port."""
    sink = await Sink().start()
    port = free_port()
    listen = {"host": "127.0.0.1", "port": port, **more.pop("listen", {})}
    with open_folder() as shared:
        dovecot = await Dovecot(shared).start()
        section = {
            "kind": "email",
            "name": "mailbox",
            "address": OURS,
            "imap": dovecot.settings(poll="1h"),
            "listen": listen,
            "outgoing": {"host": "127.0.0.1", "port": sink.port, "tls": "none"},
            **more,
        }
        try:
            async with opened(folder, channels=[{"kind": "web", "name": "p"}, section]) as world:
                await answers(port, b"" if listen.get("tls") == "implicit" else b"220")
                yield Post(world, dovecot, sink, port)
        finally:
            dovecot.stop(now=True)
            await sink.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def post(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Post]:
    async with post_office(tmp_path_factory.mktemp("post")) as post:
        yield post


pytestmark = pytest.mark.asyncio(loop_scope="module")


def _tickets(post: Post, text: str) -> list[dict[str, Any]]:
    return [
        push.ticket
        for push in post.world.office.taken
        if push.type == "hotline.ticket.accepted" and text in push.ticket["content"]["original"]
    ]


async def _ticket(post: Post, text: str) -> dict[str, Any]:
    await post.world.office.until(lambda: bool(_tickets(post, text)), f"a ticket of {text}")
    return _tickets(post, text)[0]


async def test_a_cry_for_help_is_an_incident_at_once(post: Post) -> None:
    """By IDLE, from the mailbox to the desk; the citizen reads what to dial.

    The mailbox is asked once in an hour only. How soon it is on a quiet machine `gateway bench` tells.
    """
    post.write("路灯不亮，请派人来修", "warm@qq.example")  # whatever starts late has started now
    await post.mail_to("warm@qq.example")
    post.write(FLOOD, "flood@qq.example", subject="求救".encode())

    async def raised() -> bool:
        found = await post.world.incidents("119")
        return any(each["kind"] == "flood" for each in found)

    await eventually(raised, "an incident at 119", 20.0)
    answer = await post.mail_to("flood@qq.example")
    assert "119" in answer.text
    ticket = await _ticket(post, FLOOD)
    assert ticket["urgency"] == "emergency"
    assert ticket["number"] in answer.text
    assert ticket["channel"]["called"] == OURS
    assert answer.path == ""


async def test_an_answer_to_ours_joins_its_ticket_whoever_writes(post: Post) -> None:
    """By our Message-ID; by the number alone only the requester's own mails do."""
    id_ = post.write("楼上漏水两个月没人管", "leak@qq.example")
    first = await post.mail_to("leak@qq.example")
    assert first.message["In-Reply-To"] == id_.decode()
    number = (await _ticket(post, "楼上漏水两个月"))["number"]
    reply = f"In-Reply-To: {first.message['Message-ID']}\n".encode()
    old = f"\r\n------------------ 原始邮件 ------------------\r\n{first.text}"
    post.write(f"我是他妻子，地点是泗县中山街8号。{old}", "wife@163.example", extra=reply)
    added = await post.world.office.event(number, "hotline.ticket.added")
    assert added.event["data"]["message"]["text"] == "我是他妻子,地点是泗县中山街8号。"
    post.write(f"我也反映 {number} 的问题，同一栋楼也漏水", "other@qq.example")
    linked = await _ticket(post, "同一栋楼也漏水")
    assert linked["number"] != number


async def test_commands_work_as_text(post: Post) -> None:
    """Progress, an answer from the office, and a rating below the quoted past."""
    post.write("公交站牌倾斜，有安全隐患", "bus@qq.example")
    number = (await _ticket(post, "公交站牌倾斜"))["number"]
    told = await post.mail_to("bus@qq.example")
    code = re.search(r"查询码 (\w+)", told.text)
    assert code is not None
    path = f"/api/v1/requests/{number}"
    assert (await post.world.citizen.get(path, headers={"X-Query-Code": code[1]})).status == 200
    post.write(f"查询 {number}", "bus@qq.example")
    told = await post.mail_to("bus@qq.example", 2)
    assert number in told.text
    assert told.message["Auto-Submitted"] == "auto-replied"
    for kind in ("signed", "answered"):
        event = work(kind, number, text="站牌已于今日扶正")
        assert (await report(post.world.citizen, event)).status == 202
    answer = await post.mail_to("bus@qq.example", 3)
    assert "站牌已于今日扶正" in answer.text
    assert answer.path == OURS
    assert "1" in answer.text
    assert "满意" in answer.text  # the request for a rating
    post.write(f"1\r\n\r\n-----原始邮件-----\r\n{answer.text}", "bus@qq.example")
    rated = await post.world.office.event(number, "hotline.ticket.rated")
    assert rated.event["data"]["rating"] == "very_satisfied"


async def test_the_original_holds_the_quoted_past(post: Post) -> None:
    """The text does not."""
    post.write("我要补充说明情况\r\n\r\n-----原始邮件-----\r\n很久以前的话", "past@qq.example")
    ticket = await _ticket(post, "很久以前的话")
    assert ticket["content"]["text"] == "我要补充说明情况"


async def test_an_independent_sender(post: Post) -> None:
    """The program swaks, by SMTP: 250, a ticket, an answer to the envelope's sender."""
    done = await asyncio.to_thread(
        subprocess.run,
        [
            *("swaks", "--server", f"127.0.0.1:{post.port}", "--from", "sw@qq.example"),
            *("--to", OURS, "--h-From", "王五 <wang@qq.example>", "--body", "井盖缺失，注意安全"),
        ],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()
    ticket = await _ticket(post, "井盖缺失，注意安全")
    assert ticket["requester"]["email"] == "wang@qq.example"
    assert ticket["channel"]["thread"] == "sw@qq.example"
    await post.mail_to("sw@qq.example")


async def test_machines_are_never_answered(post: Post) -> None:
    """Lists get a ticket; what answers by itself gets none; nobody gets a mail."""
    for number, case in enumerate(c for c in machines.CASES if c.kind != "letter"):
        unique = b"Message-ID: <machine%d@x.example>\r\n" % number
        path = b"Return-Path: <>\r\n" if case.null_sender else b""
        post.dovecot.put(path + unique + case.raw.replace(b"Message-ID: <tencent", b"X-Id: <t"))
    post.write("最后一封", "last@qq.example")
    await post.mail_to("last@qq.example")
    told = {address for got in post.sink.got for address in got.to}
    senders = {"zs@qq.example", "no-reply@form.example", "postmaster@x.example"}
    assert told & {*senders, "MAILER-DAEMON@mx.example", "PostMaster@qq.example"} == set()


async def test_a_robot_that_answers_every_mail(post: Post) -> None:
    """Without any sign that it is one: three answers, and it is quiet."""
    address = "robot@robot.example"
    post.write("您好，您的邮件已收到，编号0", address)
    for number in range(1, 4):
        await post.mail_to(address, number)
        post.write(f"您好，您的邮件已收到，编号{number}", address)
    post.write("在它之后", "after@qq.example")
    await post.mail_to("after@qq.example")
    assert len([g for g in post.sink.got if g.to == (address,)]) == 3


async def _killed(post: Post, mails: int, kills: int) -> int:
    """Put mails while the process dies; return how many were acknowledged twice.

    Each is one ticket and acknowledged at least once; a second time only where a kill fell between
    sending and marking, and then by the very same mail.
    """
    killed_at: list[float] = []
    for number in range(mails):
        post.write(f"第{number}号：路灯不亮，地点在第{number}街", f"u{number}@qq{number}.example")
        if number % (mails // kills) == mails // kills - 1:
            await asyncio.sleep(0.15)
            await post.world.gateway.kill()
            killed_at.append(time.monotonic())
            await post.world.gateway.start()

    def told() -> set[str]:
        return {t for g in post.sink.got for t in g.to}

    async def all_told() -> bool:
        return len(told()) >= mails

    await eventually(all_told, f"{mails} acknowledged", 60.0 + mails / 10)
    numbers = {
        push.subject for push in post.world.office.taken if push.type == "hotline.ticket.accepted"
    }
    assert len(numbers) == mails
    sent: defaultdict[str, list[Got]] = defaultdict(list)
    for got in post.sink.got:
        sent[got.to[0]].append(got)
    assert len(sent) == mails
    doubled = [each for each in sent.values() if len(each) > 1]
    for first, *more in doubled:
        (second,) = more
        assert any(first.at < kill < second.at for kill in killed_at)
        assert first.message["Message-ID"] == second.message["Message-ID"]
    # One connection sends, one mail at a time: a kill falls between sending and marking of a few.
    assert len(doubled) <= 2 * kills
    return len(doubled)


async def test_nothing_is_lost_or_doubled_when_the_process_is_killed(tmp_path: Path) -> None:
    """Forty mails, two kills: forty tickets, each acknowledged."""
    async with post_office(tmp_path) as post:
        await _killed(post, 40, 2)


@pytest.mark.slow
async def test_chaos_a_thousand_mails_and_twenty_kills(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A thousand tickets; how many answers went twice is counted and shown."""
    async with post_office(tmp_path) as post:
        doubled = await _killed(post, 1000, 20)
    with capsys.disabled():
        print(f"\n1,000 mails, 20 kills: 1,000 tickets, {doubled} acknowledged twice")  # noqa: T201 - shown


@pytest.mark.slow
async def test_soak_ten_thousand_mails_wait(tmp_path: Path) -> None:
    """After a long outage all of them become tickets, and a cry for help does not wait for them."""
    async with post_office(tmp_path) as post:
        await post.world.gateway.kill()
        for number in range(10_000):
            post.write(f"第{number}号：路灯不亮", f"u{number}@qq{number}.example")
        await post.world.gateway.start()
        async with Client(post.world.gateway.url) as post.world.citizen:
            await eventually(_some(post, 1), "a first acknowledgement", 60.0)
            before = len(post.sink.got)
            post.write(FLOOD, "flood@qq.example")
            await eventually(lambda: _raised(post), "an incident at 119", 60.0)
            assert len(post.sink.got) - before < 1000

        await eventually(_some(post, 10_001), "10,001 acknowledged", 600.0)


def _some(post: Post, count: int) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return len({g.to for g in post.sink.got}) >= count

    return look


async def _raised(post: Post) -> bool | None:
    return bool(await post.world.incidents("119"))
