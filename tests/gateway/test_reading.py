"""Reading in a process of its own: the same tickets, whatever becomes of that process."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from config.load import Loaded, load
from gateway.compose import Composed, Rules
from gateway.reading import Elsewhere, Here
from gateway.rules import compile_rules
from normalizer.schema import Attachment, Inbound, Place, Requester, Service, Urgency
from tests.gateway.world import CONFIG, FIRE, LAMP, START, inbound

TEXTS = (
    LAMP,
    FIRE,
    "請問辦理居住證需要帶哪些材料？",
    "昨晚八点左右人民路的井盖不见了👍，联系我13800138000",
    "",
)


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    """Return the tests' configuration."""
    path = tmp_path / "gateway.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return load(path)


@pytest.fixture
def rules(loaded: Loaded) -> Rules:
    """Return its rules."""
    return compile_rules(loaded)


@pytest.fixture
async def reader(loaded: Loaded, rules: Rules) -> AsyncIterator[Elsewhere]:
    """Return a reader whose child is there."""
    made = Elsewhere(lambda: rules, loaded)
    made.open()
    await ready(made)
    yield made
    await made.close()


async def ready(reader: Elsewhere) -> None:
    """Wait until there is a child."""
    await asyncio.wait_for(reader.there.wait(), 30)


def alike(composed: Composed) -> Composed:
    """Return what is read without what is new each time."""
    ticket = msgspec.structs.replace(composed.ticket, id="")
    return msgspec.structs.replace(composed, ticket=ticket, judge_s=0.0)


def pid_of(reader: Elsewhere) -> int:
    """Return the child's process."""
    assert reader._child is not None
    return reader._child.pid


async def test_tickets_are_the_same_wherever_they_are_read(reader: Elsewhere, rules: Rules) -> None:
    """Every field of the ticket, evidence and instants included, is the one that is read here."""
    here = Here(lambda: rules)
    asked = [inbound(text) for text in TEXTS]
    asked.append(
        inbound(
            LAMP,
            requester=Requester(name="王", phone="0557-3025555", confidential=True),
            place=Place(text="人民路1号", latitude=33.6, longitude=116.9),
            attachments=(
                Attachment(id="a", name="p.jpg", media_type="image/jpeg", bytes=1, sha256="0" * 64),
            ),
            extra={"sip": "trunk"},
            title="路灯",
            called="12345",
            occurred_at=START,
        )
    )
    elsewhere = await asyncio.gather(*map(reader.read, asked))
    expected = await asyncio.gather(*map(here.read, asked))
    published = msgspec.json.encode([alike(one) for one in elsewhere])
    assert published == msgspec.json.encode([alike(one) for one in expected])
    assert len({one.ticket.id for one in elsewhere}) == len(asked)


async def test_a_hundred_messages_get_their_own_answers(reader: Elsewhere) -> None:
    """However many are asked at once, each gets the ticket of its own words."""
    asked = [inbound(f"{LAMP}（{n}）") for n in range(100)]
    found = await asyncio.gather(*map(reader.read, asked))
    assert [one.ticket.content.original for one in found] == [one.text for one in asked]


async def test_what_a_killed_reader_had_is_read_here(reader: Elsewhere) -> None:
    """Nobody's message fails with the reader; a new one takes over."""
    before = pid_of(reader)
    asked = [asyncio.ensure_future(reader.read(inbound(f"{LAMP}{n}"))) for n in range(200)]
    await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    os.kill(before, signal.SIGKILL)
    found = await asyncio.gather(*asked)
    assert [one.ticket.content.original for one in found] == [f"{LAMP}{n}" for n in range(200)]
    await ready(reader)
    assert pid_of(reader) != before
    assert (await reader.read(inbound(LAMP))).ticket.content.original == LAMP


async def test_a_stopped_reader_holds_up_no_emergency(reader: Elsewhere) -> None:
    """What sounds urgent is read here, though ordinary words wait for a reader that hangs."""
    os.kill(pid_of(reader), signal.SIGSTOP)
    ordinary = asyncio.ensure_future(reader.read(inbound(LAMP)))
    composed = await asyncio.wait_for(reader.read(inbound(FIRE)), 5)
    assert composed.ticket.urgency is Urgency.EMERGENCY
    assert Service.FIRE in composed.ticket.services
    assert not ordinary.done()
    os.kill(pid_of(reader), signal.SIGCONT)
    assert (await ordinary).ticket.content.original == LAMP


