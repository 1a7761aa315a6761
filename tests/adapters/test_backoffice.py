"""The back-office adapter against a real HTTP server on loopback."""

import asyncio
import base64
import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import standardwebhooks
from pydantic import ValidationError

from adapters.backoffice.adapter import BackOffice, BackOfficeSettings, plugin
from adapters.testing import CHECKS, Check, Play, Suite, item
from normalizer.errors import TryLater
from tests.peers.backoffice import Answer, BackOfficePeer, SilentPeer
from tests.peers.node import NodeWebhooks

SECRET = "whsec_" + base64.b64encode(b"the key that is in force now....").decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"the key before, still believed..").decode()
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
#: One answer each that is not "taken", cut off at a different place.
CUT = (b"", b"HTTP/1.1 2", b"HTTP/1.1 202 Accepted\r\nContent-Le", b"no HTTP at all\r\n\r\n")


def settings(to: str, **changes: object) -> BackOfficeSettings:
    section = {
        "name": "backoffice",
        "url": to,
        "secret": SECRET,
        "timeout": timedelta(seconds=1),
    }
    return BackOfficeSettings.model_validate({**section, **changes})


@pytest.fixture
async def peer() -> AsyncIterator[BackOfficePeer]:
    peer = await BackOfficePeer().start()
    yield peer
    await peer.stop()


@pytest.fixture
async def adapter(peer: BackOfficePeer) -> AsyncIterator[BackOffice]:
    adapter = BackOffice(settings(peer.url), lambda: NOW)
    await adapter.open()
    yield adapter
    await adapter.close()


@pytest.fixture
def suite(peer: BackOfficePeer, adapter: BackOffice) -> Suite:
    def answering(answer: Answer) -> Play:
        async def play() -> None:
            await peer.stop()
            await peer.start()
            peer.answer = lambda _push: answer

        return play

    async def away() -> None:
        await peer.stop()

    in_a_minute = format_datetime(NOW + timedelta(seconds=60), usegmt=True)
    return Suite(
        adapter=adapter,
        takes=answering(Answer()),
        taken=lambda: [(push.id, push.body) for push in peer.taken],
        fails={
            "away": away,
            "hangs": answering(Answer(hangs=True)),
            **{
                f"answers {status}": answering(Answer(status))
                for status in (300, 400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504)
            },
            "redirects": answering(Answer(307, {"Location": "/events"})),
            **{f"cut after {cut!r}": answering(Answer(written=cut)) for cut in CUT},
        },
        asks={
            0.0: answering(Answer(503, {"Retry-After": "0"})),
            120.0: answering(Answer(429, {"Retry-After": "120"})),
            60.0: answering(Answer(503, {"Retry-After": in_a_minute})),
        },
        gone=answering(Answer(410)),
    )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_conformance(check: Check, suite: Suite) -> None:
    """The adapter passes every check that all adapters pass."""
    await check(suite)


