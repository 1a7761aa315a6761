"""SMPP over TLS, against npm's smpp as a server of TLS."""

import asyncio
from pathlib import Path

import pytest
from pydantic import ValidationError

from channels.base import Message
from channels.sms.channel import plugin
from config.load import load
from tests.channels.sms.world import Gateway, message, running, texting, until
from tests.peers.certificates import Authority
from tests.peers.smsc import NODE, Smsc


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_messages_go_both_ways_in_tls(authority: Authority, tmp_path: Path) -> None:
    """A centre whose certificate the named authority signed is spoken to as any other."""
    gateway = Gateway()
    async with Smsc(NODE, [authority.sign("centre")]) as smsc:
        channel = texting(smsc.port, tmp_path, tls="implicit", ca=authority.path)
        async with running(channel, gateway):
            smsc.deliver(message(1, "路灯不亮"))
            (answer,) = await smsc.wait("answered")
            await channel.messenger.send("+8613800138000", Message(key="m", text="已受理"))
    assert answer["status"] == 0
    assert gateway.texts == ["路灯不亮"]
    assert smsc.of("submit")[-1]["text"] == "已受理"


@pytest.mark.parametrize("wrong", ["signed by others", "for another address", "over"])
async def test_a_centre_that_is_not_trusted_learns_no_password(
    wrong: str, authority: Authority, tmp_path: Path
) -> None:
    """A stranger's, another host's or an old certificate: no bind is sent, and the reason is told."""
    certificate = {
        "signed by others": lambda: Authority(tmp_path, "other").sign("centre"),
        "for another address": lambda: authority.sign("centre", "192.0.2.1"),
        "over": lambda: authority.sign("centre", days=-1),
    }[wrong]()
    async with Smsc(NODE, [certificate]) as smsc:
        channel = texting(smsc.port, tmp_path, tls="implicit", ca=authority.path)
        async with running(channel, Gateway()):
            await until(lambda: "not trusted" in channel.link.why)
            await smsc.wait("untrusted", 2)  # it is tried again
        assert smsc.of("bind") == []


async def test_a_certificate_may_go_unverified(tmp_path: Path) -> None:
    """Where an operator says so, any certificate will do."""
    async with Smsc(NODE, [Authority(tmp_path, "other").sign("centre")]) as smsc:
        channel = texting(smsc.port, tmp_path, tls="implicit", verify=False)
        async with running(channel, Gateway()):
            await smsc.wait("bind")


def split(pem: Path) -> dict[str, Path]:
    """Return the settings of a certificate whose key stands in a file of its own."""
    certificate, begin, key = pem.read_text("utf-8").partition("-----BEGIN PRIVATE KEY")
    pem.write_text(certificate, encoding="utf-8")
    apart = pem.with_suffix(".key")
    apart.write_text(begin + key, encoding="utf-8")
    return {"certificate": pem, "certificate_key": apart}


@pytest.mark.parametrize("apart", [False, True], ids=["one file", "two files"])
async def test_a_centre_may_ask_who_we_are(
    apart: bool, authority: Authority, tmp_path: Path
) -> None:
    """With a certificate of its own the gateway gets in; without, the centre ends the connection."""
    trusted = [authority.sign("centre"), authority.path]
    async with Smsc(NODE, trusted) as smsc:
        more = {"tls": "implicit", "ca": authority.path}
        anonymous = texting(smsc.port, tmp_path, **more)
        async with running(anonymous, Gateway()):
            await smsc.wait("untrusted")
            assert not anonymous.link.up
        files = split(authority.sign("ours")) if apart else {"certificate": authority.sign("ours")}
        known = texting(smsc.port, tmp_path, **more, **files)
        async with running(known, Gateway()):
            await smsc.wait("bind")
        assert len(smsc.of("bind")) == 1


async def test_a_centre_without_tls_is_left(authority: Authority, tmp_path: Path) -> None:
    """What answers our greeting with something else than TLS gets no password, and we say so."""

    async def other(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes.fromhex("00000010800000000000000300000001"))  # a generic_nack
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    channel = texting(port, tmp_path, tls="implicit", ca=authority.path)
    async with server, running(channel, Gateway()):
        await until(lambda: "no TLS with the carrier" in channel.link.why)


async def test_a_break_in_tls_loses_nothing(authority: Authority, tmp_path: Path) -> None:
    """A connection that ends in the middle of a PDU is made anew, and secured anew."""
    gateway = Gateway()
    async with Smsc(NODE, [authority.sign("centre")]) as smsc:
        channel = texting(smsc.port, tmp_path, tls="implicit", ca=authority.path)
        async with running(channel, gateway):
            await smsc.wait("bind")
            smsc.tell("raw", hex="000000400000000500")
            smsc.tell("reset")
            smsc.deliver(message(1, "路灯不亮"))
            await gateway.until(1)
            assert channel.link.sessions == 2


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"ca": "nowhere.pem"}, "ca: no certificates"),
        ({"ca": "empty.pem"}, "ca: no certificates"),
        ({"certificate": "authority.pem"}, "certificate: no certificate with its key"),
        ({"tls": "none", "ca": "authority.pem"}, "without tls: implicit"),
        ({"tls": "none", "certificate": "authority.pem"}, "without tls: implicit"),
        ({"certificate_key": "authority.pem"}, "without certificate"),
        ({"tls": "starttls"}, "implicit"),
    ],
)
def test_files_of_tls_are_looked_at_before_the_start(
    more: dict[str, str], why: str, authority: Authority, tmp_path: Path
) -> None:
    """A file that is missing or holds something else is an error of the configuration."""
    (tmp_path / "empty.pem").write_text("", encoding="utf-8")
    files = {k: str(tmp_path / v) if v.endswith(".pem") else v for k, v in more.items()}
    assert authority.path.exists()
    with pytest.raises(ValidationError, match=why):
        texting(2775, tmp_path, **{"tls": "implicit", **files})


def test_files_are_looked_for_beside_the_configuration(
    authority: Authority, tmp_path: Path
) -> None:
    """A relative path in a section means the folder of the file that it stands in."""
    authority.sign("ours")
    config = tmp_path / "gateway.yaml"
    config.write_text(
        "instance: {name: sms, region: suzhou}\n"
        "channels:\n"
        "  - {kind: sms, name: mobile, protocol: smpp, number: '12345', host: h, port: 3550,\n"
        "     user: u, password: p, tls: implicit, ca: authority.pem, certificate: ours.pem}\n"
        "adapters: [{kind: backoffice, name: o, url: 'http://127.0.0.1:9/', secret: whsec_dGVzdA==}]\n"
        "routes: [{name: rest, send: {to: o}}]\n",
        encoding="utf-8",
    )
    (section,) = load(config).settings.channels
    assert plugin.check(section).secured() is not None
