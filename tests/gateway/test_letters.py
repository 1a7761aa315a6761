"""Long letters are read beside the loop: one at a time, what sounds urgent first."""

import asyncio
import threading

import pytest

from gateway.compose import Rules
from gateway.letters import LONG_TEXT, Letters, sounds_urgent
from tests.gateway.world import FIRE, LAMP

LONG = "路灯坏了很久，晚上看不清路。" * 100
LONGER = LONG + LONG
URGENT = LONG + FIRE


class Scribe:
    """Notes in which order letters are read, and holds the first until it is let go."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.began = threading.Event()
        self.go = threading.Event()
        self.threads: set[int] = set()
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def reads(self, name: str) -> str:
        """Return the name, once the first may go on."""
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            self.read.append(name)
            self.threads.add(threading.get_ident())
        self.began.set()
        assert self.go.wait(10)
        with self._lock:
            self._now -= 1
        return name


@pytest.mark.parametrize(
    ("text", "urgent"),
    [
        (FIRE, True),
        (LAMP, False),
        (URGENT, True),
        (FIRE + LONG, True),
        (LONG, False),
        ("", False),
    ],
)
def test_a_quick_look_tells_what_sounds_urgent(text: str, rules: Rules, *, urgent: bool) -> None:
    """At either end of a letter; it decides the order only."""
    assert sounds_urgent(text, rules.rulebook) is urgent


@pytest.mark.parametrize(
    ("text", "urgent"),
    [
        ("路口的大树快倒了", True),  # 大树 is a phrase of its own, and ends first
        ("路口的井盖不见了三天，一直没有人管", True),
        ("我的手机不见了", False),  # 不见了 is of a missing person, and only possibly
    ],
)
def test_a_quick_look_sees_what_is_plain_and_nothing_less(
    text: str, rules: Rules, *, urgent: bool
) -> None:
    """No shorter phrase hides a happening, and a mere hint of one pushes in front of nobody."""
    assert sounds_urgent(text, rules.rulebook) is urgent


async def test_a_short_text_is_read_here_and_now(rules: Rules) -> None:
    """No thread and no line for what takes a millisecond."""
    scribe = Scribe()
    scribe.go.set()
    text = "路" * LONG_TEXT
    assert await Letters().read(text, rules.rulebook, lambda: scribe.reads("short")) == "short"
    assert scribe.threads == {threading.get_ident()}


async def test_an_urgent_letter_overtakes_and_a_shorter_one_comes_first(rules: Rules) -> None:
    """One is read at a time; the loop stays free all the while."""
    letters, scribe = Letters(), Scribe()
    texts = {"first": LONG, "longest": LONGER * 2, "longer": LONGER, "urgent": URGENT}
    asked = []
    for name, text in texts.items():
        work = lambda name=name: scribe.reads(name)  # noqa: E731
        asked.append(asyncio.create_task(letters.read(text, rules.rulebook, work)))
        await asyncio.sleep(0)
    assert await asyncio.to_thread(scribe.began.wait, 10)
    scribe.go.set()
    assert await asyncio.gather(*asked) == list(texts)
    assert scribe.read == ["first", "urgent", "longer", "longest"]
    assert scribe.most == 1
    assert threading.get_ident() not in scribe.threads


async def test_a_letter_that_fails_keeps_nobody_else_waiting(rules: Rules) -> None:
    """The fault is its own sender's; the line goes on."""
    letters, scribe = Letters(), Scribe()
    scribe.go.set()

    def fail() -> str:
        raise ValueError("a fault of the program")

    bad = asyncio.create_task(letters.read(LONG, rules.rulebook, fail))
    good = asyncio.create_task(letters.read(LONGER, rules.rulebook, lambda: scribe.reads("good")))
    with pytest.raises(ValueError, match="a fault of the program"):
        await bad
    assert await good == "good"


async def test_a_letter_whose_sender_went_away_is_not_read(rules: Rules) -> None:
    """Nobody waits for it; the next one is."""
    letters, scribe = Letters(), Scribe()
    asked = {}
    for name, text in (("first", LONG), ("gone", LONG), ("last", LONGER)):
        work = lambda name=name: scribe.reads(name)  # noqa: E731
        asked[name] = asyncio.create_task(letters.read(text, rules.rulebook, work))
        await asyncio.sleep(0)
    asked["gone"].cancel()
    scribe.go.set()
    assert await asked["last"] == "last"
    assert scribe.read == ["first", "last"]


async def test_a_letter_under_way_whose_sender_went_away_does_no_harm(rules: Rules) -> None:
    """Its result, or its fault, is let go."""
    letters, scribe = Letters(), Scribe()
    gone = asyncio.create_task(
        letters.read(LONG, rules.rulebook, lambda: [scribe.reads("gone"), 1 / 0])
    )
    assert await asyncio.to_thread(scribe.began.wait, 10)
    gone.cancel()
    after = asyncio.create_task(letters.read(LONG, rules.rulebook, lambda: scribe.reads("after")))
    await asyncio.sleep(0)
    scribe.go.set()
    assert await after == "after"
