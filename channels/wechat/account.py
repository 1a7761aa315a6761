"""Official accounts and mini programs: what the platform pushes becomes messages, replies go back.

`GET` and `POST /channels/wechat/{name}`; contract section 5.
"""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from channels.base import Accept, MediaRef, Receipt, Reply, Request, Shared
from channels.wechat.api import Api
from channels.wechat.codec import (
    TEXT_BYTES,
    Kind,
    Push,
    failures_of,
    fields_of,
    place_of,
    push_of,
    sealed_reply,
    text_of,
    text_reply,
    word,
)
from channels.wechat.crypto import Envelope, is_signature, key_of, signature
from channels.wechat.menu import PROGRESS, RATE, publish
from channels.wechat.settings import WeChatSettings
from normalizer.errors import (
    ChannelError,
    DeliveryError,
    FieldError,
    Malformed,
    TryLater,
    Unauthorized,
)
from normalizer.schema import Inbound, Requester

log = logging.getLogger(__name__)

#: How far the platform's clock may be from ours, either way.
TOLERANCE = timedelta(minutes=5)
#: Pushes remembered between the steps of their way.
_OPEN = 64
#: Characters of a reason that are logged.
_WHY = 80
#: Seconds before a menu that the platform did not take is tried again.
_MENU_PAUSE_S = 300.0
#: The members that tell one message from another. What the platform makes of them may differ from
#: try to try: addresses of pictures, and the words that it hears in a voice.
_CONTENT = (
    "Content", "MediaId", "MediaId16K", "Location_X", "Location_Y", "Label",
    "Title", "Description", "Url", "AppId", "PagePath", "Event", "EventKey",
)  # fmt: skip
#: What ends the platform's tries.
SUCCESS = Reply(status=200, body=b"success", content_type="text/plain")
_MEDIA = (Kind.IMAGE, Kind.VOICE, Kind.VIDEO, Kind.SHORT_VIDEO)


def undelivered(account: str, why: str) -> None:
    """Tell the operator that a message which the platform had taken did not reach its citizen."""
    log.warning("wechat.undelivered", extra={"channel": account, "why": why[:_WHY]})


class CallBack:
    """The door that the platform knocks at: who may come in, and what they brought."""

    def __init__(self, settings: WeChatSettings) -> None:
        self._encrypted = settings.encrypted
        #: Pushes under way, by the identity of their request.
        self._open: OrderedDict[int, tuple[Request, dict[str, Any], int | None]] = OrderedDict()
        #: WeCom signs what is sealed and nothing else.
        self._sealed_only = settings.platform == "wecom"
        self._token = settings.token.get_secret_value()
        keys = [key_of(k.get_secret_value()) for k in settings.encoding_aes_key]
        self._envelope = Envelope(keys, settings.app_id)

    def handshake(self, request: Request, now: datetime) -> Reply:
        """Return the echo by which the platform's console sees that the address is ours.

        Raises:
            Unauthorized: The question is not the platform's.
            Malformed: It holds no echo, or one that no key opens.
        """
        echo = request.query.get("echostr")
        if not echo:
            raise Malformed("echostr", "is required")
        if self._sealed_only:
            self._check_sealed(request, echo, now)
            return Reply(status=200, body=self._envelope.open(echo)[0], content_type="text/plain")
        self._check_plain(request, now)
        return Reply(status=200, body=echo.encode(), content_type="text/plain")

    def authenticate(self, request: Request, now: datetime) -> None:
        """Return if the push is the platform's, of this application and of these five minutes.

        Raises:
            Unauthorized: It is not.
            Malformed: Its envelope is the platform's, and no key opens it.
        """
        if not self._sealed_only:
            self._check_plain(request, now)
        if not self._encrypted:
            return
        try:
            encrypted = word(fields_of(request.body), "Encrypt")
        except ChannelError:
            encrypted = None
        if encrypted is None:
            # Nothing shows whose words these are: whoever has seen one address could write them.
            raise Unauthorized("the push is not encrypted, and the configured mode wants it so")
        self._check_sealed(request, encrypted, now)
        try:
            self.opened(request)
        except FieldError as error:
            if error.field == "Encrypt":
                raise
            # What was sealed is no push: genuine, and told so by `parse`.

    def _check_plain(self, request: Request, now: datetime) -> None:
        timestamp, nonce = self._fresh(request, now)
        given = request.query.get("signature", "")
        if not is_signature(given, self._token, timestamp, nonce):
            raise Unauthorized("signature does not fit token, timestamp and nonce")

    def _check_sealed(self, request: Request, encrypted: str, now: datetime) -> None:
        timestamp, nonce = self._fresh(request, now)
        given = request.query.get("msg_signature", "")
        if not is_signature(given, self._token, timestamp, nonce, encrypted):
            raise Unauthorized("msg_signature does not fit the encrypted message")

    def _fresh(self, request: Request, now: datetime) -> tuple[str, str]:
        timestamp, nonce = request.query.get("timestamp", ""), request.query.get("nonce", "")
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 10):
            raise Unauthorized("timestamp must be whole seconds since 1970")
        if abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
            raise Unauthorized("timestamp is more than 5 minutes from this clock")
        return timestamp, nonce

    def opened(self, request: Request) -> tuple[dict[str, Any], int | None]:
        """Return the members of a push, and the index of the key that opened it.

        Raises:
            ChannelError: It is none.
        """
        known = self._open.get(id(request))
        if known is not None and known[0] is request:
            return known[1], known[2]
        fields, key = fields_of(request.body), None
        if self._encrypted:
            encrypted = word(fields, "Encrypt")
            if encrypted is None:
                raise Malformed("Encrypt", "is required")
            message, key = self._envelope.open(encrypted)
            fields = fields_of(message)
        # Asked for by each step of a push: to be believed, to be read, to be answered.
        self._open[id(request)] = (request, fields, key)
        if len(self._open) > _OPEN:
            self._open.popitem(last=False)
        return fields, key

    def sealed(self, request: Request, plain: str, key: int) -> str:
        """Return a reply in the envelope that the push came in."""
        timestamp, nonce = request.query["timestamp"], request.query["nonce"]
        encrypted = self._envelope.seal(plain.encode(), nonce, key)
        fits = signature(self._token, timestamp, nonce, encrypted)
        return sealed_reply(encrypted, fits, timestamp, nonce)


