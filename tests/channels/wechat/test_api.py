"""The platform's client: tokens, error codes, long texts, media."""

import asyncio
import itertools
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from channels.base import MediaRef, Message
from channels.wechat.api import Api
from channels.wechat.codec import split
from channels.wechat.errcodes import CODES, Action, meaning
from channels.wechat.messenger import WeChatMessenger
from channels.wechat.settings import Template, WeChatSettings
from channels.wechat.simulator.platform import Platform
from gateway.shared import FileShared
from normalizer.errors import TryLater, Unreachable
from tests.channels.wechat.world import APP, SECRET
from tests.peers.postgres import PostgresServer

CITIZEN = "oCitizen"
ROOT = Path(__file__).parents[3]
#: What the documentation says of each action.
DOES = {
    Action.REFRESH: "gets a new access token once and tries again",
    Action.SETTING: "tries again after five minutes; `/readyz` and the log name the code",
    Action.CLOSED: "goes the declared [fallback]",
    Action.TEMPLATE: "goes the next [fallback]",
    Action.NEVER: "does not try again",
}
SEND = "/cgi-bin/message/custom/send"
HELLO = Message(key="m-1", text="您的诉求已受理", number="20261123-000001-0")


class Time:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.at = 1_795_312_800.0

    def __call__(self) -> float:
        """Return the seconds since 1970."""
        return self.at


@pytest.fixture
def now() -> Time:
    return Time()


@pytest.fixture
async def platform(now: Time) -> AsyncIterator[Platform]:
    found = Platform(APP, SECRET, now=now)
    await found.start()
    found.wrote(CITIZEN)
    yield found
    await found.stop()


def _settings(platform: Platform, **more: Any) -> WeChatSettings:
    section = {"name": "oa", "app_id": APP, "app_secret": SECRET, "token": "t", **more}
    return WeChatSettings.model_validate({**section, "api_base": platform.url})


@pytest.fixture
async def messenger(
    platform: Platform, now: Time, tmp_path: Path
) -> AsyncIterator[WeChatMessenger]:
    settings = _settings(platform)
    found = WeChatMessenger(settings, Api(settings, now))
    found.share(FileShared(tmp_path))
    await found.open()
    yield found
    await found.close()


async def test_one_token_for_many_messages(messenger: WeChatMessenger, platform: Platform) -> None:
    """Three messages at once need one token."""
    await asyncio.gather(
        *(messenger.send(CITIZEN, Message(key=str(n), text="您好")) for n in range(3))
    )
    assert platform.asked == [False]
    assert platform.texts(CITIZEN) == ["您好"] * 3


@pytest.mark.parametrize("where", ["folder", "postgres"])
async def test_eight_processes_refresh_once(
    platform: Platform, tmp_path: Path, where: str, request: pytest.FixtureRequest
) -> None:
    """Eight processes fetch one token between them: at the start, and when it was invalidated."""
    platform._spent[CITIZEN] = -100
    shared = str(tmp_path)
    if where == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        shared = server.url(server.database())
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.channels.wechat.token_child", platform.url),
        *(shared, "8"),
        stdin=pipe,
        stdout=pipe,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    async with asyncio.timeout(60):
        for tokens in (1, 2, 3):
            assert await child.stdout.readline() == b"sent\n"
            assert platform.texts(CITIZEN) == ["您好"] * 8 * tokens
            assert platform.asked == [False] * tokens
            # Each finds it out with one call of its own at most; nobody gives up.
            assert platform.calls.count(SEND) <= 8 * (2 * tokens - 1)
            platform.invalidate()
            child.stdin.write(b"once more\n" if tokens < 3 else b"")
        child.stdin.close()
        assert await child.wait() == 0


async def test_an_invalidated_token_heals_within_one_call(
    messenger: WeChatMessenger, platform: Platform
) -> None:
    """A token that the platform has dropped is replaced, and the message sent, in one call."""
    await messenger.send(CITIZEN, HELLO)
    platform.invalidate()
    await messenger.send(CITIZEN, Message(key="m-2", text="再见"))
    assert platform.texts(CITIZEN) == [HELLO.text, "再见"]
    assert platform.asked == [False, False]


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
async def test_a_token_that_only_the_platform_believes_in_is_forced(
    messenger: WeChatMessenger, platform: Platform, errcode: int
) -> None:
    """Where the stable interface gives the refused token again, another one is forced, once."""
    await messenger.send(CITIZEN, HELLO)
    platform.wrong[SEND] = [errcode]
    await messenger.send(CITIZEN, Message(key="m-2", text="再见"))
    assert platform.asked == [False, False, True]
    assert platform.texts(CITIZEN) == [HELLO.text, "再见"]


