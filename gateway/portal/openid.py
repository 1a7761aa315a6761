"""The request form inside WeChat: who fills it in is known by their open id, and nothing else of them.

`GET /channels/wechat/{name}/form` sends the citizen's WeChat to the platform and takes them back with
a code (OAuth, scope ``snsapi_base``: no question is asked and no name is told). The open id is kept in
a signed cookie for as long as a form takes; without it the form is the same for everybody.

Source: developers.weixin.qq.com/doc/offiaccount, "网页授权"; RFC 6749 §10.12 for ``state``.
"""

import hashlib
import hmac
import logging
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import msgspec
from aiohttp import web

from gateway.clock import Clock
from normalizer.errors import DeliveryError
from normalizer.schema import Inbound, Value

log = logging.getLogger(__name__)

COOKIE, STATE = "wechat", "wechat_state"
#: Seconds for which an open id and a way to the platform and back are good.
LASTS_S, WAY_S = 7200, 600


class Authorizer(Protocol):
    """An account by which citizens can be known."""

    def authorize_url(self, back: str, state: str) -> str:
        """Return where a citizen's WeChat is sent; it comes to ``back`` with a code and the state."""
        ...

    async def open_id(self, code: str) -> str:
        """Return whose code it is. Raises `DeliveryError`."""
        ...


class _Known(Value, frozen=True, kw_only=True):
    open_id: str
    until: int  #: seconds since 1970


class OpenIds:
    """Finds out and remembers who fills in the form.

    Args:
        accounts: By the channel's name.
        public_url: What citizens call us.
        secret: Of the store.
        clock: The time.
    """

    def __init__(
        self, accounts: Mapping[str, Authorizer], public_url: str, secret: bytes, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._public_url = public_url
        self._key = hmac.digest(secret, b"open ids of the form", hashlib.sha256)
        self._clock = clock
        self._secure = public_url.startswith("https:")

    def routes(self) -> list[web.RouteDef]:
        """Return the route that the menu's entry leads to."""
        return [web.get("/channels/wechat/{name}/form", self.enter, allow_head=False)]

    async def enter(self, request: web.Request) -> web.StreamResponse:
        """Send a citizen to the platform, or take them back and show the form."""
        account = self._accounts.get(request.match_info["name"])
        if account is None:
            raise web.HTTPNotFound
        code, state = request.query.get("code"), request.query.get("state", "")
        if code is None:
            return self._to_platform(account, request.match_info["name"])
        form = web.Response(status=303, headers={"Location": "/", "Cache-Control": "no-store"})
        form.del_cookie(STATE, path="/")
        # Else somebody could have another citizen fill in the form under their own open id.
        if state and hmac.compare_digest(request.cookies.get(STATE, "").encode(), state.encode()):
            await self._remember(account, code, form)
        return form

    def _to_platform(self, account: Authorizer, name: str) -> web.StreamResponse:
        state = secrets.token_urlsafe(16)
        back = f"{self._public_url}/channels/wechat/{name}/form"
        there = account.authorize_url(back, state)
        away = web.Response(status=302, headers={"Location": there, "Cache-Control": "no-store"})
        self._set(away, STATE, state, WAY_S)
        return away

    async def _remember(self, account: Authorizer, code: str, form: web.Response) -> None:
        try:
            open_id = await account.open_id(code)
        except DeliveryError as error:  # the form works without
            log.warning("openid.unknown", extra={"why": str(error)})
            return
        until = int(self._clock.now().timestamp()) + LASTS_S
        told = urlsafe_b64encode(msgspec.json.encode(_Known(open_id=open_id, until=until))).decode()
        self._set(form, COOKIE, f"{told}.{self._signature(told)}", LASTS_S)

    def _set(self, response: web.Response, name: str, value: str, lasts_s: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=lasts_s,
            path="/",
            httponly=True,
            secure=self._secure,
            samesite="Lax",
        )

    def _signature(self, told: str) -> str:
        return hmac.digest(self._key, told.encode(errors="replace"), hashlib.sha256).hex()

    def bound(self, request: web.Request, inbound: Inbound) -> Inbound:
        """Return a request of the form with the open id of who filled it in, if that is known."""
        open_id = self._of(request.cookies.get(COOKIE, ""), self._clock.now())
        if open_id is None or inbound.requester.anonymous:
            return inbound
        requester = msgspec.structs.replace(inbound.requester, wechat=open_id)
        return msgspec.structs.replace(inbound, requester=requester)

    def _of(self, cookie: str, now: datetime) -> str | None:
        told, _, given = cookie.partition(".")
        fits = hmac.compare_digest(given.encode(errors="replace"), self._signature(told).encode())
        if not told or not fits:
            return None
        known = msgspec.json.decode(urlsafe_b64decode(told), type=_Known)
        return known.open_id if known.until > now.timestamp() else None
