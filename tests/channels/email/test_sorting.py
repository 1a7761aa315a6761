"""What becomes of a mail: ticket, remark, or kept aside; and who is answered."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from channels.email.checking import Senders
from channels.email.codec import understand
from channels.email.limits import AnswerLimits
from channels.email.own import OwnIds
from channels.email.parsed import Envelope, Job, Mail
from channels.email.scanning import Scanner
from channels.email.settings import EmailSettings
from channels.email.sorting import Sorter, take_all
from normalizer.errors import Conflict, StoreError
from tests.channels.email.fakes import FakeMessenger, FakeRegistry, Tickets
from tests.channels.email.vectors import machines
from tests.channels.email.vectors.building import OURS, Case, b64, mail, multipart, part

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ZS = Envelope(sender="zs@qq.example", recipients=(OURS,))
LS = Envelope(sender="ls@163.example", recipients=(OURS,))
NUMBER = "20261122-000123-4"


async def _read(job: Job) -> Mail:
    return understand(job)


class Desk:
    """A sorter with everything around it."""

    def __init__(self, **settings: Any) -> None:
        self.tickets = Tickets()
        self.registry = FakeRegistry()
        self.messenger = FakeMessenger()
        self.seconds = 0.0
        chosen = EmailSettings.model_validate({"address": OURS, "listen": {"port": 0}, **settings})
        self.own = OwnIds(self.registry.secret, "city.example")
        self.sorter = Sorter(
            chosen,
            self.tickets.accept,
            self.registry,
            _read,
            AnswerLimits(lambda: self.seconds),
            Senders(self.registry, None),
            self.messenger,
        )

    async def take(self, raw: bytes, envelope: Envelope = ZS) -> None:
        """Take one mail."""
        await self.sorter.take(raw, envelope, NOW)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def letter(text: str, number: int = 0, **fields: Any) -> bytes:
    """Return a letter with a Message-ID of its own."""
    return mail(text.encode(), message_id=b"<m%d@qq.example>" % number, **fields)


async def test_a_letter_is_a_ticket(desk: Desk) -> None:
    """With its words, its files, who sent it, and an answer on its way."""
    photo = part(
        b'image/jpeg; name="\xe7\x85\xa7\xe7\x89\x87.jpg"',
        b64(b"\xff\xd8\xff"),
        b"Content-Transfer-Encoding: base64",
    )
    parts = multipart(b"mixed", part(b"text/plain; charset=utf-8", "路灯不亮".encode()), photo)
    await desk.take(mail(**parts, sender='"张三" <zs@qq.example>'.encode()))
    (inbound,) = desk.tickets.taken
    assert inbound.text == "路灯不亮"
    assert inbound.title == "路灯不亮"
    assert inbound.message_id == "<tencent_1F@qq.example>"
    assert inbound.thread == "zs@qq.example"
    assert inbound.called == OURS
    assert inbound.requester.email == "zs@qq.example"
    assert inbound.requester.name == "张三"
    assert inbound.acknowledge
    assert [a.name for a in inbound.attachments] == ["照片.jpg"]
    assert desk.registry.files[inbound.attachments[0].sha256] == b"\xff\xd8\xff"
    assert desk.messenger.sent == []


async def test_a_mail_that_comes_twice_is_one_ticket(desk: Desk) -> None:
    """By whatever relays, and is not answered again."""
    raw = letter("路灯不亮")
    await desk.take(raw)
    await desk.take(b"Received: from b by c\r\nX-Relay: 2\r\n" + raw)
    await desk.take(raw.replace(b"\r\n", b"\n"))
    assert len(desk.tickets.taken) == 1
    assert desk.messenger.sent == []


async def test_other_words_under_a_used_message_id_are_another_ticket(desk: Desk) -> None:
    """Some clients use one id twice."""
    await desk.take(letter("路灯不亮"))
    await desk.take(letter("井盖没了"))
    assert [i.text for i in desk.tickets.taken] == ["路灯不亮", "井盖没了"]


async def test_without_message_id_the_content_tells(desk: Desk) -> None:
    """The same mail twice is one, another day's is not."""
    raw = mail("路灯不亮".encode(), message_id=b"")
    await desk.take(raw)
    await desk.take(raw)
    await desk.take(raw.replace(b"23 Nov", b"24 Nov"))
    assert len(desk.tickets.taken) == 2
    assert desk.tickets.taken[0].message_id is not None
    assert desk.tickets.taken[0].message_id.startswith("sha256:")