async def test_a_lasting_refusal_ends(messenger: WeChatMessenger, platform: Platform) -> None:
    """40001 for ever: two tries to send, then an error; no storm of tokens."""
    platform.wrong[SEND] = [40001] * 10
    with pytest.raises(TryLater, match="40001"):
        await messenger.send(CITIZEN, HELLO)
    assert platform.calls.count(SEND) == 2
    assert len(platform.asked) <= 3


async def test_a_refusal_that_lasts_forces_few_tokens(
    messenger: WeChatMessenger, platform: Platform, now: Time
) -> None:
    """A day of refusals uses up no more forced tokens than the platform allows, 30 s apart."""
    forced: list[float] = []
    for number in range(210):
        platform.wrong[SEND] = [40001] * 2
        known = platform.asked.count(True)
        with pytest.raises(TryLater):
            await messenger.send(CITIZEN, Message(key=str(number), text="您好"))
        forced += [now.at] * (platform.asked.count(True) - known)
        now.at += 7 if number < 120 else 1200
    assert 10 < len(forced) <= 2 * 20
    assert all(after - before >= 30 for before, after in itertools.pairwise(forced))
    assert all(sum(at <= x < at + 86_400 for x in forced) <= 20 for at in forced)
    platform.wrong[SEND] = []
    now.at += 86_400
    platform.wrote(CITIZEN)
    await messenger.send(CITIZEN, HELLO)  # and heals once the platform does


@pytest.mark.parametrize(("errcode", "after_s"), [(-1, None), (45011, 60), (40001, 300)])
async def test_a_token_that_is_not_to_be_had(
    messenger: WeChatMessenger, platform: Platform, errcode: int, after_s: float | None
) -> None:
    """A busy platform is asked again soon, a wrong secret seldom."""
    platform.wrong["/cgi-bin/stable_token"] = [errcode]
    with pytest.raises(TryLater) as caught:
        await messenger.send(CITIZEN, HELLO)
    assert caught.value.after_s == after_s
    await messenger.send(CITIZEN, HELLO)


@pytest.mark.parametrize("errcode", [40037, 41030, 47003, 48001, 50001])
async def test_a_wrong_template_stops_nobody(
    messenger: WeChatMessenger, platform: Platform, errcode: int
) -> None:
    """A subscription message that is set wrong is passed over; nothing asks others to wait."""
    template = Template.model_validate({"id": "T", "number": "number1", "text": "thing2"})
    messenger._settings = messenger._settings.model_copy(update={"subscription": template})
    platform.wrong[SEND] = [45015]
    platform.wrong["/cgi-bin/message/subscribe/bizsend"] = [errcode]
    with pytest.raises(Unreachable, match=str(errcode)):
        await messenger.send(CITIZEN, HELLO)


async def test_a_token_is_replaced_before_its_end(
    messenger: WeChatMessenger, platform: Platform, now: Time
) -> None:
    """In its last minutes a token is replaced, and never used after its end."""
    await messenger.send(CITIZEN, HELLO)
    now.at += 7200 - 239
    await messenger.send(CITIZEN, Message(key="m-2", text="再见"))
    assert platform.asked == [False, False]


async def test_a_wrong_secret_is_no_storm(platform: Platform, tmp_path: Path) -> None:
    """A secret that is refused is told to the operator and not tried again at once."""
    settings = _settings(platform, app_secret="wrong")
    messenger = WeChatMessenger(settings, Api(settings))
    messenger.share(FileShared(tmp_path))
    await messenger.open()
    with pytest.raises(TryLater, match="40125: app_secret is wrong") as caught:
        await messenger.send(CITIZEN, HELLO)
    assert caught.value.after_s == 300
    assert len(platform.calls) == 1
    await messenger.close()


@pytest.mark.parametrize("errcode", sorted(CODES))
async def test_every_code_is_acted_on(
    messenger: WeChatMessenger, platform: Platform, errcode: int
) -> None:
    """No code inside a 200 is taken for a success; each has the outcome that its row tells."""
    platform.wrong[SEND] = [errcode] * 2
    action = meaning(errcode).action
    told = {Action.CLOSED, Action.TEMPLATE, Action.NEVER}
    wanted = Unreachable if action in told else TryLater
    with pytest.raises(wanted):
        await messenger.send(CITIZEN, HELLO)
    assert platform.texts(CITIZEN) == []


