"""Who may act for a desk: its token, a session made from it, or nobody but this machine.

Wrong tokens are not throttled: somebody behind the desk's own address could lock the desk out,
and an alarm would go unanswered. Tokens are long random strings; refusals are logged and counted.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from aiohttp import HttpVersion11, web

from config.settings import Desk
from normalizer.errors import Unauthorized

#: How long a page stays logged in: desks run day and night.
SESSION = timedelta(days=30)
#: Headers by which a proxy shows itself: what comes through one does not come from this machine.
_PROXIED = frozenset({"x-real-ip", "x-client-ip", "true-client-ip", "forwarded", "via"})
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def session_name(desk: str) -> str:
    """Return the name of a desk's session cookie."""
    return f"gateway_desk_{hashlib.sha256(desk.encode()).hexdigest()[:12]}"


def session_of(desk: str, token: str, secret: bytes, until: datetime) -> str:
    """Return a session that holds until an instant; another token or store makes it void."""
    expires = str(int(until.timestamp()))
    return f"{expires}.{_signature(desk, token, secret, expires)}"


def _signature(desk: str, token: str, secret: bytes, expires: str) -> str:
    key = hmac.digest(secret, b"desk-session:" + token.encode(), "sha256")
    return hmac.digest(key, f"{desk}:{expires}".encode(), "sha256").hex()


def is_session(value: str, desk: str, token: str, secret: bytes, now: datetime) -> bool:
    """Return whether a cookie is a session of the desk that still holds."""
    expires, _, signature = value.partition(".")
    if not expires.isascii() or not expires.isdigit() or len(expires) > 12:
        return False
    genuine = _same(signature, _signature(desk, token, secret, expires))
    return genuine and int(expires) > now.timestamp()


def is_token(desk: Desk, given: str) -> bool:
    """Return whether this is the desk's token, in constant time."""
    return desk.token is not None and _same(given, desk.token.get_secret_value())


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))


def check(
    request: web.Request,
    name: str,
    desk: Desk,
    secret: bytes,
    now: datetime,
    public_url: str,
    proxies: Sequence[str] = (),
) -> None:
    """Return if the request may act for the desk.

    Args:
        request: The request.
        name: The desk's name.
        desk: Its settings.
        secret: Of the store, for sessions.
        now: Our clock.
        public_url: Whose pages may use a session.
        proxies: Addresses and networks of proxies: what comes from one is from anywhere.

    Raises:
        Unauthorized: It may not; the message says what is missing.
    """
    if desk.token is None:
        check_local(request, proxies)
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and is_token(desk, given.strip()):
        return
    cookie = request.cookies.get(session_name(name), "")
    if cookie and is_session(cookie, name, desk.token.get_secret_value(), secret, now):
        check_origin(request, public_url)
        return
    raise Unauthorized("the desk's token is needed: Authorization: Bearer …")


def check_local(request: web.Request, proxies: Sequence[str] = ()) -> None:
    """Return if the request was made on this machine, by no foreign page and through no proxy.

    Raises:
        Unauthorized: It was not, or that is not certain.
    """
    why = "this desk has no token in the configuration and is open on this machine only"
    if not _is_loopback(request.remote):
        raise Unauthorized(why)
    # Before 1.30 nginx spoke HTTP/1.0 to its upstream unless told otherwise. Since then it leaves no
    # trace at all, not even the name that was asked for: only the configuration tells of it.
    proxied = any(_tells_of_proxy(name.lower()) for name in request.headers)
    if request.version < HttpVersion11 or proxied or _is_within(request.remote, proxies):
        raise Unauthorized(f"{why}; the request came through a proxy")
    # A page elsewhere may have its own name resolve to 127.0.0.1 (DNS rebinding).
    if _host_of(request.headers.get("Host", "")) not in _LOCAL_NAMES:
        raise Unauthorized(f"{why}; ask for 127.0.0.1 or localhost")
    check_origin(request, None)


def check_origin(request: web.Request, public_url: str | None) -> None:
    """Return unless a page of another origin made the browser send the request.

    Raises:
        Unauthorized: One did.
    """
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        navigates = request.headers.get("Sec-Fetch-Mode") == "navigate"
        if request.method not in ("GET", "HEAD") or not navigates:
            raise Unauthorized("a page of another site sent this request")
    origin = request.headers.get("Origin")
    if origin is None:
        return
    allowed = {request.headers.get("Host", "").lower()}
    if public_url is not None:
        allowed.add(urlsplit(public_url).netloc.lower())
    if not origin.startswith(("http://", "https://")) or _netloc(origin) not in allowed:
        raise Unauthorized("a page of another site sent this request")


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _host_of(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _tells_of_proxy(header: str) -> bool:
    return header in _PROXIED or header.startswith("x-forwarded")


def _is_within(remote: str | None, networks: Sequence[str]) -> bool:
    """Return whether a loopback address lies in one of the networks."""
    address = ip_address((remote or "").partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in ip_network(network, strict=False) for network in networks)


def _is_loopback(remote: str | None) -> bool:
    try:
        address = ip_address((remote or "").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
