"""SPF, DKIM and DMARC found out here: noted on the ticket, and nothing is refused or delayed."""

import asyncio
import base64
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from channels.email.checking import Senders
from channels.email.claims import Claim, told
from channels.email.codec import understand
from channels.email.parsed import Envelope, Job
from channels.email.settings import SenderCheck
from channels.email.verifier import findings
from tests.acceptance.polling import eventually
from tests.acceptance.signing import OFFICE_SECRET, signed
from tests.channels.email.fakes import FakeRegistry
from tests.channels.email.names import Names, text
from tests.channels.email.test_gateway import FLOOD, post_office
from tests.channels.email.vectors.building import OURS, mail
from tests.peers.mailer import NodeMailer

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_TICKETS = "/api/v1/backoffice/backoffice/tickets"
_SECRET = _KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
_PUBLIC = base64.b64encode(
    _KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
).decode()
_ZONE = {
    ("qq.example", "TXT"): text("v=spf1 ip4:203.0.113.0/24 include:spf.qq.example -all"),
    ("spf.qq.example", "TXT"): text("v=spf1 a:out.qq.example mx -all"),
    ("out.qq.example", "A"): ["198.51.100.7"],
    ("spf.qq.example", "MX"): ["10 mx.qq.example."],
    ("mx.qq.example", "A"): ["198.51.100.8"],
    ("_dmarc.qq.example", "TXT"): text("v=DMARC1; p=reject; adkim=s"),
    ("s1._domainkey.qq.example", "TXT"): text(f"v=DKIM1; k=rsa; p={_PUBLIC}"),
    ("s1._domainkey.mail.qq.example", "TXT"): text(f"v=DKIM1; k=rsa; p={_PUBLIC}"),
    ("s1._domainkey.mail.wide.example", "TXT"): text(f"v=DKIM1; k=rsa; p={_PUBLIC}"),
    ("_dmarc.wide.example", "TXT"): text("v=DMARC1; p=reject"),
    ("loop.example", "TXT"): text("v=spf1 include:loop.example -all"),
    ("two.example", "TXT"): ['"v=spf1 -all"', '"v=spf1 +all"'],
    ("soft.example", "TXT"): text("v=spf1 ~all"),
    ("_dmarc.soft.example", "TXT"): text("v=DMARC1; p=none"),
    ("voids.example", "TXT"): text(
        "v=spf1 " + " ".join(f"a:no{n}.voids.example" for n in range(5)) + " -all"
    ),
    ("_dmarc.broken.example", "TXT"): text("v=DMARC1; nonsense; p"),
}
_LETTER = {
    "from": "张三 <zs@qq.example>",
    "to": OURS,
    "subject": "路灯不亮",
    "text": "小区路灯三个月不亮。\n\n请修理。\n",
    "date": "2026-11-23T02:00:00Z",
    "messageId": "<signed@qq.example>",
}


@pytest.fixture
async def names() -> AsyncIterator[Names]:
    names = await Names(dict(_ZONE)).start()
    yield names
    names.stop()


@pytest.fixture(scope="module")
def mailer(tmp_path_factory: pytest.TempPathFactory) -> NodeMailer:
    return NodeMailer(tmp_path_factory.mktemp("mailer"))


async def _found(names: Names, raw: bytes, **claimed: Any) -> dict[str, str]:
    """Return the results by method, DKIM's first."""
    claim = {"sender": "zs@qq.example", "domain": "qq.example", "peer": "203.0.113.9"} | claimed
    servers = (f"127.0.0.1:{names.port}",)
    found = await asyncio.to_thread(findings, Claim(raw=raw, nameservers=servers, **claim))
    return {each.method: each.result for each in reversed(found)}


def _signed(mailer: NodeMailer, domain: str = "qq.example") -> bytes:
    key = {"domainName": domain, "keySelector": "s1", "privateKey": _SECRET}
    return mailer.compose([{"message": _LETTER, "dkim": key}])[0]


async def test_a_mail_that_is_what_it_says(names: Names, mailer: NodeMailer) -> None:
    """Signed by an independent library, from an address that its domain names."""
    assert await _found(names, _signed(mailer)) == {"spf": "pass", "dkim": "pass", "dmarc": "pass"}


async def test_a_mail_that_was_changed(names: Names, mailer: NodeMailer) -> None:
    """One octet of the body, or of a signed field, and the signature is none."""
    raw = _signed(mailer)
    body = raw.replace(b"--", b"---", 1) if b"\r\n--" in raw else raw.rstrip() + b"x\r\n"
    for bent in (body, raw.replace(b"Subject: =?UTF-8", b"Subject: x =?UTF-8")):
        assert bent != raw
        assert (await _found(names, bent))["dkim"] == "fail"


