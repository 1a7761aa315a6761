"""What the gateway keeps for the mail channel, on the real store."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from gateway.blobs import Blobs
from gateway.callback import CallBacks
from gateway.compose import Rules
from gateway.mail import MailRegistry
from gateway.store.sqlite import SqliteStore
from gateway.talk.answering import Answering
from normalizer.schema import Inbound, Requester
from tests.gateway.world import World, rules_of


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    """Return the rules of the tests' configuration."""
    return rules_of(tmp_path_factory.mktemp("mail"))


@pytest.fixture
async def world(tmp_path: Path, rules: Rules) -> AsyncIterator[World]:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    world = World(store, rules)
    world.answering._ways = Answering({"answer:email:mailbox": None})._ways
    yield world
    await store.close()


@pytest.fixture
async def registry(world: World, tmp_path: Path) -> MailRegistry:
    blobs = Blobs(tmp_path / "blobs")
    await blobs.open()
    calls = CallBacks(world.store, world.outbox, world.clock)
    return MailRegistry(world.store, blobs, world.clock, world.outbox, calls)


def letter(world: World, text: str, key: str, **more: object) -> Inbound:
    """Return a mail of a citizen."""
    changes = {
        "channel": "email",
        "account": "mailbox",
        "thread": "zs@qq.example",
        "key": key,
        "message_id": f"<{key}>",
        "acknowledge": True,
        **more,
    }
    return msgspec.structs.replace(world.inbound(text), **changes)


async def test_a_file_is_kept_with_a_safe_name(registry: MailRegistry, tmp_path: Path) -> None:
    """Its type is what its octets are, not what its name says."""
    kept = await registry.keep("../../照片.html", b"\xff\xd8\xff\xe0", 0)
    assert (kept.name, kept.media_type, kept.bytes) == ("照片.html", "image/jpeg", 4)
    path = tmp_path / "blobs" / kept.sha256[:2] / kept.sha256
    assert path.read_bytes() == b"\xff\xd8\xff\xe0"


async def test_what_is_set_aside_is_kept_whole(world: World, registry: MailRegistry) -> None:
    """Recorded as discarded with its reason; what an operator must see is held. Once each."""
    for _ in range(2):
        await registry.set_aside("mailbox", "a", b"From: robot", "an automatic answer", held=False)
        await registry.set_aside("mailbox", "b", b"From: zs", "a fault of ours", held=True)
    (held,) = await world.store.quarantined(("held",), 10)
    (done,) = await world.store.quarantined(("discarded",), 10)
    assert (held.raw, held.reason) == (b"From: zs", "a fault of ours")
    assert (done.raw, done.why) == (b"From: robot", "an automatic answer")


async def test_a_report_is_noted_once(world: World, registry: MailRegistry) -> None:
    """On the ticket's history; a ticket that is not there takes none."""
    receipt = await world.intake.accept(letter(world, "路灯不亮", "1"))
    for _ in range(2):
        assert await registry.note(
            receipt.number, "delivery_status", "邮件投递状态：failed", {"status": "5.1.1"}, "dsn:1"
        )
    stored = await world.ticket(receipt.number)
    assert [e.event for e in stored.events] == ["accepted", "delivery_status"]
    assert stored.events[1].data == {"status": "5.1.1"}
    assert not await registry.note("20261122-999999-0", "x", "x", {}, "x")
    assert await registry.thread_of(receipt.number) == "zs@qq.example"
    assert await registry.thread_of("20261122-999999-0") is None


async def test_letters_of_the_last_hour_are_counted(world: World, registry: MailRegistry) -> None:
    """Of one address and one account."""
    for key, thread in (("1", "zs@qq.example"), ("2", "zs@qq.example"), ("3", "ls@qq.example")):
        await world.intake.accept(letter(world, f"第{key}件事：路灯不亮", key, thread=thread))
    assert await registry.letters_of("mailbox", "zs@qq.example") == 2
    assert await registry.letters_of("other", "zs@qq.example") == 0
    await world.clock.advance(3601, 3601)
    assert await registry.letters_of("mailbox", "zs@qq.example") == 0


async def test_what_bounced_is_told_by_text_message(world: World, registry: MailRegistry) -> None:
    """Where the citizen gave a telephone number, else by the next way."""
    phone = Requester(phone="+8613800138000", email="zs@qq.example")
    first = await world.intake.accept(letter(world, "路灯不亮", "1", requester=phone))
    assert await registry.retell(first.number, "k", ("sms", "callback"))
    due = await world.store.deliveries(("due", "leased"), 20)
    (told,) = [d for d in due if d.type == "hotline.answer.retold"]
    assert told.destination == "notify:sms"
    assert told.data["to"] == "+8613800138000"
    assert first.number in told.data["text"]


async def test_the_original_is_what_was_cut_from(world: World) -> None:
    """Contract section 3: literal, before the quoted past is cut."""
    made = letter(
        world, "补充一点", "1", full="补充一点\n> 旧的话", extra={"authentication": "spf=pass"}
    )
    stored = await world.ticket((await world.intake.accept(made)).number)
    assert stored.ticket.content.original == "补充一点\n> 旧的话"
    assert stored.ticket.content.text == "补充一点"
    assert stored.events[0].data["extra"] == {"authentication": "spf=pass"}


async def test_an_id_of_ours_joins_whoever_writes(world: World) -> None:
    """A number in the text does not, for a stranger."""
    first = await world.intake.accept(letter(world, "路灯不亮", "1"))
    wife = letter(world, "在中山街8号", "2", thread="wife@qq.example", cites=(first.number,))
    assert (await world.intake.accept(wife)).number == first.number
    other = letter(world, f"{first.number} 我家也是", "3", thread="other@qq.example")
    assert (await world.intake.accept(other)).number != first.number


async def test_a_remark_stands_below_the_acknowledgement(world: World) -> None:
    """In the stored answer of the ticket."""
    await world.intake.accept(letter(world, "路灯不亮", "1", remark="有1个附件未能保存。"))
    due = await world.store.deliveries(("due", "leased"), 20)
    (answer,) = [d for d in due if d.type == "hotline.answer.received"]
    assert answer.data["text"] == "有1个附件未能保存。"
