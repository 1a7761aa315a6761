"""WeCom customer service (微信客服): a call-back that only rings, and a queue that is read by cursor.

The call-back tells no words; they are fetched with ``sync_msg``, and the cursor is put forward only
after every message of a batch is durable. A crash between two batches brings the last one again,
under the same ids.

Source: developer.work.weixin.qq.com/document/path/94670 ("接收消息和事件") and 94677 ("发送消息").
"""

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from channels.base import Accept, MediaRef, Receipt, Reply, Request, Shared
from channels.wechat.account import SUCCESS, CallBack, undelivered
from channels.wechat.api import Api
from channels.wechat.codec import Kind, push_of, word
from channels.wechat.geo import to_wgs84
from channels.wechat.settings import WeChatSettings
from normalizer.errors import ChannelError, Conflict, DeliveryError, StoreError
from normalizer.schema import Inbound, Place, Requester

log = logging.getLogger(__name__)

#: ``origin`` of what a citizen sent; others are the platform's events and our own people's words.
_CITIZEN = 3
_BATCH = 1000
#: What stands for a message without words.
_SHOWN = {
    "image": "[图片]",
    "voice": "[语音]",
    "video": "[视频]",
    "file": "[文件]",
    "location": "[位置]",
    "link": "[链接]",
    "miniprogram": "[小程序]",
    "business_card": "[名片]",
    "channels": "[视频号]",
}
_MEDIA = frozenset({"image", "voice", "video", "file"})
#: Seconds before a queue that could not be read is read again.
_PAUSE_S = 5.0