async def test_reference_libraries_verify_a_push(
    peer: BackOfficePeer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Python's and Node's reference libraries believe a push with either key of a rotation."""
    adapter = BackOffice(settings(peer.url, secret=[SECRET, OLD_SECRET]))
    await adapter.open()
    await adapter.deliver(item("backoffice"))
    await adapter.close()
    (push,) = peer.taken
    assert push.headers["content-type"] == "application/cloudevents+json"
    assert push.headers["webhook-id"] == item("backoffice").id
    node = NodeWebhooks(tmp_path_factory.mktemp("peers"))
    questions = []
    for secret in (SECRET, OLD_SECRET):
        assert standardwebhooks.Webhook(secret).verify(push.body, dict(push.headers))
        questions.append(
            {
                "do": "verify",
                "secret": secret,
                "headers": dict(push.headers),
                "body": push.body.decode(),
            }
        )
    assert node.ask(questions) == [{"ok": True}, {"ok": True}]


async def test_connections_are_used_again(peer: BackOfficePeer, adapter: BackOffice) -> None:
    """Pushes one after the other share a connection, whatever short answer they got."""
    ports: list[str] = []
    bodies = iter([b"", b"x" * 15_000, gzip.compress(b"x" * 1_000_000), b'{"ok":true}', b""])
    peer.answer = lambda _push: Answer(body=next(bodies), headers={"Content-Encoding": "gzip"})
    for number in range(5):
        await adapter.deliver(item("backoffice", number))
        assert adapter._ordinary is not None
        connector = adapter._ordinary.connector
        assert connector is not None
        pooled = [proto for conns in connector._conns.values() for proto, _ in conns]
        ports += [
            str(proto.transport.get_extra_info("sockname")[1])
            for proto in pooled
            if proto.transport is not None
        ]
    assert len(ports) == 5
    assert len(set(ports)) == 1


async def test_an_idle_connection_that_was_closed_costs_no_try(
    peer: BackOfficePeer, adapter: BackOffice
) -> None:
    """A back office that restarted between two pushes gets the second at once."""
    await adapter.deliver(item("backoffice", 1, urgent=True))
    await peer.stop()
    await peer.start()
    await adapter.deliver(item("backoffice", 2, urgent=True))
    assert [push.id for push in peer.taken] == [item("backoffice", n).id for n in (1, 2)]


async def test_a_half_open_connection_is_given_up_in_time() -> None:
    """Where the kernel connects and nobody reads, the try ends at the time-out."""
    silent = SilentPeer()
    adapter = BackOffice(settings(silent.url))
    await adapter.open()
    with pytest.raises(TryLater, match="in time"):
        await adapter.deliver(item("backoffice"))
    await adapter.close()
    silent.close()


async def test_an_endless_answer_is_not_read_to_its_end(
    peer: BackOfficePeer, adapter: BackOffice
) -> None:
    """2xx is delivered, however much follows, and the rest is left unread."""
    peer.answer = lambda _push: Answer(200, body=b"x" * 20_000_000)
    await asyncio.wait_for(adapter.deliver(item("backoffice")), 5)


async def test_a_body_that_is_cut_off_after_2xx_is_delivered(
    peer: BackOfficePeer, adapter: BackOffice
) -> None:
    """The status says it: pushing again what was taken would be the back office's burden."""
    cut = b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nonly so much"
    peer.answer = lambda _push: Answer(written=cut)
    await adapter.deliver(item("backoffice"))
    assert len(peer.pushes) == 1


async def test_hanging_ordinary_pushes_hold_no_emergency(
    peer: BackOfficePeer, adapter: BackOffice
) -> None:
    """With 200 ordinary pushes hanging an emergency has a connection of its own."""
    peer.answer = lambda push: Answer(hangs=not push.id.endswith("999"))
    hanging = [
        asyncio.ensure_future(adapter.deliver(item("backoffice", number))) for number in range(200)
    ]
    await asyncio.sleep(0.1)
    await adapter.deliver(item("backoffice", 999, urgent=True))
    results = await asyncio.gather(*hanging, return_exceptions=True)
    assert all(isinstance(result, TryLater) for result in results)


async def test_a_redirect_is_not_followed(peer: BackOfficePeer, adapter: BackOffice) -> None:
    """A citizen's words go to the configured address only."""
    other = await BackOfficePeer().start()
    peer.answer = lambda _push: Answer(308, {"Location": other.url})
    with pytest.raises(TryLater, match="308"):
        await adapter.deliver(item("backoffice"))
    assert other.pushes == []
    await other.stop()


async def test_what_failed_is_told_without_the_address(peer: BackOfficePeer) -> None:
    """The operator reads what failed; the path, which may hold a token, is not printed."""
    address = peer.url + "/token-in-the-path"
    await peer.stop()
    adapter = BackOffice(settings(address))
    await adapter.open()
    with pytest.raises(TryLater, match="no connection: Connection refused") as caught:
        await adapter.deliver(item("backoffice"))
    assert "token" not in str(caught.value)
    await adapter.close()


async def test_tls_with_a_stranger_is_tried_again(peer: BackOfficePeer) -> None:
    """Where no TLS is spoken the handshake fails, which is `TryLater`."""
    adapter = BackOffice(settings(peer.url.replace("http:", "https:")))
    await adapter.open()
    with pytest.raises(TryLater):
        await adapter.deliver(item("backoffice"))
    await adapter.close()


async def test_environment_proxies_are_not_used(
    peer: BackOfficePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy named in the environment does not see citizens' words."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    monkeypatch.setenv("no_proxy", "")
    adapter = BackOffice(settings(peer.url))
    await adapter.open()
    await adapter.deliver(item("backoffice"))
    await adapter.close()
    assert len(peer.taken) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "ftp://127.0.0.1/"},
        {"url": "file:///etc/passwd"},
        {"url": "http:///events"},
        {"url": "127.0.0.1:9000"},
        {"url": "http://user:pw@127.0.0.1/"},
        {"secret": "not a secret"},
        {"secret": []},
        {"retry_for": "three days"},
        {"timeout": "0s"},
        {"timeout": "26s"},
        {"colour": "red"},
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, object]) -> None:
    """Each wrong setting is refused at the start."""
    with pytest.raises(ValidationError):
        settings("http://127.0.0.1:9000/events", **changes)


def test_the_contracts_section_is_taken() -> None:
    """The section of contract section 2 is taken as it stands."""
    section = {
        "kind": "backoffice",
        "name": "backoffice",
        "url": "http://127.0.0.1:9000/events",
        "secret": SECRET,
        "retry_for": "3d",
    }
    assert plugin.check(section).retry_for == timedelta(days=3)
    assert SECRET not in repr(plugin.check(section))