async def test_a_message_id_without_brackets_and_end_is_cut(desk: Desk) -> None:
    """A key that no index of a store would take would keep a letter out for ever."""
    await desk.take(mail("路灯不亮".encode(), message_id=b"x@" + b"Ab9" * 3000))
    assert len(desk.tickets.taken[0].key or "") < 300


async def test_the_quoted_past_stays_in_the_original(desk: Desk) -> None:
    """The judge sees the citizen's words only, a reader all of them."""
    await desk.take(
        letter("补充一点。\r\n------------------ 原始邮件 ------------------\r\n旧的话")
    )
    (inbound,) = desk.tickets.taken
    assert inbound.text == "补充一点。"
    assert inbound.full is not None
    assert "旧的话" in inbound.full


@pytest.mark.parametrize("case", machines.CASES, ids=lambda case: case.label)
async def test_nobody_answers_a_machine(case: Case) -> None:
    """A person gets an answer; a machine makes a ticket at most; what answers us makes none."""
    desk = Desk()
    await desk.take(case.raw, Envelope(sender="") if case.null_sender else Envelope())
    if case.kind in {"letter", "machine"}:
        (inbound,) = desk.tickets.taken
        assert inbound.acknowledge == (case.kind == "letter")
    else:
        assert desk.tickets.taken == []
        ((_, raw, _, held),) = desk.registry.aside
        assert raw == case.raw
        assert not held


async def test_a_sender_is_answered_three_times_and_then_once_an_hour(desk: Desk) -> None:
    """Contract section 5; every mail is a ticket nevertheless."""
    for number in range(6):
        await desk.take(letter(f"第{number}件事 {'甲乙丙丁戊己'[number]}", number))
    desk.seconds = 3601.0
    for number in range(6, 9):
        await desk.take(letter(f"后来的事 {'甲乙丙'[number - 6]}", number))
    assert [i.acknowledge for i in desk.tickets.taken] == [True] * 3 + [False] * 3 + [
        True,
        False,
        False,
    ]
    await desk.take(letter("别人的事", 20, sender=b"ls@163.example"), LS)
    assert desk.tickets.taken[-1].acknowledge


async def test_a_restart_forgives_nobody(desk: Desk) -> None:
    """What was answered in the hour before this process began counts; an hour later it does not."""
    desk.registry.letters["zs@qq.example"] = 2
    for number in range(3):
        await desk.take(letter(f"第{number}件事 {'甲乙丙'[number]}", number))
    assert [i.acknowledge for i in desk.tickets.taken] == [True, False, False]
    desk.registry.letters["ls@163.example"] = 20
    await desk.take(letter("别人的事", 20, sender=b"ls@163.example"), LS)
    assert not desk.tickets.taken[-1].acknowledge
    desk.seconds = 3601.0
    desk.registry.letters["ww@163.example"] = 20  # not asked for any more
    await desk.take(letter("又一人", 21), Envelope(sender="ww@163.example"))
    assert desk.tickets.taken[-1].acknowledge


async def test_a_repeat_does_not_count_against_its_sender(desk: Desk) -> None:
    """A carrier that repeats must not use up the answers."""
    for _ in range(10):
        await desk.take(letter("路灯不亮"))
    await desk.take(letter("井盖没了", 1))
    assert desk.tickets.taken[-1].acknowledge


async def test_a_robot_that_changes_its_address_is_answered_no_more(desk: Desk) -> None:
    """Same words but for digits, of one domain: ten answers, then one an hour."""
    for number in range(30):
        sender = f"case{number}@robot.example"
        raw = letter(f"您的编号 {number} 已收到", number, sender=sender.encode())
        await desk.take(raw, Envelope(sender=sender))
    assert sum(i.acknowledge for i in desk.tickets.taken) == 10


