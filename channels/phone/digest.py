"""Digest authentication of our own requests. Source: RFC 3261 section 22, RFC 7616, RFC 8760."""

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from normalizer.schema import Value

_PAIR = re.compile(r'([a-zA-Z]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,]+)')
#: By how much we like them.
_HASHES: Mapping[str, Callable[[bytes], "hashlib._Hash"]] = MappingProxyType(
    {"SHA-256": hashlib.sha256, "MD5": lambda data: hashlib.md5(data, usedforsecurity=False)}
)


class Challenge(Value, frozen=True, kw_only=True):
    """What a server wants to know."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    opaque: str = ""
    auth: bool = False  #: ``qop=auth`` is offered


def challenge(values: Iterable[str]) -> Challenge | None:
    """Return the best challenge that we can answer; None: there is none."""
    found = [c for value in values if (c := _challenge(value)) is not None]
    order = list(_HASHES)
    return min(found, key=lambda c: order.index(c.algorithm), default=None)


def _challenge(value: str) -> Challenge | None:
    scheme, _, rest = value.strip().partition(" ")
    given = {name.lower(): _bare(text) for name, text in _PAIR.findall(rest)}
    algorithm = given.get("algorithm", "MD5").upper()
    if scheme.lower() != "digest" or algorithm not in _HASHES:
        return None
    if "realm" not in given or "nonce" not in given:
        return None
    offered = [word.strip() for word in given.get("qop", "").split(",")]
    if offered != [""] and "auth" not in offered:
        return None  # integrity of the body is asked for, which nobody does
    return Challenge(
        realm=given["realm"],
        nonce=given["nonce"],
        algorithm=algorithm,
        opaque=given.get("opaque", ""),
        auth="auth" in offered,
    )


def _bare(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def answer(
    asked: Challenge,
    method: str,
    uri: str,
    user: str,
    password: str,
    client_nonce: str | None = None,
) -> str:
    """Return the value of ``Authorization`` or ``Proxy-Authorization``.

    Args:
        asked: The challenge.
        method: Of the request.
        uri: Its Request-URI.
        user: Our name.
        password: Ours.
        client_nonce: Taken if given, as the vectors of the RFC need.
    """

    def hashed(*words: str) -> str:
        return _HASHES[asked.algorithm](":".join(words).encode()).hexdigest()

    ours, request = hashed(user, asked.realm, password), hashed(method, uri)
    values = {"username": user, "realm": asked.realm, "nonce": asked.nonce, "uri": uri}
    bare = {"algorithm": asked.algorithm}
    if asked.auth:
        client = secrets.token_hex(8) if client_nonce is None else client_nonce
        values["response"] = hashed(ours, asked.nonce, "00000001", client, "auth", request)
        values["cnonce"] = client
        bare |= {"qop": "auth", "nc": "00000001"}
    else:
        values["response"] = hashed(ours, asked.nonce, request)
    if asked.opaque:
        values["opaque"] = asked.opaque
    quoted = [f'{name}="{_escaped(value)}"' for name, value in values.items()]
    return "Digest " + ", ".join([*quoted, *(f"{n}={v}" for n, v in bare.items())])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
