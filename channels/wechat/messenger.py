"""The way back to citizens on WeChat: customer-service messages, and what follows when they are closed."""

import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator

from channels.base import MediaRef, Message, Shared
from channels.wechat.api import Api, Closed
from channels.wechat.codec import TEXT_BYTES, split
from channels.wechat.settings import WeChatSettings
from normalizer.errors import TryLater

#: Long messages whose first parts have arrived, remembered so that a further try goes on with the
#: rest. After a restart a part may come twice.
_KEPT = 1000
#: Code points that a ``thing`` of a subscription message takes. Source: "订阅消息参数值内容限制说明".
_THING = 20


class WeChatMessenger:
    """Writes to the citizens of one account; ``to`` is their open id.

    Args:
        settings: Of the account.
        api: Its interface.
    """

    def __init__(self, settings: WeChatSettings, api: Api) -> None:
        self._settings = settings
        self._api = api
        self._sent: OrderedDict[str, int] = OrderedDict()
        #: Further ways by which a citizen may be told, in the order of the settings.
        self.fallback = tuple(way for way in settings.fallback if way != "subscription")

    def share(self, shared: Shared) -> None:
        """Take what all processes see."""
        self._api.share(shared)

    async def open(self) -> None:
        """Make ready to send."""
        await self._api.open()

    async def close(self) -> None:
        """Let go of connections."""
        await self._api.close()

    async def fetch(self, ref: MediaRef) -> AsyncIterator[bytes]:
        """Return the content of what a citizen sent. Raises `TryLater` or `Unreachable`."""
        return await self._api.media(ref.id)

    async def send(self, to: str, message: Message) -> str:
        """Return the message's key once the platform took all of it.

        Raises:
            TryLater: The platform did not take it now.
            Unreachable: The citizen cannot be told on WeChat.
        """
        if self._settings.app_secret is None:
            raise TryLater("app_secret is not configured: nothing can be sent")
        parts = split(message.text, TEXT_BYTES)
        try:
            for index in range(self._sent.get(message.key, 0), len(parts)):
                await self._text(to, message.key, index, parts[index])
                self._remember(message.key, index + 1)
        except Closed:
            await self._subscribed(to, message)
        self._sent.pop(message.key, None)
        return message.key

    async def _text(self, to: str, key: str, index: int, text: str) -> None:
        if self._settings.platform == "wecom":
            open_kfid, _, citizen = to.partition("/")
            body = {"touser": citizen, "open_kfid": open_kfid, "msgid": _own_id(key, index)}
            path = "/cgi-bin/kf/send_msg"
        else:
            body = {"touser": to}
            path = "/cgi-bin/message/custom/send"
        await self._api.call(path, {**body, "msgtype": "text", "text": {"content": text}})

    async def _subscribed(self, to: str, message: Message) -> None:
        """Send a subscription message instead, if one is configured. Raises `Closed` if not."""
        template = self._settings.subscription
        if template is None or "subscription" not in self._settings.fallback:
            raise Closed("the citizen cannot be written to now, and no subscription is configured")
        if message.number is None:
            raise Closed("the message is about no ticket: it fits no subscription message")
        path = "/cgi-bin/message/subscribe/bizsend"
        if self._settings.platform == "miniprogram":
            path = "/cgi-bin/message/subscribe/send"
        body = {
            "touser": to,
            "template_id": template.id,
            "data": {
                template.number: {"value": message.number},
                template.text: {"value": _short(message.text)},
            },
        }
        if template.page is not None:
            body["page"] = template.page
        await self._api.call(path, body, spare=True)

    def _remember(self, key: str, parts: int) -> None:
        self._sent[key] = parts
        if len(self._sent) > _KEPT:
            self._sent.popitem(last=False)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _THING else flat[: _THING - 1] + "…"


def _own_id(key: str, index: int) -> str:
    """Return the id by which WeCom knows a repeat: 32 of [0-9a-zA-Z_-], the same on every try."""
    return hashlib.sha256(f"{key}:{index}".encode()).hexdigest()[:32]