async def test_who_answers_our_mail_by_another_address_is_not_answered(desk: Desk) -> None:
    """A robot with a new sender for every answer stops at the first."""
    desk.registry.threads[NUMBER] = "zs@qq.example"
    ours = desk.own.make("0199a0", NUMBER).encode()
    for number in range(5):
        sender = f"r{number}@any{number}.example"
        raw = letter(
            f"收到{number}", number, sender=sender.encode(), extra=b"In-Reply-To: <" + ours + b">\n"
        )
        await desk.take(raw, Envelope(sender=sender))
    assert [i.acknowledge for i in desk.tickets.taken] == [False] * 5
    assert {i.cites for i in desk.tickets.taken} == {(NUMBER,)}


async def test_a_forged_message_id_cites_nothing(desk: Desk) -> None:
    """Only who got our mail can know its id."""
    desk.registry.threads[NUMBER] = "zs@qq.example"
    forged = f"In-Reply-To: <{NUMBER}.0199a0.0123456789abcdef@city.example>\n".encode()
    await desk.take(letter("补充", extra=forged, sender=b"ls@163.example"), LS)
    assert desk.tickets.taken[0].cites == ()


async def test_a_number_of_somebody_elses_ticket_is_linked(desk: Desk) -> None:
    """The new ticket names it for an operator."""
    desk.registry.threads |= {NUMBER: "zs@qq.example", "20261123-000001-0": "ls@163.example"}
    await desk.take(letter(f"我也要反映 {NUMBER} 的事", sender=b"ls@163.example"), LS)
    (((number, _), (event, data)),) = desk.registry.notes.items()
    assert (number, event, data) == ("20261123-000001-0", "linked", {"cites": NUMBER})


async def test_a_delivery_report_goes_to_its_ticket() -> None:
    """A failure is told by the declared other way; a report that names nothing of ours is kept."""
    desk = Desk(fallback=("sms", "callback"))
    desk.registry.threads[NUMBER] = "zs@qq.example"
    ours = desk.own.make("0199a0", NUMBER)
    raw = machines.CASES[-3].raw.replace(
        b"20261122-000123-7.k.0123456789abcdef@city.example", ours.encode()
    )
    await desk.take(raw, Envelope(sender=""))
    await desk.take(raw, Envelope(sender=""))
    (((number, _), (event, data)),) = desk.registry.notes.items()
    assert (number, event) == (NUMBER, "delivery_status")
    assert data["action"] == "failed"
    assert data["status"] == "5.1.1"
    assert data["recipient"] == "zs@qq.example"
    assert desk.registry.retold[0] == (NUMBER, "0199a0", ("sms", "callback"))
    assert desk.tickets.taken == []


async def test_our_own_mail_is_known_by_its_id(desk: Desk) -> None:
    """Even when a relay has dropped our field."""
    ours = desk.own.make("0199a0", NUMBER).encode()
    await desk.take(mail(b"x", message_id=b"<" + ours + b">"))
    assert desk.tickets.taken == []
    assert desk.registry.aside[0][2] == "our own notice came back"


async def test_a_command_is_answered_at_once(desk: Desk) -> None:
    """What has no ticket of its own is told by the channel, under the same limits."""
    desk.tickets.changes = {"number": "", "answered": False, "message": "未查到工单"}
    for number in range(5):
        await desk.take(letter("查询 20261122-000123-7", number))
    assert [to for to, _ in desk.messenger.sent] == ["zs@qq.example"] * 3
    assert desk.messenger.sent[0][1].acknowledges
    assert desk.messenger.sent[0][1].text == "未查到工单"


async def test_the_store_is_down(desk: Desk) -> None:
    """Nothing is taken, nothing counted, and the mail comes again."""
    desk.tickets.broken = True
    for _ in range(5):
        with pytest.raises(StoreError):
            await desk.take(letter("路灯不亮"))
    desk.tickets.broken = False
    await desk.take(letter("路灯不亮"))
    assert desk.tickets.taken[0].acknowledge


async def test_files_beyond_the_limits_are_told() -> None:
    """The citizen reads that they were not kept; the whole mail is."""
    desk = Desk(most_files=1)
    png = part(b"image/png; name=a.png", b64(b"\x89PNG"), b"Content-Transfer-Encoding: base64")
    parts = multipart(b"mixed", part(b"text/plain", b"x"), png, png, png)
    await desk.take(mail(**parts))
    (inbound,) = desk.tickets.taken
    assert len(inbound.attachments) == 1
    assert inbound.remark is not None
    assert "2个附件" in inbound.remark


