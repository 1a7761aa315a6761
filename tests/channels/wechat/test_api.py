"""The platform's client: tokens, error codes, long texts, media."""

import asyncio
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
from channels.wechat.settings import WeChatSettings
from channels.wechat.simulator.platform import Platform
from gateway.shared import FileShared
from normalizer.errors import TryLater, Unreachable
from tests.channels.wechat.world import APP, SECRET

CITIZEN = "oCitizen"
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


async def test_eight_processes_refresh_once(platform: Platform, tmp_path: Path) -> None:
    """Eight processes that begin without a token fetch one between them."""
    platform._spent[CITIZEN] = -8
    child = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "tests.channels.wechat.token_child",
            platform.url,
            str(tmp_path),
            "8",
        )
    )
    assert await child.wait() == 0
    assert platform.texts(CITIZEN) == ["您好"] * 8
    assert platform.asked == [False]


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
    wanted = Unreachable if action in {Action.CLOSED, Action.NEVER} else TryLater
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
