"""WeChat's side: the platform's interface, its encrypted pushes, and what citizens' chats show."""

import secrets
import time
from collections.abc import Mapping
from typing import Any

from channels.wechat.simulator.platform import Platform
from channels.wechat.simulator.pusher import Account, Pusher, members
from gateway.demo.reading import sent, waited
from gateway.demo.story import Scene, Sent
from gateway.peers.photo import PHOTO

_APP_ID = "wx5823bf96d3bd56c7"


class WeChat:
    """Citizens who follow an official account in encrypted mode."""

    name = "wechat"

    def __init__(self) -> None:
        secret = secrets.token_hex(16)
        self.platform = Platform(_APP_ID, secret)
        self._secret = secret
        self._account = Account(
            app_id=_APP_ID,
            token=secrets.token_hex(12),
            encoding_aes_key=secrets.token_hex(22)[:43],
            mode="encrypted",
        )
        self._pusher: Pusher | None = None
        self._last: dict[str, Any] = {}

    async def start(self) -> Mapping[str, object] | None:
        """Serve the platform's interface, and return the account's section."""
        await self.platform.start()
        return {
            "kind": "wechat",
            "name": "oa",
            "app_id": _APP_ID,
            "app_secret": self._secret,
            "token": self._account.token,
            "encoding_aes_key": self._account.encoding_aes_key,
            "api_base": self.platform.url,
            "menu": True,
        }

    async def meet(self, gateway: str) -> None:
        """Have the console take the account's address, as it does when it is entered."""
        self._pusher = Pusher(self._account, f"{gateway}/channels/wechat/oa")
        await self._pusher.__aenter__()
        if not await self._pusher.shake():
            raise ConnectionError("the platform's console does not take the account's address")

    async def play(self, scene: Scene) -> Sent:
        """Push what the citizen wrote, and read the passive reply, or the message that follows."""
        if self._pusher is None:
            raise ConnectionError("the console has not taken the account's address")
        self.platform.wrote(scene.by)
        if scene.becomes != "repeat":
            self._last = self._written(scene)
        before = len(self.chat(scene.by))
        began = time.perf_counter()
        pushed = await self._pusher.push(self._last)
        if pushed.shown is not None:
            return sent(scene, began, pushed.shown)
        # `success`: what there is to say comes as a customer-service message.
        await waited(lambda: len(self.chat(scene.by)) > before)
        return sent(scene, began, "".join(self.chat(scene.by)[before:]))

    async def stop(self) -> None:
        """Push and listen no more."""
        if self._pusher is not None:
            await self._pusher.__aexit__()
        await self.platform.stop()

    def chat(self, citizen: str) -> list[str]:
        """Return the customer-service messages in a citizen's chat."""
        return self.platform.texts(citizen)

    def _written(self, scene: Scene) -> dict[str, Any]:
        if scene.photo:
            self.platform.media[scene.photo] = (PHOTO, "image/jpeg")
            address = "http://mmbiz.qpic.cn/mmbiz_jpg/photo/0"
            return members("image", scene.by, MediaId=scene.photo, PicUrl=address)
        return members("text", scene.by, Content=scene.text)
