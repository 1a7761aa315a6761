"""What is not the platform's, or is no push, over real sockets: refused, counted, and nothing else."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
import pytest_asyncio

from channels.wechat.crypto import Envelope, key_of, signature
from channels.wechat.simulator.pusher import Account, Pusher, members
from tests.channels.wechat.cases import BOMB, FILE_ENTITY
from tests.channels.wechat.world import APP, KEY, LAMP, OLD_KEY, PLAIN, SEALED, World, running

pytestmark = pytest.mark.asyncio(loop_scope="module")
CITIZEN = "oNobody"
Pushed = tuple[bytes, dict[str, str]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with running(tmp_path_factory.mktemp("wechat")) as found:
        yield found


def _made(account: Account, ago_s: float = 0.0) -> Pushed:
    """Return a push of this account as the platform makes it, so many seconds ago."""
    pusher = Pusher(account, "http://127.0.0.1:9/", now=lambda: time.time() - ago_s)
    return pusher.request(members("text", CITIZEN, Content=LAMP))


def _inside(plain: bytes) -> Pushed:
    """Return an envelope of the platform's with this in it."""
    body, query = _made(SEALED)
    encrypted = Envelope([key_of(KEY)], APP).seal(plain, "n")
    body = f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode()
    parts = (SEALED.token, query["timestamp"], query["nonce"], encrypted)
    return body, query | {"msg_signature": signature(*parts)}


def _flipped(pushed: Pushed) -> Pushed:
    body, query = pushed
    at = body.index(b"<Encrypt>") + 60
    letter = b"A" if body[at : at + 1] != b"A" else b"B"
    return body[:at] + letter + body[at + 1 :], query


def _with(pushed: Pushed, **more: str) -> Pushed:
    return pushed[0], pushed[1] | more


def _in_milliseconds(pushed: Pushed) -> Pushed:
    body, query = pushed
    at = f"{query['timestamp']}000"
    return body, query | {"timestamp": at, "signature": signature(PLAIN.token, at, query["nonce"])}


def _cut(pushed: Pushed) -> Pushed:
    return pushed[0][: len(pushed[0]) // 2], pushed[1]


def _holding(body: bytes) -> Pushed:
    return body, _made(PLAIN)[1]


OTHER = replace(SEALED, app_id=APP[:-1] + "8")
STRANGER = replace(SEALED, token="another-token")
FORGED: list[tuple[str, str, Callable[[], Pushed], int]] = [
    ("a flipped bit", "sealed", lambda: _flipped(_made(SEALED)), 403),
    ("another msg_signature", "sealed", lambda: _with(_made(SEALED), msg_signature="0" * 40), 403),
    ("another signature", "oa", lambda: _with(_made(PLAIN), signature="0" * 40), 403),
    ("no signature", "oa", lambda: (_made(PLAIN)[0], {}), 403),
    ("another token", "sealed", lambda: _made(STRANGER), 403),
    ("an old time stamp", "oa", lambda: _made(PLAIN, 301), 403),
    ("an old time stamp, sealed", "sealed", lambda: _made(SEALED, 301), 403),
    ("a time stamp of tomorrow", "sealed", lambda: _made(SEALED, -301), 403),
    ("milliseconds", "oa", lambda: _in_milliseconds(_made(PLAIN)), 403),
    ("another application", "sealed", lambda: _made(OTHER), 403),
    ("plain words", "sealed", lambda: _made(PLAIN), 403),
    ("a truncated envelope", "sealed", lambda: _cut(_made(SEALED)), 403),
]
MALFORMED: list[tuple[str, str, Callable[[], Pushed], int]] = [
    ("a truncated body", "oa", lambda: _cut(_made(PLAIN)), 400),
    ("an entity bomb", "oa", lambda: _holding(BOMB), 400),
    ("a file as entity", "oa", lambda: _holding(FILE_ENTITY), 400),
    ("an entity bomb, sealed", "sealed", lambda: _inside(BOMB), 400),
    ("half a message, sealed", "sealed", lambda: _inside(b"<xml><FromUserName>"), 400),
    (
        "a key of nobody's",
        "old",
        lambda: _made(replace(SEALED, encoding_aes_key=OLD_KEY[::-1])),
        400,
    ),
    ("larger than any push", "oa", lambda: _holding(b"<xml>" + b" " * 65_536 + b"</xml>"), 413),
]


@pytest.mark.parametrize(
    ("name", "make", "status"), [c[1:] for c in FORGED], ids=[c[0] for c in FORGED]
)
async def test_what_is_not_the_platforms_is_refused_and_counted(
    world: World, name: str, make: Callable[[], Pushed], status: int
) -> None:
    """403, no ticket, nothing kept, and the next genuine push is taken."""
    kept = len(await world.store.quarantined(("held",), 100))
    await _refused(world, name, make(), status)
    assert len(await world.store.quarantined(("held",), 100)) == kept


@pytest.mark.parametrize(
    ("name", "make", "status"), [c[1:] for c in MALFORMED], ids=[c[0] for c in MALFORMED]
)
async def test_what_cannot_be_understood_is_kept_whole(
    world: World, name: str, make: Callable[[], Pushed], status: int
) -> None:
    """Genuine, and no push: refused, no ticket, and the octets are there for an operator."""
    body, query = make()
    await _refused(world, "sealed" if name == "old" else name, (body, query), status)
    held = await world.store.quarantined(("held",), 100)
    assert body in [item.raw for item in held]


async def _refused(world: World, name: str, pushed: Pushed, status: int) -> None:
    """Push, and check that nothing was accepted and the gateway goes on."""
    async with world.pusher(name) as pusher:
        answered, body = await pusher.once(*pushed)
        assert answered == status
        assert LAMP.encode() not in body
        assert await world.tickets(CITIZEN) == []
        assert await pusher.shake()