async def test_a_title_that_sounds_urgent_is_heard(reader: Elsewhere) -> None:
    """Who writes the emergency into the title waits no longer than who writes it below."""
    os.kill(pid_of(reader), signal.SIGSTOP)
    asked = inbound("请看标题，谢谢", title="着火了，有老人被困")
    composed = await asyncio.wait_for(reader.read(asked), 5)
    assert composed.ticket.urgency is Urgency.EMERGENCY
    os.kill(pid_of(reader), signal.SIGCONT)


async def test_a_reader_that_hangs_is_replaced(loaded: Loaded, rules: Rules) -> None:
    """What it had is read here, and the next messages by another child."""
    reader = Elsewhere(lambda: rules, loaded, hangs_s=0.3)
    reader.open()
    await ready(reader)
    before = pid_of(reader)
    os.kill(before, signal.SIGSTOP)
    asked = [reader.read(inbound(f"{LAMP}{n}")) for n in range(40)]
    found = await asyncio.wait_for(asyncio.gather(*asked), 30)
    assert [one.ticket.content.original for one in found] == [f"{LAMP}{n}" for n in range(40)]
    await ready(reader)
    assert pid_of(reader) != before
    assert (await reader.read(inbound(LAMP))).ticket.content.original == LAMP
    await reader.close()


async def test_new_rules_are_read_by_at_once(reader: Elsewhere, loaded: Loaded) -> None:
    """From a reload on no message is read by the rules before it."""
    more = CONFIG.replace(
        "routes:\n", "routes:\n  - {name: new, when: {text: [路灯]}, send: {to: office}}\n"
    )
    loaded.path.write_text(more, encoding="utf-8")
    renewed = load(loaded.path)
    changed = compile_rules(renewed)
    reader._rules = lambda: changed
    reader._here = Here(lambda: changed)
    assert (await reader.read(inbound(LAMP))).ticket.route.name != "new"
    before = pid_of(reader)
    reader.renew(renewed)
    assert (await reader.read(inbound(LAMP))).ticket.route.name == "new"
    await ready(reader)
    assert pid_of(reader) != before
    assert (await reader.read(inbound(LAMP))).ticket.route.name == "new"


async def test_a_reader_with_other_rules_is_not_used(
    loaded: Loaded, rules: Rules, caplog: pytest.LogCaptureFixture
) -> None:
    """A child that finds another lexicon on the disk than the one in force says so and ends."""
    book = msgspec.structs.replace(rules.rulebook, version="another")
    other = Rules(
        zone=rules.zone,
        context=rules.context,
        gazetteer=rules.gazetteer,
        rulebook=book,
        pack=rules.pack,
        router=rules.router,
    )
    reader = Elsewhere(lambda: other, loaded)
    reader.open()
    failed = asyncio.Event()
    caplog.handler.addFilter(lambda _: failed.set() or True)  # type: ignore[func-returns-value]
    await asyncio.wait_for(failed.wait(), 30)
    await asyncio.sleep(0)
    assert "not the one in force" in str(vars(caplog.records[0])["why"])
    assert (await reader.read(inbound(LAMP))).ticket.content.original == LAMP
    await reader.close()


async def test_words_that_cannot_be_carried_across_are_read_here(reader: Elsewhere) -> None:
    """Half a surrogate pair is no UTF-8; it is read all the same."""
    asked: Inbound = inbound("路灯不亮\ud83d了")
    assert "路灯不亮" in (await reader.read(asked)).ticket.content.text


async def test_a_closed_reader_reads_here(loaded: Loaded, rules: Rules) -> None:
    """After the end of the child, and before its first, messages are read by this process."""
    reader = Elsewhere(lambda: rules, loaded)
    assert (await reader.read(inbound(LAMP))).ticket.content.original == LAMP
    reader.open()
    await ready(reader)
    child = pid_of(reader)
    await reader.close()
    assert (await reader.read(inbound(LAMP))).ticket.content.original == LAMP
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
