"""The platform's interface: every call with a token, in time, and with its errcode read."""

import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

import aiohttp
import msgspec

from channels.base import Shared
from channels.wechat.errcodes import Action, Code, meaning
from channels.wechat.settings import WeChatSettings
from channels.wechat.tokens import Issued, Tokens
from normalizer.errors import StoreError, TryLater, Unreachable

log = logging.getLogger(__name__)

TIMEOUT_S = 5.0
MEDIA_TIMEOUT_S = 20.0
#: A pause before what an operator must set right is tried again.
SETTING_S = 300.0
_CHUNK = 64 * 1024
#: Answers are small; what is larger is none.
_ANSWER_BYTES = 1 << 20


class Closed(Unreachable):
    """This citizen cannot be written to now: the declared fallback is next."""

    code = "closed"


class Api:
    """The interface of one account. Used on one event loop.

    Args:
        settings: Of the account.
        now: Seconds since 1970.
    """

    def __init__(self, settings: WeChatSettings, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._now = now
        self._session: aiohttp.ClientSession | None = None
        self._tokens: Tokens | None = None

    def share(self, shared: Shared) -> None:
        """Take what all processes see, for the token."""
        secret = self._settings
        name = f"{secret.platform}:{secret.app_id}"
        self._tokens = Tokens(name, shared, self._fetch_token, self._now)

    async def open(self) -> None:
        """Make ready; connections are made when they are needed."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                headers={"User-Agent": "intake-gateway"},
                cookie_jar=aiohttp.DummyCookieJar(),
            )

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self, path: str, body: Mapping[str, Any], *, spare: bool = False
    ) -> dict[str, Any]:
        """Return the answer to a call that the platform carried out.

        Args:
            path: Of the interface.
            body: What is asked.
            spare: There is another way to the citizen: what an operator must set right first is
                passed over.

        Raises:
            Closed: The citizen cannot be written to now.
            Unreachable: The call will never succeed.
            TryLater: It may, later.
        """
        token = await self._token()
        answer = await self._post(path, {"access_token": token}, body)
        if _action(answer) is Action.REFRESH:
            token = await self._token(refused=token)
            answer = await self._post(path, {"access_token": token}, body)
        if errcode := _errcode(answer):
            if spare and meaning(errcode).action is Action.SETTING:
                raise _passed_over(path, errcode)
            _raise(path, errcode)
        return answer

    async def media(self, media_id: str) -> AsyncIterator[bytes]:
        """Return the content of a picture, sound or film that a citizen sent.

        Raises:
            Unreachable: The platform has it no more.
            TryLater: It may give it later.
        """
        token = await self._token()
        response = await self._get_media(token, media_id)
        answer = await _told(response)
        if answer is not None and _action(answer) is Action.REFRESH:
            token = await self._token(refused=token)
            response = await self._get_media(token, media_id)
            answer = await _told(response)
        if answer is None:
            return _chunks(response)
        if errcode := _errcode(answer):
            _raise("media/get", errcode)
        # Of a film the platform gives an address.
        address = answer.get("video_url")
        if not isinstance(address, str) or not self._is_theirs(address):
            raise Unreachable("media/get: neither a file nor an address of the platform's")
        response = await self._get(address, {})
        if await _told(response) is not None:
            raise TryLater("the film's address gives no film")
        return _chunks(response)

    async def open_id(self, code: str) -> str:
        """Return the open id of the citizen whose OAuth code this is.

        Raises:
            Unreachable: The code is none, or was used.
            TryLater: The platform did not answer.
        """
        settings = self._settings
        secret = settings.app_secret.get_secret_value() if settings.app_secret else ""
        asked = {
            "appid": settings.app_id,
            "secret": secret,
            "code": code,
            "grant_type": "authorization_code",
        }
        address = f"{settings.base}/sns/oauth2/access_token"
        answer = await self._read(await self._get(address, asked))
        if errcode := _errcode(answer):
            _raise("sns/oauth2/access_token", errcode)
        found = answer.get("openid")
        if not isinstance(found, str) or not found:
            raise TryLater("sns/oauth2/access_token: the answer holds no open id")
        return found

    def _is_theirs(self, address: str) -> bool:
        """Return whether an address is the platform's: no answer may send us to hosts of this net."""
        host = urlsplit(address).hostname or ""
        ours = urlsplit(self._settings.base).hostname
        web = address.startswith(("http://", "https://"))
        return web and (host == ours or host.endswith(".qq.com"))

    # The token

    async def _token(self, refused: str | None = None) -> str:
        if self._tokens is None:
            raise TryLater("the account's client is not set up")
        try:
            return await self._tokens.get(refused)
        except StoreError:
            raise TryLater("the store that the access token lies in does not answer") from None

    async def _fetch_token(self, force: bool) -> Issued:
        settings = self._settings
        if settings.app_secret is None:
            raise TryLater("app_secret is not configured: nothing can be sent or fetched")
        secret = settings.app_secret.get_secret_value()
        if settings.platform == "wecom":
            params = {"corpid": settings.app_id, "corpsecret": secret}
            answer = await self._read(await self._get(f"{settings.base}/cgi-bin/gettoken", params))
        else:
            body = {
                "grant_type": "client_credential",
                "appid": settings.app_id,
                "secret": secret,
                "force_refresh": force,
            }
            answer = await self._post("/cgi-bin/stable_token", {}, body)
        if errcode := _errcode(answer):
            # 40001 here is the secret's fault; another try with the same one is of no use soon.
            code = meaning(errcode)
            pause = code.after_s if code.action is Action.LATER else SETTING_S
            raise TryLater(f"no access token: {errcode}: {code.means}", pause)
        token, lasts = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not isinstance(lasts, int) or not token:
            raise TryLater("no access token: the answer holds none")
        log.info("wechat.token", extra={"account": settings.name, "forced": force})
        return Issued(token=token, lasts_s=float(lasts))

    # HTTP

    async def _post(
        self, path: str, params: Mapping[str, str], body: Mapping[str, Any]
    ) -> dict[str, Any]:
        # msgspec writes Chinese as it is: the platform would show \\uXXXX to citizens.
        data = msgspec.json.encode(body)
        try:
            async with self._open_session.post(
                f"{self._settings.base}{path}",
                params=params,
                data=data,
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as response:
                return await self._read(response)
        except TimeoutError:
            raise TryLater("the platform did not answer in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise TryLater(f"no answer of the platform: {type(error).__name__}") from None

    async def _get_media(self, token: str, media_id: str) -> aiohttp.ClientResponse:
        address = f"{self._settings.base}/cgi-bin/media/get"
        return await self._get(address, {"access_token": token, "media_id": media_id})

    async def _get(self, address: str, params: Mapping[str, str]) -> aiohttp.ClientResponse:
        timeout = aiohttp.ClientTimeout(total=MEDIA_TIMEOUT_S)
        try:
            return await self._open_session.get(
                address, params=params, timeout=timeout, allow_redirects=False
            )
        except TimeoutError:
            raise TryLater("the platform did not answer in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise TryLater(f"no answer of the platform: {type(error).__name__}") from None

    async def _read(self, response: aiohttp.ClientResponse) -> dict[str, Any]:
        if response.status != 200:
            response.close()
            raise TryLater(f"the platform answered {response.status}")
        content = await response.content.read(_ANSWER_BYTES)
        try:
            answer = msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise TryLater("the platform's answer is no JSON") from None
        if not isinstance(answer, dict):
            raise TryLater("the platform's answer is no JSON object")
        return answer

    @property
    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise TryLater("the account's client is not open")
        return self._session


def _errcode(answer: Mapping[str, Any]) -> int:
    code = answer.get("errcode", 0)
    return code if isinstance(code, int) else -1


def _action(answer: Mapping[str, Any]) -> Action | None:
    errcode = _errcode(answer)
    return meaning(errcode).action if errcode else None


def _raise(path: str, errcode: int) -> NoReturn:
    """Raise what a code stands for. The platform's own ``errmsg`` is left out: it may quote."""
    code: Code = meaning(errcode)
    why = f"{path}: {errcode}: {code.means}"
    if code.action is Action.TEMPLATE:
        raise _passed_over(path, errcode)
    if code.action is Action.CLOSED:
        raise Closed(why)
    if code.action is Action.NEVER:
        raise Unreachable(why)
    # A token that is refused once more, right after it was fetched, is left to the next try.
    raise TryLater(why, SETTING_S if code.action is Action.SETTING else code.after_s)


def _passed_over(path: str, errcode: int) -> Closed:
    """Return what has the next way tried: no reason to let the account's other citizens wait."""
    why = f"{path}: {errcode}: {meaning(errcode).means}"
    log.error("wechat.subscription", extra={"why": why})
    return Closed(why)


async def _told(response: aiohttp.ClientResponse) -> dict[str, Any] | None:
    """Return what the platform says instead of a file; None where it gives the file.

    The status is 200 either way. A file has a name of its own in ``Content-Disposition``, and may
    be of any media type: citizens send plain text, too.
    """
    if response.status != 200:
        response.close()
        raise TryLater(f"the platform answered {response.status}")
    told = response.content_type in {"application/json", "text/plain"}
    if not told or "Content-Disposition" in response.headers:
        return None
    try:
        answer = msgspec.json.decode(await response.content.read(_ANSWER_BYTES))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise TryLater("the platform's answer is no JSON") from None
    return answer if isinstance(answer, dict) else {}


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        if response.status != 200:
            raise TryLater(f"the platform answered {response.status}")
        async for chunk in response.content.iter_chunked(_CHUNK):
            yield chunk
    except TimeoutError:
        raise TryLater("the file did not arrive in time") from None
    except aiohttp.ClientError as error:
        raise TryLater(f"the file broke off: {type(error).__name__}") from None
    finally:
        response.close()