class CustomerService:
    """Takes the messages of a corporation's customer-service accounts.

    Args:
        settings: Of the account.
        api: Its interface.
    """

    def __init__(self, settings: WeChatSettings, api: Api) -> None:
        self._settings = settings
        self._api = api
        self._door = CallBack(settings)
        self._shared: Shared | None = None
        self._rung = asyncio.Event()
        self._trouble: str | None = None
        #: Accounts to look at, each with the newest call-back's token: without one the interface
        #: answers seldom only.
        self._waiting: dict[str, str | None] = dict.fromkeys(settings.open_kfids)

    def share(self, shared: Shared) -> None:
        """Take what all nodes see, for cursors and the token."""
        self._shared = shared
        self._api.share(shared)

    def trouble(self) -> str | None:
        """Return why citizens' messages do not come in; None while they do."""
        return self._trouble

    # The call-back

    def handshake(self, request: Request, now: datetime) -> Reply:
        """Return the echo. Raises `Unauthorized` or `Malformed`."""
        return self._door.handshake(request, now)

    def authenticate(self, request: Request, now: datetime) -> None:
        """Return if the push is the platform's. Raises `Unauthorized` or `Malformed`."""
        self._door.authenticate(request, now)

    def parse(self, request: Request, now: datetime) -> Sequence[Inbound]:
        """Return nothing: the words are fetched. Raises `Malformed`, `Oversized` or `Ignored`."""
        del now
        push_of(self._door.opened(request)[0])
        return ()

    def files(self, request: Request) -> Sequence[bytes]:
        """Return nothing."""
        del request
        return ()

    def reply(self, request: Request, receipts: Sequence[Receipt]) -> Reply:
        """Return ``success`` and have the queue read."""
        del receipts
        try:
            push = push_of(self._door.opened(request)[0])
        except ChannelError:  # kept already
            return SUCCESS
        open_kfid = word(push.fields, "OpenKfId")
        if push.event == "kf_msg_or_event" and open_kfid:
            self._waiting[open_kfid] = word(push.fields, "Token")
            self._rung.set()
        return SUCCESS

    # The queue

    async def run(self, accept: Accept) -> None:
        """Read the queues whenever the call-back rings, and now and then without."""
        await self._api.open()
        try:
            while True:
                self._rung.clear()
                pause = self._settings.poll_s if await self._look(accept) else _PAUSE_S
                try:
                    async with asyncio.timeout(pause):
                        await self._rung.wait()
                except TimeoutError:
                    continue
        finally:
            await self._api.close()

    async def _look(self, accept: Accept) -> bool:
        """Return whether every queue was read to its end."""
        self._trouble = None
        for open_kfid in list(self._waiting):
            try:
                await self.sync(open_kfid, accept)
            except (DeliveryError, StoreError) as error:
                self._trouble = f"the queue cannot be read: {error}"
                self._waiting[open_kfid] = None  # it may be the token that is too old
                log.warning(
                    "wechat.sync", extra={"channel": self._settings.name, "why": str(error)}
                )
        return self._trouble is None

    async def sync(self, open_kfid: str, accept: Accept) -> None:
        """Return once everything in an account's queue is durable.

        Raises:
            DeliveryError: The platform did not answer as it should.
            StoreError: Not everything was stored; the cursor stands before it.
        """
        if self._shared is None:
            return
        name = f"wecom-cursor:{self._settings.app_id}:{open_kfid}"
        more = True
        while more:
            entry = await self._shared.shared(name)
            answer = await self._batch(open_kfid, entry.value.decode() if entry else "")
            for message in answer.get("msg_list") or ():
                await self._take(message, accept)
            cursor = answer.get("next_cursor")
            if isinstance(cursor, str) and cursor:
                # Lost to another node: it has stored the same messages under the same ids.
                await self._shared.swap(name, cursor.encode(), entry.version if entry else 0)
            more = bool(answer.get("has_more"))

    async def _batch(self, open_kfid: str, cursor: str) -> dict[str, Any]:
        asked: dict[str, Any] = {"cursor": cursor, "limit": _BATCH, "voice_format": 0}
        token = self._waiting.get(open_kfid)
        if token:
            asked["token"] = token
        return await self._api.call("/cgi-bin/kf/sync_msg", {**asked, "open_kfid": open_kfid})

    async def _take(self, message: Mapping[str, Any], accept: Accept) -> None:
        inbound = self.inbound_of(message, datetime.now(UTC))
        if inbound is None:
            self._note(message)
            return
        try:
            await accept(inbound)
        except Conflict:
            log.warning("wechat.conflict", extra={"channel": self._settings.name})

    def _note(self, message: Mapping[str, Any]) -> None:
        """Tell of a message of ours that the platform could not deliver after all."""
        event = message.get("event")
        if isinstance(event, Mapping) and event.get("event_type") == "msg_send_fail":
            undelivered(self._settings.name, f"fail_type {event.get('fail_type')}")

    def media(self, inbound: Inbound) -> Sequence[MediaRef]:
        """Return what is to be fetched for a message once it is a ticket."""
        media_id = inbound.extra.get("media_id")
        kind = inbound.extra.get("msg_type", "")
        return (MediaRef(id=media_id, kind=kind, key=inbound.key or ""),) if media_id else ()

    def inbound_of(self, message: Mapping[str, Any], now: datetime) -> Inbound | None:
        """Return what a citizen sent; None of what is no word of theirs.

        A kind that is not known here, or one without its members, is a ticket that a human looks at.
        """
        if message.get("origin") != _CITIZEN:
            return None
        kind = str(message.get("msgtype", ""))
        content = message.get(kind)
        content = content if isinstance(content, Mapping) else {}
        citizen, open_kfid = str(message.get("external_userid")), str(message.get("open_kfid"))
        raw = msgspec.json.encode(message)
        text = _text(kind, content)
        extra = {"msg_type": kind}
        if kind in _MEDIA and content.get("media_id"):
            extra["media_id"] = str(content["media_id"])
        key = str(message.get("msgid") or hashlib.sha256(raw).hexdigest())
        return Inbound(
            channel="wechat",
            account=self._settings.name,
            message_id=key,
            key=key,
            key_name="msgid",
            digest=hashlib.sha256(msgspec.json.encode([kind, citizen, content])).hexdigest(),
            text=text or f"[{kind[:40]}]",
            received_at=now,
            sent_at=_instant(message.get("send_time")),
            raw=raw,
            raw_type="application/json",
            requester=Requester(wechat=citizen),
            place=_place(kind, content),
            called=open_kfid,
            thread=f"{open_kfid}/{citizen}",
            acknowledge=True,
            undecodable=text is None,
            extra=extra,
        )


def _text(kind: str, content: Mapping[str, Any]) -> str | None:
    """Return the words of a message; None where it is of no known kind."""
    if kind == Kind.TEXT:
        text = content.get("content")
        return text if isinstance(text, str) else None
    shown = _SHOWN.get(kind)
    if shown is None:
        return None
    told = ("name", "address", "title", "desc", "url")
    words = [str(content[name]) for name in told if content.get(name)]
    if kind == Kind.LOCATION:
        words.append(f"(GCJ-02 {content.get('latitude')},{content.get('longitude')})")
    return " ".join([shown, *words])


def _instant(seconds: object) -> datetime | None:
    """Return when a message was sent; None where nobody can tell, which must not stop the queue."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) else None
    except (OverflowError, ValueError, OSError):
        return None


def _place(kind: str, content: Mapping[str, Any]) -> Place:
    north, east = content.get("latitude"), content.get("longitude")
    if kind != Kind.LOCATION or not isinstance(north, int | float):
        return Place()
    if not isinstance(east, int | float) or abs(north) > 90 or abs(east) > 180:
        return Place()
    label = " ".join(str(content[n]) for n in ("address", "name") if content.get(n))
    latitude, longitude = to_wgs84(float(north), float(east))
    return Place(text=label or None, latitude=round(latitude, 6), longitude=round(longitude, 6))
