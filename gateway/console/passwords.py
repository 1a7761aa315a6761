"""Passwords of the console's users: what is kept of them, and comparing.

Sources: RFC 7914 for scrypt; OWASP Password Storage Cheat Sheet, "scrypt", for its parameters: of the
configurations of equal strength there the one that takes 16 MiB, as a gateway judges and stores beside.
"""

import base64
import hashlib
import hmac
import secrets
import unicodedata

from normalizer.errors import ConfigError

LN, R, P = 14, 8, 5
_SALT_OCTETS, _KEY_OCTETS = 16, 32
#: OpenSSL refuses to take more than this; 128 * N * r octets are needed and some for each of p.
_MEMORY = 128 * 1024 * 1024
#: OWASP ASVS 5.0 6.2.1 wants 8 at least and recommends 15 where there is no second factor.
SHORTEST = 12
LONGEST = 128


def checked(password: str) -> str:
    """Return a new password as it is compared.

    Raises:
        ConfigError: It is too short or too long.
    """
    password = _same_everywhere(password)
    if len(password) < SHORTEST:
        raise ConfigError(f"the password is too short: at least {SHORTEST} characters")
    if len(password) > LONGEST:
        raise ConfigError(f"the password is too long: at most {LONGEST} characters")
    if len(set(password)) < 5:
        raise ConfigError("the password repeats itself: at least 5 different characters")
    return password


def hashed(password: str, ln: int = LN, p: int = P) -> str:
    """Return what is kept of a password: parameters, salt and hash. Takes a quarter of a second."""
    salt = secrets.token_bytes(_SALT_OCTETS)
    key = _key(password, salt, ln, R, p)
    return f"scrypt$ln={ln},r={R},p={p}${_text(salt)}${_text(key)}"


def matches(password: str, kept: str) -> bool:
    """Return whether this is the password that something is kept of, in constant time."""
    _, parameters, salt, key = kept.split("$")
    ln, r, p = (int(each.partition("=")[2]) for each in parameters.split(","))
    given = _key(password[: 4 * LONGEST], base64.b64decode(salt), ln, r, p)
    return hmac.compare_digest(given, base64.b64decode(key))


def nobodys() -> str:
    """Return what is kept of a password that nobody knows: to compare with where there is no user."""
    return hashed(secrets.token_urlsafe(32))


def _key(password: str, salt: bytes, ln: int, r: int, p: int) -> bytes:
    octets = _same_everywhere(password).encode(errors="replace")
    return hashlib.scrypt(octets, salt=salt, n=2**ln, r=r, p=p, maxmem=_MEMORY, dklen=_KEY_OCTETS)


def _same_everywhere(password: str) -> str:
    """Return a password alike from every keyboard. Source: NIST SP 800-63B-4 §3.1.1.2."""
    return unicodedata.normalize("NFKC", password)


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
