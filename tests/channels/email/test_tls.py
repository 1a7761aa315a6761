"""Encrypted connections to and from real servers, with an authority that is thrown away."""

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from channels.base import Message
from channels.email.messenger import EmailMessenger
from channels.email.settings import EmailSettings
from normalizer.errors import TryLater
from tests.acceptance.polling import eventually
from tests.channels.email.authority import Authority
from tests.channels.email.servers import Dovecot, free_port, open_folder
from tests.channels.email.sink import Sink
from tests.channels.email.test_gateway import post_office
from tests.channels.email.test_mailbox import Reading, letter
from tests.channels.email.test_postfix import postfix
from tests.channels.email.vectors.building import OURS, mail

ACK = Message(key="k1", text="您的诉求已受理。", acknowledges=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture
def authority(folder: Path) -> Authority:
    return Authority(folder / "authority")


async def _dovecot(folder: Path, certificate: Path) -> Dovecot:
    return await Dovecot(folder, certificate=certificate).start()


@pytest.mark.parametrize("tls", ["implicit", "starttls", "none"])
async def test_a_mailbox_is_read_by_every_mode(
    folder: Path, authority: Authority, tls: str
) -> None:
    """Dovecot shows a certificate of an authority that is named in the configuration."""
    dovecot = await _dovecot(folder, authority.certificate())
    port = dovecot.imaps if tls == "implicit" else dovecot.port
    read = Reading(dovecot.settings(port=port, tls=tls), authority.file)
    dovecot.put(letter(1))
    await read.has(1)
    dovecot.put(letter(2))  # by IDLE
    await read.has(2)
    await read.end()
    dovecot.stop(now=True)


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize("wrong", ["authority", "host"])
async def test_a_mailbox_with_a_wrong_certificate(
    folder: Path, authority: Authority, tls: str, wrong: str
) -> None:
    """Nothing is read and no password sent; why is told in words."""
    other = Authority(folder / "other") if wrong == "authority" else authority
    host = "127.0.0.1" if wrong == "authority" else "imap.elsewhere.example"
    dovecot = await _dovecot(folder, other.certificate(host))
    dovecot.put(letter(1))
    port = dovecot.imaps if tls == "implicit" else dovecot.port
    at = dovecot.settings(port=port, tls=tls)
    read = Reading(at, authority.file)

    async def told() -> str | None:
        return read.mailbox.trouble

    trouble = await eventually(told, "a trouble", 10)
    assert trouble.startswith("the server's certificate is not valid: ")
    assert not read.taken
    await read.end()
    log = (dovecot.root / "dovecot.log").read_text()
    assert "Logged in" not in log
    trusting = Reading({**at, "verify": False})
    await trusting.has(1)
    await trusting.end()
    dovecot.stop(now=True)


def _messenger(port: int, tls: str, ca: Path | None, **more: object) -> EmailMessenger:
    outgoing = {"host": "127.0.0.1", "port": port, "tls": tls, "timeout": "5s", **more}
    settings = {"address": OURS, "listen": {"port": 0}, "outgoing": outgoing, "ca": ca}
    return EmailMessenger(EmailSettings.model_validate(settings))


async def test_mails_go_out_by_every_mode(folder: Path, authority: Authority) -> None:
    """Postfix takes them by STARTTLS, by TLS at once and in clear; a wrong name is told."""
    sink, tls = await Sink().start(), free_port()
    good, bad = authority.certificate(), authority.certificate("smtp.elsewhere.example")
    for certificate in (good, bad):
        certificate.chmod(0o600)
        more = f"smtpd_tls_chain_files = {certificate}\nsmtpd_tls_security_level = may\n"
        async with postfix(free_port(), sink.port, more, tls) as port:
            for mode, at in (("starttls", port), ("implicit", tls)):
                messenger = _messenger(at, mode, authority.file)
                if certificate == good:
                    await messenger.send("zs@qq.example", ACK)
                else:
                    with pytest.raises(TryLater, match=r"certificate is not valid: .*mismatch"):
                        await messenger.send("zs@qq.example", ACK)
                    trusting = _messenger(at, mode, None, verify=False)
                    await trusting.send("zs@qq.example", ACK)
                    await trusting.close()
                await messenger.close()
            plain = _messenger(port, "none", None)
            await plain.send("zs@qq.example", ACK)
            await plain.close()

    async def carried() -> bool:
        return len(sink.got) >= 4

    await eventually(carried, "what was sent", 20)
    await sink.stop()


async def test_a_server_without_starttls_loses_no_answer() -> None:
    """It is the server that is wrong, not the mail: it goes out once the server is put right."""
    sink = await Sink().start()
    with pytest.raises(TryLater, match="STARTTLS extension not supported"):
        await _messenger(sink.port, "starttls", None).send("zs@qq.example", ACK)
    with pytest.raises(TryLater, match="no way to the server"):
        await _messenger(sink.port, "implicit", None).send("zs@qq.example", ACK)
    login = _messenger(sink.port, "none", None, user="u", password="p")
    with pytest.raises(TryLater, match="no way to the server"):
        await login.send("zs@qq.example", ACK)
    assert sink.got == []
    await sink.stop()


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_the_listener_is_encrypted(tmp_path: Path, authority: Authority, tls: str) -> None:
    """The whole gateway: a mail by TLS is a ticket, in clear it is refused."""
    certificate = str(authority.certificate())
    async with post_office(tmp_path, listen={"tls": tls}, certificate=certificate) as post:
        port = post.port
        await asyncio.to_thread(_send, port, tls, authority.file)
        await post.world.office.until(
            lambda: any("井盖缺失" in p.ticket["content"]["text"] for p in post.world.office.taken),
            "a ticket",
        )
        with pytest.raises((smtplib.SMTPException, OSError)):
            await asyncio.to_thread(_send, port, "none", None)


def _send(port: int, tls: str, ca: Path | None) -> None:
    context = ssl.create_default_context(cafile=ca)
    client = (
        smtplib.SMTP_SSL("127.0.0.1", port, timeout=10, context=context)
        if tls == "implicit"
        else smtplib.SMTP("127.0.0.1", port, timeout=10 if ca else 3)
    )
    with client:
        if tls == "starttls":
            client.starttls(context=context)
        client.sendmail("zs@qq.example", [OURS], mail("井盖缺失".encode()))


async def test_postfix_hands_over_by_starttls(folder: Path, authority: Authority) -> None:
    """By LMTP, with our certificate checked; a recipient each is told."""
    listen = {"protocol": "lmtp", "tls": "starttls"}
    more = f"lmtp_tls_security_level = secure\nlmtp_tls_CAfile = {authority.file}\n"
    more += "lmtp_tls_secure_cert_match = mx.inside.example\n"
    certificate = str(authority.certificate("mx.inside.example"))
    async with (
        post_office(folder / "gateway", listen=listen, certificate=certificate) as post,
        postfix(post.port, post.sink.port, more) as relay,
    ):
        await asyncio.to_thread(_send, relay, "none", None)
        await post.world.office.until(
            lambda: any("井盖缺失" in p.ticket["content"]["text"] for p in post.world.office.taken),
            "a ticket",
        )


def test_what_cannot_work_is_told_at_the_start(tmp_path: Path) -> None:
    """A listener without certificate, files that are none, a resolver that is no address."""
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for wrong in (
        {"listen": {"port": 0, "tls": "starttls"}},
        {"listen": {"port": 0, "tls": "implicit"}, "certificate": str(empty)},
        {"listen": {"port": 0}, "certificate": "/no/such/file"},
        {"listen": {"port": 0}, "ca": str(empty)},
        {"listen": {"port": 0}, "check_sender": {"nameservers": ["resolver.example"]}},
        {"listen": {"port": 0}, "check_sender": {"networks": ["10.0.0.1/8"]}},
    ):
        with pytest.raises(ValidationError):
            EmailSettings.model_validate({"address": OURS, **wrong})


async def test_what_comes_before_encryption_is_forgotten(
    tmp_path: Path, authority: Authority
) -> None:
    """RFC 3207 §4.2: commands behind STARTTLS in one packet are nobody's once it is encrypted."""

    def talk(port: int) -> tuple[str, str]:
        context = ssl.create_default_context(cafile=authority.file)
        with socket.create_connection(("127.0.0.1", port), 10) as plain:
            plain.recv(1000)
            plain.sendall(b"EHLO x\r\n")
            told = plain.recv(1000)
            while b"250 " not in told:
                told += plain.recv(1000)
            plain.sendall(b"MAIL FROM:<early@x.example>\r\n")
            early = plain.recv(1000).decode()
            plain.sendall(b"STARTTLS\r\nEHLO y\r\nMAIL FROM:<evil@x.example>\r\n")
            assert plain.recv(1000).startswith(b"220")
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as secret:
                secret.sendall(b"NOOP\r\nRCPT TO:<12345@city.example>\r\n")
                late = b""
                while late.count(b"\r\n") < 2:
                    late += secret.recv(1000)
        return early, late.decode()

    certificate = str(authority.certificate())
    async with post_office(tmp_path, listen={"tls": "starttls"}, certificate=certificate) as post:
        early, late = await asyncio.to_thread(talk, post.port)
    assert early.startswith("530")
    assert late.splitlines()[0].startswith("250")
    assert late.splitlines()[1].startswith("503")