@pytest.mark.parametrize(
    ("peer", "result"),
    [
        ("203.0.113.200", "pass"),
        ("198.51.100.7", "pass"),  # by include and a
        ("198.51.100.8", "pass"),  # by include and mx
        ("192.0.2.1", "fail"),
        ("2001:db8::1", "fail"),
    ],
)
async def test_spf_looks_at_who_handed_it_over(names: Names, peer: str, result: str) -> None:
    """The address of the first server that is none of ours."""
    found = await _found(names, mail(b"x"), peer=peer)
    assert found == {"spf": result, "dkim": "none", "dmarc": result}


@pytest.mark.parametrize(
    ("sender", "result"),
    [
        ("a@soft.example", "softfail"),
        ("a@nobody.example", "none"),
        ("a@loop.example", "permerror"),
        ("a@two.example", "permerror"),
        ("a@voids.example", "permerror"),
    ],
)
async def test_spf_of_other_domains(names: Names, sender: str, result: str) -> None:
    """RFC 7208 §2.6, and its limits of §4.6.4."""
    assert (await _found(names, mail(b"x"), sender=sender))["spf"] == result


async def test_behind_servers_of_ours(names: Names) -> None:
    """The topmost strange address of the Received fields counts; an invented one below does not."""
    invented = b"Received: from mx.qq.example (mx.qq.example [203.0.113.1]) by bad.example; x\r\n"
    border = b"Received: from bad.example (unknown [192.0.2.66])\r\n\tby mx.city.example; x\r\n"
    inner = b"Received: from mx.city.example (localhost [127.0.0.1]) by inner.city.example; x\r\n"
    raw = mail(b"x")
    good = inner + border.replace(b"192.0.2.66", b"203.0.113.66") + raw
    assert (await _found(names, inner + border + invented + raw, peer="10.1.2.3"))["spf"] == "fail"
    assert (await _found(names, good, peer=None))["spf"] == "pass"
    assert (await _found(names, raw, peer="127.0.0.1"))["spf"] == "none"


@pytest.mark.parametrize(
    "written",
    [
        "from [203.0.113.1] (unknown [192.0.2.66]) by mx.city.example (Postfix)",
        "from [192.0.2.66] (helo=[203.0.113.1]) by mx.city.example with esmtps (Exim 4.94.2)",
        "from bad.example ([192.0.2.66]:44096 helo=[203.0.113.1]) by mx.city.example with esmtp",
        "from unknown (HELO [203.0.113.1]) (192.0.2.66) by mx.city.example with SMTP",
        'from bad.example ([192.0.2.66]:38080 "EHLO\r\n\t[203.0.113.1]" rhost-flags-OK) by mx.city.example',
        "from bad.example (192.0.2.66) by mx.city.example (10.1.1.1) with Microsoft SMTP Server",
    ],
)
async def test_what_a_client_calls_itself_is_no_address(names: Names, written: str) -> None:
    """Postfix, Exim, qmail, sendmail and Exchange write the address each in their way."""
    raw = f"Received: {written}; Mon, 23 Nov 2026 10:00:00 +0800\r\n".encode() + mail(b"x")
    assert (await _found(names, raw, peer="127.0.0.1"))["spf"] == "fail"
    good = raw.replace(b"192.0.2.66", b"203.0.113.66")
    assert (await _found(names, good, peer="127.0.0.1"))["spf"] == "pass"


async def test_dmarc_wants_the_very_domain(names: Names, mailer: NodeMailer) -> None:
    """A signature of another domain passes and does not count; strictly not even a sub-domain's."""
    below = _signed(mailer, "mail.qq.example")
    strict = await _found(names, below, peer="192.0.2.1")
    assert strict == {"spf": "fail", "dkim": "pass", "dmarc": "fail"}
    wide = await _found(names, _signed(mailer, "mail.wide.example"), domain="wide.example")
    assert wide["dmarc"] == "pass"
    sub = await _found(names, _signed(mailer), domain="news.qq.example")
    assert sub["dmarc"] == "pass"  # by SPF, which is wanted relaxed by the organisation's record
    other = await _found(names, _signed(mailer), domain="soft.example")
    assert other["dmarc"] == "fail"


async def test_without_answers_nothing_is_claimed(names: Names, mailer: NodeMailer) -> None:
    """A silent name server is no failure of the mail."""
    names.silent = True
    found = await _found(names, _signed(mailer))
    assert found == {"spf": "temperror", "dkim": "temperror", "dmarc": "temperror"}