async def test_a_large_mail_is_kept_beside_its_ticket(desk: Desk) -> None:
    """Whole, as a file; the ticket's own raw form is its beginning."""
    raw = letter("路灯不亮\r\n" + "灯" * 500_000)
    await desk.take(raw)
    (inbound,) = desk.tickets.taken
    assert raw in desk.registry.files.values()
    assert inbound.attachments[-1].name == "original.eml"
    assert raw.startswith(inbound.raw)
    assert len(inbound.raw) < len(raw)


async def test_a_scanner_keeps_a_file_out(tmp_path: Path) -> None:
    """By its exit code; one that cannot run keeps everything out."""
    script = tmp_path / "scan.sh"
    script.write_text("#!/bin/sh\n! grep -q EICAR\n")
    script.chmod(0o755)
    parts = multipart(
        b"mixed",
        part(b"text/plain", b"x"),
        part(b"application/zip; name=bad.zip", b"EICAR"),
        part(b"application/zip; name=good.zip", b"PK"),
    )
    for command, names in (((str(script),), ["good.zip"]), (("/no/such/program",), [])):
        desk = Desk(scan=command)
        await desk.take(mail(**parts))
        assert [a.name for a in desk.tickets.taken[0].attachments] == names
        assert desk.tickets.taken[0].remark is not None


async def test_a_scanner_that_hangs_holds_nobody_up(tmp_path: Path) -> None:
    """All files of a mail have one time together; then they are kept out, and no program is left."""
    mark = tmp_path / "pids"
    hangs = ("/bin/sh", "-c", f"echo $$ >> {mark}; exec sleep 600")
    assert await Scanner(hangs, 0.5).allowed([b"a", b"b"]) == [False, False]
    for pid in mark.read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
    picky = ("/bin/sh", "-c", "! grep -q bad")
    contents = [b"bad" if n % 3 else b"good" for n in range(20)]
    assert await Scanner(picky, 30).allowed(contents) == [not n % 3 for n in range(20)]


async def test_only_the_trusted_relay_is_believed() -> None:
    """What the sender claims of himself stays out of the ticket."""
    desk = Desk(trusted_relay="mx.city.example")
    theirs = b"Authentication-Results: mx.evil.example; spf=pass\n"
    ours = b"Authentication-Results: mx.city.example 1; spf=fail smtp.mailfrom=qq.example;\n dkim=none\n"
    desk.registry.threads |= {f"20261123-00000{n}-0": "zs@qq.example" for n in range(9)}
    await desk.take(letter("甲", 1, extra=theirs + ours))
    await desk.take(letter("乙", 2, extra=theirs))
    assert len(desk.tickets.taken) == 2
    ((event, data),) = desk.registry.notes.values()
    assert event == "sender_checked"
    assert data == {"authentication": "spf=fail smtp.mailfrom=qq.example; dkim=none"}


async def test_a_forwarders_sender_does_not_hide_the_citizen(desk: Desk) -> None:
    """SRS changes by the day; the From field is the thread."""
    await desk.take(letter("甲"), Envelope(sender="SRS0=Ab=CD=qq.example=zs@fwd.example"))
    assert desk.tickets.taken[0].thread == "zs@qq.example"


async def test_pieces_of_one_sender_keep_their_order(desk: Desk) -> None:
    """A batch is taken side by side, but one sender's mails one after another."""
    batch = [(letter(f"第{n}", n), Envelope()) for n in range(20)]
    assert await take_all(desk.sorter, batch, NOW) == [None] * 20
    assert [i.text for i in desk.tickets.taken] == [f"第{n}" for n in range(20)]


@pytest.mark.parametrize(
    "fault", [ValueError("a bug"), RuntimeError("a bug"), Conflict("Message-ID", "used")]
)
async def test_a_fault_of_ours_keeps_the_mail_for_an_operator(desk: Desk, fault: Exception) -> None:
    """Neither lost nor brought for ever."""

    async def fails(_inbound: object) -> Any:
        raise fault

    desk.sorter._accept = fails
    raw = letter("路灯不亮")
    await desk.take(raw)
    ((_, kept, reason, held),) = desk.registry.aside
    assert kept == raw
    assert held
    assert reason == f"the gateway failed on it: {type(fault).__name__}"
