"""The calls of a worker by their names, without a socket."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from channels.phone import sip
from channels.phone.worker import dialogs
from channels.phone.worker.dialogs import Dialogs
from tests.channels.phone.caller import SDP

SOURCE = ("127.0.0.1", 5060)


def request(method: str, sequence: int, to: str = "") -> sip.SipMessage:
    """Return a request of one caller, whose call has the same name at each try."""
    body = SDP.format(port=4000) if method == "INVITE" else ""
    return sip.parse(
        (
            f"{method} sip:12345@ims.example SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK{method}{sequence};rport\r\n"
            "From: <sip:13800138000@ims.example>;tag=abc\r\n"
            f"To: <sip:12345@ims.example>{to}\r\nCall-ID: one\r\nCSeq: {sequence} {method}\r\n"
            "Contact: <sip:13800138000@127.0.0.1:5060>\r\n"
            + ("Content-Type: application/sdp\r\n" if body else "")
            + f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
    )


class Desk:
    """Takes calls if it has room."""

    def __init__(self) -> None:
        self.room = False
        self.over: list[str] = []

    def ring(self, dialog: Any) -> bool:
        """Take a call, or not."""
        dialog.host, dialog.port = "127.0.0.1", 4002
        return self.room

    def aim(self, dialog: Any) -> None:
        """Take a description."""

    def ended(self, _dialog: Any, why: str) -> None:
        """Take an end."""
        self.over.append(why)


async def test_a_call_tried_anew_outlives_the_memory_of_its_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Refused, tried anew under the same name and answered: once the refusal is forgotten it can end."""
    monkeypatch.setattr(dialogs, "_REMEMBERED_S", 0.02)
    sent: list[bytes] = []
    desk = Desk()
    agent: Any = SimpleNamespace(contact="<sip:12345@127.0.0.1>", answered=lambda _: True)
    calls = Dialogs(agent, desk, lambda data, _: sent.append(data))  # type: ignore[arg-type]
    calls.receive(request("INVITE", 1), SOURCE)
    assert sent[-1].startswith(b"SIP/2.0 503")
    calls.receive(request("ACK", 1), SOURCE)
    desk.room = True
    calls.receive(request("INVITE", 2), SOURCE)
    (dialog,) = calls._dialogs.values()
    calls.answer(dialog)
    calls.receive(request("ACK", 2), SOURCE)
    await asyncio.sleep(0.1)  # the refusal is forgotten
    calls.receive(request("BYE", 3, f";tag={dialog.tag}"), SOURCE)
    assert sent[-1].startswith(b"SIP/2.0 200")
    assert desk.over == ["caller"]
    await asyncio.sleep(0.1)
    assert not calls._dialogs