@pytest.mark.parametrize(
    "sender", ["", "@", "a@", "@b", "a@b..c", "é@ü.example", "a" * 900, "%{i}@x"]
)
@pytest.mark.parametrize("helo", ["", "[192.0.2.1]", "..", "x" * 300, "名.example"])
async def test_no_words_of_a_sender_hurt(names: Names, sender: str, helo: str) -> None:
    """Whatever is claimed, the answer is one of the words of RFC 8601."""
    field = b"DKIM-Signature: v=1; a=x; d=\xff; s=; bh==; b=%%; h=\r\n"
    found = await _found(
        names, field + mail(b"x"), sender=sender, helo=helo, domain=sender.rpartition("@")[2]
    )
    words = {"none", "pass", "fail", "softfail", "neutral", "permerror", "temperror"}
    assert set(found.values()) <= words


async def test_a_policy_that_nobody_can_read(names: Names) -> None:
    """It is the domain's error, and says nothing of the mail."""
    assert (await _found(names, mail(b"x"), domain="broken.example"))["dmarc"] == "permerror"


async def test_a_mail_of_many_signatures_asks_little(names: Names) -> None:
    """Three of them are looked at, whatever a sender puts there."""
    one = b"DKIM-Signature: v=1; a=rsa-sha256; d=d%d.example; s=s; h=from; bh=eA==; b=eA==\r\n"
    raw = b"".join(one % n for n in range(200)) + mail(b"x")
    assert (await _found(names, raw))["dkim"] == "fail"
    assert len([name for name in names.asked if name.startswith("s._domainkey")]) <= 3


def _senders(registry: FakeRegistry, names: Names, **more: Any) -> Senders:
    settings = {"nameservers": [f"127.0.0.1:{names.port}"], **more}
    return Senders(registry, SenderCheck.model_validate(settings))


async def test_it_is_noted_once_the_ticket_is_there(names: Names, mailer: NodeMailer) -> None:
    """By a process of its own; one that takes too long is ended and says so."""
    raw = _signed(mailer)
    read = understand(Job(raw=raw, address=OURS))
    envelope = Envelope(sender="zs@qq.example", peer="203.0.113.9", helo="out.qq.example")
    wanted = (
        "spf=pass smtp.mailfrom=qq.example; dkim=pass header.d=qq.example; "
        "dmarc=pass header.from=qq.example"
    )
    for silent, expected in ((False, wanted), (True, "spf=temperror; dkim=temperror; ")):
        registry = FakeRegistry(threads={"N": "zs@qq.example"})
        senders = _senders(registry, names, timeout="20s" if not silent else "1s")
        names.silent = silent
        await senders.note("N", raw, envelope, read)

        async def noted(registry: FakeRegistry = registry) -> dict[str, Any] | None:
            return dict(next(iter(registry.notes.values()))[1]) if registry.notes else None

        found = await eventually(noted, "a note", 20)
        assert found["authentication"].startswith(expected)
        await senders.close()


async def test_what_the_relay_found_is_not_looked_up_again(names: Names) -> None:
    """It is noted as it stands."""
    raw = mail(b"x", extra=b"Authentication-Results: mx.city.example; spf=fail\n")
    read = understand(Job(raw=raw, address=OURS, relay="mx.city.example"))
    registry = FakeRegistry(threads={"N": "zs@qq.example"})
    senders = _senders(registry, names)
    await senders.note("N", raw, Envelope(), read)
    ((event, data),) = registry.notes.values()
    assert (event, data) == ("sender_checked", {"authentication": "spf=fail"})
    assert names.asked == []
    await senders.close()


async def test_a_cry_for_help_does_not_wait_for_dns(names: Names, tmp_path: Path) -> None:
    """Through the whole gateway, with a name server that is silent: a ticket, then the label."""
    names.silent = True
    check = {"nameservers": [f"127.0.0.1:{names.port}"], "timeout": "30s"}
    async with post_office(tmp_path, check_sender=check) as post:
        post.write(FLOOD, "flood@qq.example")

        async def raised() -> list[dict[str, Any]]:
            return await post.world.incidents("119")

        (incident,) = await eventually(raised, "an incident at 119", 15)
        number = incident["reports"][0]

        async def history() -> list[str]:
            answer = await post.world.citizen.get(_TICKETS, headers=signed(OFFICE_SECRET, ""))
            (shown,) = [t for t in answer.json["tickets"] if t["number"] == number]
            return [h["text"] for h in shown["history"] if h["event"] == "sender_checked"]

        assert await history() == []
        (label,) = await eventually(history, "the label", 20)
        assert label == "发信人验证：spf=none; dkim=none; dmarc=temperror header.from=qq.example"


def test_the_words_are_those_of_the_field() -> None:
    """A finding about nothing leaves no blank."""
    assert told(findings(Claim(raw=b"", sender="", domain=""))) == (
        "spf=none; dkim=none; dmarc=none header.from="
    )
    assert "channels.email.authenticity" in sys.modules
