"""Postfix in between: it hands over by LMTP to many recipients, and carries our mails away."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from channels.base import Message
from channels.email.handover import HandOver
from channels.email.messenger import EmailMessenger
from channels.email.parsed import Envelope
from channels.email.settings import EmailSettings, ListenAt
from normalizer.errors import StoreError, Unreachable
from tests.acceptance.polling import eventually
from tests.channels.email.servers import answers, free_port, open_folder
from tests.channels.email.sink import Sink

_MAIN = """
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/log
maillog_file_prefixes = {root}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.city.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
local_recipient_maps =
alias_maps =
relay_domains = city.example
relay_transport = lmtp:inet:127.0.0.1:{lmtp}
lmtp_line_length_limit = 0
default_transport = smtp:[127.0.0.1]:{out}
smtp_host_lookup = native
disable_dns_lookups = yes
smtpd_recipient_restrictions = check_recipient_access inline:{{ nobody@qq.example=REJECT }}, permit_mynetworks, reject
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
"""


def _master(port: int, tls: int) -> str:
    """Return Debian's table of services with one listener on a port of ours, and no chroot."""
    lines = []
    for line in Path("/etc/postfix/master.cf").read_text().splitlines():
        words = line.split()
        if words[:2] == ["smtp", "inet"]:
            lines.append(f"127.0.0.1:{port} inet n - n - - smtpd")
            if tls:
                wrapped = "-o smtpd_tls_wrappermode=yes"
                lines.append(f"127.0.0.1:{tls} inet n - n - - smtpd {wrapped}")
        elif len(words) >= 8 and not line.startswith(("#", " ")):
            lines.append(" ".join([*words[:4], "n", *words[5:]]))
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


@asynccontextmanager
async def postfix(lmtp: int, out: int, more: str = "", tls: int = 0) -> AsyncIterator[int]:
    """Run Postfix in a folder of its own; give its port.

    Args:
        lmtp: Port where mails of the city are handed over.
        out: Port that all others are carried to.
        more: Further lines of its configuration.
        tls: Port where TLS begins at once.
    """
    port = free_port()
    with open_folder() as root:
        for each in ("etc", "queue", "data"):
            (root / each).mkdir()
        shutil.chown(root / "data", "postfix")
        (root / "etc" / "master.cf").write_text(_master(port, tls))
        (root / "etc" / "main.cf").write_text(_MAIN.format(root=root, lmtp=lmtp, out=out) + more)

        def run(*command: str) -> None:
            subprocess.run(command, check=False, capture_output=True, timeout=60)

        config = str(root / "etc")
        await asyncio.to_thread(run, "postfix", "-c", config, "start")
        try:
            await answers(port, b"220 mx.city.example")
            yield port
        finally:
            await asyncio.to_thread(run, "postfix", "-c", config, "stop")


class Inbox:
    """A listener whose store is down at the first mail."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.tries: list[bytes] = []
        at = ListenAt.model_validate({"protocol": "lmtp", "port": 0})
        self.listener = HandOver(at, "city.example", self._take, lambda: datetime.now(UTC))

    async def _take(self, raw: bytes, envelope: Envelope, at: datetime) -> None:
        del at
        self.tries.append(raw)
        if len(self.tries) == 1:
            raise StoreError("the disk is full")
        self.taken.append(envelope)

    async def arrived(self) -> bool:
        """Return whether a mail was taken."""
        return bool(self.taken)


async def _handed_over(port: int, inbox: Inbox) -> None:
    """One reply for each of three recipients, at the second try; a line of 9,000 octets whole."""
    body = "路灯不亮" + "灯" * 3000
    command = ["swaks", "--server", f"127.0.0.1:{port}", "--from", "zs@qq.example"]
    done = await asyncio.to_thread(
        subprocess.run,
        [*command, "--to", "a@city.example,b@city.example,c@city.example", "--body", body],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()
    await eventually(inbox.arrived, "the mail, at the second try", 20)
    assert inbox.taken[0].sender == "zs@qq.example"
    assert set(inbox.taken[0].recipients) == {f"{n}@city.example" for n in "abc"}
    assert body.encode() in inbox.tries[-1]


async def _carried_away(port: int, sink: Sink) -> None:
    """An acknowledgement goes through with its null sender; a refused address is for ever."""
    settings = EmailSettings.model_validate(
        {
            "address": "12345@city.example",
            "listen": {"port": 0},
            "outgoing": {"host": "127.0.0.1", "port": port},
        }
    )
    messenger = EmailMessenger(settings)
    ack = Message(key="k1", text="您的诉求已受理。", acknowledges=True)
    await messenger.send("zs@qq.example", ack)

    async def carried() -> bool:
        return bool(sink.got)

    await eventually(carried, "the acknowledgement behind Postfix", 20)
    assert sink.got[0].path == ""
    with pytest.raises(Unreachable):
        await messenger.send("nobody@qq.example", ack)
    await messenger.close()


async def test_postfix_hands_over_and_carries_away() -> None:
    """As relay before the gateway and as its way out; nobody is told of one mail twice."""
    inbox, sink = Inbox(), await Sink().start()
    await inbox.listener.open()
    async with postfix(inbox.listener.port, sink.port) as port:
        await _handed_over(port, inbox)
        await _carried_away(port, sink)
        assert len(inbox.taken) == 1  # all three were told: none was brought again
    await sink.stop()
    await inbox.listener.close()