async def test_a_code_that_nobody_knows_is_no_success(
    messenger: WeChatMessenger, platform: Platform
) -> None:
    """An error code of tomorrow is tried again later."""
    platform.wrong[SEND] = [99999]
    with pytest.raises(TryLater, match="99999"):
        await messenger.send(CITIZEN, HELLO)


async def test_the_sixth_message_goes_the_fallback(
    messenger: WeChatMessenger, platform: Platform
) -> None:
    """After five messages the platform says 45047; without a subscription it is unreachable."""
    for number in range(5):
        await messenger.send(CITIZEN, Message(key=str(number), text="您好"))
    with pytest.raises(Unreachable):
        await messenger.send(CITIZEN, HELLO)
    assert messenger.fallback == ("sms", "callback")


async def test_a_long_text_comes_whole(messenger: WeChatMessenger, platform: Platform) -> None:
    """Five thousand octets come in three messages; a further try goes on where the last ended."""
    text = "路灯不亮，请修。" * 210
    platform.wrong[SEND] = [0, -1]
    with pytest.raises(TryLater):
        await messenger.send(CITIZEN, Message(key="long", text=text))
    await messenger.send(CITIZEN, Message(key="long", text=text))
    parts = platform.texts(CITIZEN)
    assert all(len(part.encode()) <= 2048 for part in parts)
    assert "".join(split(text)[:1]) + "".join(parts) == text


def test_texts_are_cut_between_characters() -> None:
    """No part is over the limit, none ends inside a character, and nothing is lost."""
    for text in ("😱" * 1500, "中文" * 900, "a" * 5000, "一。" * 800, "", "短"):
        parts = split(text)
        assert "".join(parts) == text
        assert all(len(part.encode()) <= 2048 for part in parts)
    assert split("第一句。第二句", 16) == ("第一句。", "第二句")


async def test_media_by_the_media_type_alone(
    messenger: WeChatMessenger, platform: Platform
) -> None:
    """A file is a file by its media type; an error beside status 200 is an error."""
    platform.media["p"] = (b"\xff\xd8\xff photo", "image/jpeg")
    ref = MediaRef(id="p", kind="image", key="1")
    assert b"".join([c async for c in await messenger.fetch(ref)]) == b"\xff\xd8\xff photo"
    with pytest.raises(Unreachable, match="40007"):
        await messenger.fetch(MediaRef(id="gone", kind="image", key="1"))


async def test_a_text_that_a_citizen_sent_as_a_file_is_a_file(
    messenger: WeChatMessenger, platform: Platform
) -> None:
    """Plain text and JSON with a file's name are no answer of the platform's."""
    for kind, content in (("text/plain", "路灯".encode()), ("application/json", b'{"errcode": 1}')):
        platform.media["f"] = (content, kind)
        ref = MediaRef(id="f", kind="file", key="1")
        assert b"".join([c async for c in await messenger.fetch(ref)]) == content


def test_the_documentation_has_a_row_for_every_code() -> None:
    """What each code means, what the gateway does, and where it is documented."""
    page = (ROOT / "docs/reference/channel-wechat.md").read_text("utf-8")
    for number, code in CODES.items():
        (row,) = re.findall(rf"^\| {number} \| (.*) \|$", page, re.MULTILINE)
        means, does, source = row.split(" | ")
        assert (means, source) == (code.means, code.source)
        after = f"after {code.after_s:g} s" if code.after_s else "growing delays"
        assert DOES.get(code.action, after) in does


async def test_a_film_elsewhere_is_not_fetched(
    messenger: WeChatMessenger, platform: Platform
) -> None:
    """No answer sends the gateway to a host that is not the platform's."""
    real = platform.url
    platform.media["f"] = (b"film", "video/mp4")
    platform.url = "http://169.254.169.254"
    with pytest.raises(Unreachable, match="platform's"):
        await messenger.fetch(MediaRef(id="f", kind="video", key="1"))
    platform.url = real


async def test_a_platform_that_is_away_is_tried_later(platform: Platform, tmp_path: Path) -> None:
    """Nobody listening, a 502 and a page instead of JSON: all are tried again."""
    settings = _settings(platform)
    away = settings.model_copy(update={"api_base": "http://127.0.0.1:9"})
    messenger = WeChatMessenger(away, Api(away))
    messenger.share(FileShared(tmp_path))
    await messenger.open()
    with pytest.raises(TryLater):
        await messenger.send(CITIZEN, HELLO)
    await messenger.close()
