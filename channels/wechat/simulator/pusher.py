"""Pushes to an account as the platform does: signed, sealed, repeated, and with an eye on the reply.

Source: developers.weixin.qq.com/doc/offiaccount, "接入概述", "消息加解密说明", "被动回复用户消息": five
seconds for an answer, three tries in all; an answer that is neither empty, ``success`` nor a message
shows the citizen that the account is out of order.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers.expat import ExpatError

import aiohttp
import xmltodict

from channels.wechat.crypto import Envelope, is_signature, key_of, signature

OUT_OF_ORDER = "该公众号提供的服务出现故障，请稍后再试"


@dataclass(frozen=True, slots=True)
class Account:
    """What the console of an account says."""

    app_id: str
    token: str
    encoding_aes_key: str = ""
    mode: str = "plain"  #: plain, compatible or encrypted
    form: str = "xml"  #: or json
    original_id: str = "gh_c0ffee012345"  #: ``ToUserName``


@dataclass(slots=True)
class Pushed:
    """What became of a push."""

    statuses: list[int] = field(default_factory=list)  #: of each try; 0: no answer in time
    seconds: list[float] = field(default_factory=list)  #: each try took
    shown: str | None = None  #: what the citizen sees at once


def members(kind: str, sender: str, **more: Any) -> dict[str, Any]:
    """Return the members of a message or, with ``Event`` among them, of an event."""
    found: dict[str, Any] = {
        "FromUserName": sender,
        "CreateTime": int(time.time()),
        "MsgType": kind,
    }
    if kind != "event":
        found["MsgId"] = secrets.randbelow(10**18)
    return found | more


class Pusher:
    """The platform's end of an account's call-back.

    Args:
        account: The account.
        url: The call-back's address.
        patience_s: How long an answer is waited for.
        now: Seconds since 1970.
    """

    def __init__(
        self,
        account: Account,
        url: str,
        *,
        patience_s: float = 5.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.account = account
        self._url = url
        self._patience_s = patience_s
        self._now = now
        key = account.encoding_aes_key
        self._envelope = Envelope([key_of(key)], account.app_id) if key else None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Pusher":
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(self._patience_s))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use the pusher as a context manager")
        return self._session

    async def shake(self) -> bool:
        """Return whether the address echoes what the console sends when it is entered."""
        echo = str(secrets.randbelow(10**18))
        async with self._http.get(self._url, params={**self._query(), "echostr": echo}) as response:
            return response.status == 200 and await response.text() == echo

    async def push(self, fields: Mapping[str, Any]) -> Pushed:
        """Push until somebody answers, three times at most."""
        pushed = Pushed()
        body, encrypted = self.body(fields)
        for _ in range(3):
            status, answer = await self._try(body, encrypted, pushed)
            if status == 200:
                pushed.shown = self._shown(answer)
                return pushed
            # An error is no answer: the platform waits out its time before it tries again.
            await asyncio.sleep(max(0.0, self._patience_s - pushed.seconds[-1]))
        pushed.shown = OUT_OF_ORDER
        return pushed

    async def once(self, body: bytes, query: Mapping[str, str]) -> tuple[int, bytes]:
        """Return status and body of the answer to one request."""
        headers = {"Content-Type": "application/json" if body[:1] == b"{" else "text/xml"}
        async with self._http.post(self._url, data=body, params=query, headers=headers) as response:
            return response.status, await response.read()

    async def _try(self, body: bytes, encrypted: str, pushed: Pushed) -> tuple[int, bytes]:
        began = time.monotonic()
        try:
            status, answer = await self.once(body, self._query(encrypted))
        except (TimeoutError, aiohttp.ClientError):
            status, answer = 0, b""
        pushed.statuses.append(status)
        pushed.seconds.append(time.monotonic() - began)
        return status, answer

    # What goes out

    def request(self, fields: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
        """Return the body and the query of a push, ready to be sent."""
        body, encrypted = self.body(fields)
        return body, self._query(encrypted)

    def body(self, fields: Mapping[str, Any]) -> tuple[bytes, str]:
        """Return the body of a push in the account's mode and form, and what is encrypted in it."""
        whole = {"ToUserName": self.account.original_id, **fields}
        plain = self._written(whole)
        if self._envelope is None or self.account.mode == "plain":
            return plain, ""
        encrypted = self._envelope.seal(plain, secrets.token_hex(8))
        sealed = {"ToUserName": self.account.original_id, "Encrypt": encrypted}
        if self.account.mode == "compatible":
            sealed = {**whole, "Encrypt": encrypted}
        return self._written(sealed), encrypted

    def _written(self, fields: Mapping[str, Any]) -> bytes:
        if self.account.form == "json":
            return json.dumps(fields, ensure_ascii=False).encode()
        inner = "".join(f"<{name}>{_xml(value)}</{name}>" for name, value in fields.items())
        return f"<xml>{inner}</xml>".encode()

    def _query(self, encrypted: str = "") -> dict[str, str]:
        timestamp, nonce = str(int(self._now())), str(secrets.randbelow(10**10))
        token = self.account.token
        query = {
            "signature": signature(token, timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
        }
        if encrypted:
            query["encrypt_type"] = "aes"
            query["msg_signature"] = signature(token, timestamp, nonce, encrypted)
        return query

    # What comes back

    def _shown(self, answer: bytes) -> str | None:
        """Return what the citizen sees of an answer."""
        if answer in {b"", b"success"}:
            return None
        try:
            message = xmltodict.parse(answer)["xml"]
            if self._envelope is not None and self.account.mode != "plain":
                given, encrypted = message["MsgSignature"], message["Encrypt"]
                parts = (self.account.token, message["TimeStamp"], message["Nonce"], encrypted)
                if not is_signature(given, *parts):
                    return OUT_OF_ORDER
                message = xmltodict.parse(self._envelope.open(encrypted)[0])["xml"]
            return str(message["Content"])
        except (KeyError, TypeError, ValueError, ExpatError):
            return OUT_OF_ORDER


def _xml(value: object) -> str:
    if isinstance(value, int | float):
        return str(value)
    return "<![CDATA[" + str(value).replace("]]>", "]]]]><![CDATA[>") + "]]>"
