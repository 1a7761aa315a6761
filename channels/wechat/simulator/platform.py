"""The platform's interface: tokens that expire, quotas, media, and every error inside an HTTP 200.

Source: developers.weixin.qq.com/doc/offiaccount, "获取稳定版接口调用凭据", "发送客服消息" (2023-06-12: five
messages within 48 hours of a citizen's own), "获取临时素材", "创建接口", "发送订阅通知"; and
developer.work.weixin.qq.com/document/path/94670 (sync_msg), 94677 (send_msg).
"""

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

#: Messages to a citizen after one of theirs, and for how long.
ALLOWED, WINDOW_S = 5, 48 * 3600.0
#: Of the stable interface: calls in a minute; forced refreshes in a day, thirty seconds apart.
TOKENS_A_MINUTE, FORCED_A_DAY, FORCED_APART_S = 10_000, 20, 30.0
PAGE = 1000


class Platform:
    """The interface of one account.

    Args:
        app_id: Of the account, or of the corporation.
        app_secret: Its secret.
        lasts_s: How long a token lasts.
        now: Seconds since 1970.
    """

    def __init__(
        self,
        app_id: str,
        app_secret: str,
        *,
        lasts_s: int = 7200,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._app = (app_id, app_secret)
        self._lasts_s = lasts_s
        self._now = now
        self._tokens: dict[str, float] = {}  #: until when each is valid
        self._asked_at: list[float] = []
        self._forced_at: list[float] = []
        self.asked: list[bool] = []  #: each request for a token: whether it was forced
        self.sent: list[dict[str, Any]] = []  #: every message that was taken
        self.calls: list[str] = []  #: path of every call
        self.menu: dict[str, Any] | None = None
        self.media: dict[str, tuple[bytes, str]] = {}  #: content and media type by id
        self.wrong: dict[str, list[int]] = defaultdict(
            list
        )  #: error codes of the next calls by path
        self.queue: list[dict[str, Any]] = []  #: what sync_msg gives
        self.page = PAGE  #: messages that sync_msg gives at a time, at most
        self.holder = "oHolder"  #: open id of whoever opens the form
        self._codes: dict[str, str] = {}
        self._written_at: dict[str, float] = {}
        self._spent: dict[str, int] = {}
        self._ids: set[str] = set()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Return the address once it listens."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.url = "http://{}:{}".format(*self._runner.addresses[0][:2])
        return self.url

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    # What a test or the demonstration does

    def wrote(self, open_id: str) -> None:
        """Take note that a citizen has written: five messages may be sent to them."""
        self._written_at[open_id] = self._now()
        self._spent[open_id] = 0

    def invalidate(self) -> None:
        """Make every token invalid, as another program with the same secret does."""
        self._tokens.clear()

    def texts(self, open_id: str) -> list[str]:
        """Return the texts that a citizen was sent."""
        return [m["text"]["content"] for m in self.sent if m["touser"] == open_id and "text" in m]

    # The interface

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.path
        self.calls.append(path)
        body = dict(request.query)
        if request.method == "POST":
            body |= msgspec.json.decode(await request.read())
        if self.wrong[path]:
            return _said(self.wrong[path].pop(0))
        if path.startswith("/film/"):
            return web.Response(body=self.media[path[6:]][0], content_type="video/mp4")
        if path == "/connect/oauth2/authorize":
            back = f"{body['redirect_uri']}?code={self._code(body)}&state={body['state']}"
            raise web.HTTPFound(back)
        if path == "/sns/oauth2/access_token":
            return self._known(body)
        if path in {"/cgi-bin/stable_token", "/cgi-bin/gettoken"}:
            return web.json_response(self._issue(path, body))
        if self._tokens.get(body.get("access_token", ""), 0.0) <= self._now():
            known = body.get("access_token", "") in self._tokens
            return _said(42001 if known else 40001)
        handlers: Mapping[str, Callable[[dict[str, Any]], web.Response]] = {
            "/cgi-bin/message/custom/send": self._send,
            "/cgi-bin/message/subscribe/bizsend": self._subscribe,
            "/cgi-bin/message/subscribe/send": self._subscribe,
            "/cgi-bin/media/get": self._media,
            "/cgi-bin/menu/create": self._menu,
            "/cgi-bin/kf/send_msg": self._send,
            "/cgi-bin/kf/sync_msg": self._sync,
        }
        handler = handlers.get(path)
        return handler(body) if handler else _said(48001)

    def _issue(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        wecom = path.endswith("gettoken")
        given = (
            (body.get("corpid"), body.get("corpsecret"))
            if wecom
            else (body.get("appid"), body.get("secret"))
        )
        if given != self._app:
            return {"errcode": 40013 if given[0] != self._app[0] else 40125, "errmsg": "invalid"}
        forced, now = bool(body.get("force_refresh")), self._now()
        self.asked.append(forced)
        self._asked_at = [*(at for at in self._asked_at if at > now - 60), now]
        self._forced_at = [at for at in self._forced_at if at > now - 86_400]
        if len(self._asked_at) > TOKENS_A_MINUTE:
            return {"errcode": 45011, "errmsg": "api minute-quota reach limit"}
        if forced and len(self._forced_at) >= FORCED_A_DAY:
            return {"errcode": 45009, "errmsg": "reach max api daily quota limit"}
        valid = [token for token, until in self._tokens.items() if until - 300 > now]
        early = bool(self._forced_at) and now - self._forced_at[-1] < FORCED_APART_S
        if valid and (not forced or early):
            token = valid[-1]
        else:
            self._forced_at += [now] if forced else []
            token = secrets.token_urlsafe(96)
            self._tokens[token] = now + self._lasts_s
        return {"access_token": token, "expires_in": int(self._tokens[token] - now)}

    def _code(self, body: Mapping[str, Any]) -> str:
        """Return a code for whoever holds the telephone: `holder`."""
        if body["scope"] != "snsapi_base" or body["response_type"] != "code":
            raise web.HTTPBadRequest
        code = secrets.token_urlsafe(16)
        self._codes[code] = self.holder
        return code

    def _known(self, body: Mapping[str, Any]) -> web.Response:
        if (body.get("appid"), body.get("secret")) != self._app:
            return _said(40125)
        open_id = self._codes.pop(body.get("code", ""), None)
        return web.json_response({"openid": open_id}) if open_id else _said(40029)

    def _send(self, body: dict[str, Any]) -> web.Response:
        to, own = body["touser"], body.get("msgid")
        if own is not None and own in self._ids:
            return _said(0)  # WeCom: the same message once more
        if len(body.get("text", {}).get("content", "").encode()) > 2048:
            return _said(45002)
        if self._now() - self._written_at.get(to, -WINDOW_S) >= WINDOW_S:
            return _said(45015)
        if self._spent[to] >= ALLOWED:
            return _said(45047)
        self._spent[to] += 1
        self._ids.add(own or secrets.token_hex(8))
        self.sent.append({k: v for k, v in body.items() if k != "access_token"})
        return _said(0)

    def _subscribe(self, body: dict[str, Any]) -> web.Response:
        if any(
            len(str(value["value"])) > 20 and "thing" in name
            for name, value in body["data"].items()
        ):
            return _said(47003)
        self.sent.append({k: v for k, v in body.items() if k != "access_token"})
        return _said(0)

    def _media(self, body: dict[str, Any]) -> web.Response:
        found = self.media.get(body.get("media_id", ""))
        if found is None:
            return _said(40007)
        content, kind = found
        if kind == "video/mp4":
            return web.json_response({"video_url": f"{self.url}/film/{body['media_id']}"})
        name = f'attachment; filename="{body["media_id"]}"'
        return web.Response(body=content, content_type=kind, headers={"Content-Disposition": name})

    def _menu(self, body: dict[str, Any]) -> web.Response:
        self.menu = {k: v for k, v in body.items() if k != "access_token"}
        return _said(0)

    def _sync(self, body: dict[str, Any]) -> web.Response:
        begin = int(body.get("cursor") or 0)
        end = min(begin + min(self.page, int(body.get("limit", PAGE))), len(self.queue))
        answer = {"errcode": 0, "errmsg": "ok", "next_cursor": str(end)}
        return web.json_response(
            {**answer, "has_more": int(end < len(self.queue)), "msg_list": self.queue[begin:end]}
        )


def _said(errcode: int) -> web.Response:
    """Return what the platform says, be it an error or not: always with status 200."""
    return web.json_response({"errcode": errcode, "errmsg": "ok" if errcode == 0 else "error"})