class OfficialAccount:
    """Takes the pushes of an official account or a mini program.

    Args:
        settings: Of the account.
        api: Its interface, for the menu; None: it has no secret.
    """

    def __init__(self, settings: WeChatSettings, api: Api | None = None) -> None:
        self._settings = settings
        self._api = api
        self._door = CallBack(settings)
        #: Seconds from the arrival of a push within which it is answered.
        self.reply_within_s = settings.reply_within_s
        #: A mini program does not show passive replies.
        self._passive = settings.platform == "official"

    def share(self, shared: Shared) -> None:
        """Take what all nodes see, for the token."""
        if self._api is not None:
            self._api.share(shared)

    async def run(self, accept: Accept) -> None:
        """Publish the menu, if the settings want one, and wait to be cancelled."""
        del accept
        api = self._api
        if api is None:
            await asyncio.Event().wait()
            return
        await api.open()
        try:
            if self._settings.menu:
                await self._publish(api)
            await asyncio.Event().wait()
        finally:
            await api.close()

    async def _publish(self, api: Api) -> None:
        while True:
            try:
                await publish(api, self._settings.form_url)
            except DeliveryError as error:
                extra = {"channel": self._settings.name, "why": str(error)}
                log.warning("wechat.menu", extra=extra)
                await asyncio.sleep(_MENU_PAUSE_S)
            else:
                return

    # The form inside WeChat

    def authorize_url(self, back: str, state: str) -> str:
        """Return where a citizen's WeChat is sent; it comes to ``back`` with a code and the state."""
        asked = {
            "appid": self._settings.app_id,
            "redirect_uri": back,
            "response_type": "code",
            "scope": "snsapi_base",
            "state": state,
        }
        # The members' order and the fragment are the documentation's: WeChat refuses others.
        return f"{self._settings.open_base}/connect/oauth2/authorize?{urlencode(asked)}#wechat_redirect"

    async def open_id(self, code: str) -> str:
        """Return whose code it is. Raises `DeliveryError`."""
        if self._api is None:
            raise TryLater("app_secret is not configured: nobody can be known")
        return await self._api.open_id(code)

    def handshake(self, request: Request, now: datetime) -> Reply:
        """Return the echo. Raises `Unauthorized` or `Malformed`."""
        return self._door.handshake(request, now)

    def authenticate(self, request: Request, now: datetime) -> None:
        """Return if the push is the platform's. Raises `Unauthorized` or `Malformed`."""
        self._door.authenticate(request, now)

    def parse(self, request: Request, now: datetime) -> Sequence[Inbound]:
        """Return the message of the push; none of an event that is no act of a citizen's.

        Raises:
            Malformed: A member is missing or wrong; names it.
            Oversized: It is larger than any push.
            Ignored: It is of a kind that is not known here.
        """
        push = self._push(request)[0]
        if push.kind is not Kind.EVENT:
            return [self._inbound(push, request, now)]
        if push.event == "click" and push.word("EventKey") == PROGRESS:
            # The menu's word for what a citizen can also type.
            asked = msgspec.structs.replace(push, fields={**push.fields, "Content": "查询"})
            return [self._inbound(asked, request, now)]
        for why in failures_of(push):
            undelivered(self._settings.name, why)
        return []

    def files(self, request: Request) -> Sequence[bytes]:
        """Return nothing: pictures and sounds are fetched, see `media`."""
        del request
        return ()

    def media(self, inbound: Inbound) -> Sequence[MediaRef]:
        """Return what is to be fetched for a message once it is a ticket."""
        media_id = inbound.extra.get("media_id")
        if not media_id or self._settings.app_secret is None:
            return ()
        return (MediaRef(id=media_id, kind=inbound.extra["msg_type"], key=inbound.key or media_id),)

    def reply(self, request: Request, receipts: Sequence[Receipt]) -> Reply:
        """Return the passive reply that shows the receipt, or ``success`` where nothing is to show."""
        try:
            push, key = self._push(request)
        except ChannelError:
            return SUCCESS
        text = receipts[0].message if receipts else self._greeting(push)
        if not text or not self._passive or any(r.answered for r in receipts):
            return SUCCESS
        return self._shown(request, push, text, key)

    def fits(self, receipts: Sequence[Receipt]) -> bool:
        """Return whether a passive reply can show the receipts whole."""
        return all(len(r.message.encode()) <= TEXT_BYTES for r in receipts)

    def late(self, request: Request) -> Reply:
        """Return what keeps the platform from repeating a push whose answer comes later."""
        del request
        return SUCCESS

    def _push(self, request: Request) -> tuple[Push, int | None]:
        """Return the push, and the index of the key that opened it."""
        fields, key = self._door.opened(request)
        return push_of(fields), key

    def _greeting(self, push: Push) -> str:
        if push.event in {"subscribe", "subscribe_scan", "scan"}:
            return self._settings.greeting
        if push.event == "click":
            rate = push.word("EventKey") == RATE
            return self._settings.how_to_rate if rate else self._settings.greeting
        return ""

    def _shown(self, request: Request, push: Push, text: str, key: int | None) -> Reply:
        # The platform's own clock: a repeat is answered with the same octets whoever answers it.
        plain = text_reply(push, text, push.at)
        if key is None:
            return Reply(status=200, body=plain.encode(), content_type="text/xml")
        sealed = self._door.sealed(request, plain, key)
        return Reply(status=200, body=sealed.encode(), content_type="text/xml")

    def _inbound(self, push: Push, request: Request, now: datetime) -> Inbound:
        text = push.word("Content") if push.kind is Kind.EVENT else text_of(push)
        return Inbound(
            channel="wechat",
            account=self._settings.name,
            message_id=push.key,
            key=push.key,
            key_name="MsgId",
            digest=_digest(push),
            text=text,
            received_at=now,
            sent_at=push.at,
            raw=request.body,
            raw_type="application/json" if request.body[:1] == b"{" else "text/xml",
            requester=Requester(wechat=push.sender),
            place=place_of(push),
            called=push.to,
            thread=push.sender,
            acknowledge=not self._passive,
            touched=push.kind is Kind.EVENT,
            extra=_extra(push),
        )


def _extra(push: Push) -> Mapping[str, str]:
    """Return what the ticket's evidence needs beside the words: original coordinates, media."""
    extra = {"msg_type": push.event or push.kind.value}
    if push.kind in _MEDIA:
        extra["media_id"] = push.word("MediaId")
    if push.kind is Kind.LOCATION:
        extra |= {"gcj02": f"{push.word('Location_X')},{push.word('Location_Y')}"}
    return extra


def _digest(push: Push) -> str:
    """Return what tells a repeat from other words under the same id."""
    content = [push.kind.value, push.sender, *(push.word(name) for name in _CONTENT)]
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()
