"""Signatures and the AES envelope of WeChat's pushes, with nothing but our own errors.

The cipher is wechatpy's; what wechatpy leaves unchecked is checked here: signatures in constant
time, every octet of the padding, the length and the application id.

Source: developers.weixin.qq.com/doc/offiaccount, "消息加解密说明" (AES-256-CBC, the first 16 octets
of the key as vector, PKCS#7 to blocks of 32; `16 random | length, 4 octets big-endian | message |
app id`) and "接入指南" (SHA-1 over the sorted parts). WeCom's scheme is the same with the corporation's
id in the last place: developer.work.weixin.qq.com/document/path/90968.
"""

import base64
import binascii
import hashlib
import hmac
import re
import struct
from collections.abc import Sequence
from typing import cast

from wechatpy.crypto.base import WeChatCipher

from normalizer.errors import Malformed, Unauthorized

_BLOCK = 32
_RANDOM = 16
_HEAD = _RANDOM + 4
_AES_KEY = re.compile(r"[A-Za-z0-9+/]{43}", re.ASCII)


def key_of(encoding_aes_key: str) -> bytes:
    """Return the 32 octets that an EncodingAESKey stands for.

    Raises:
        ValueError: It is not 43 characters of base64; the text does not repeat the key.
    """
    if _AES_KEY.fullmatch(encoding_aes_key) is None:
        raise ValueError("an EncodingAESKey has 43 letters and digits")
    # The last character may carry bits beyond the 32 octets, which the platform lets be.
    return base64.b64decode(encoding_aes_key + "=")


def signature(*parts: str) -> str:
    """Return the SHA-1 over the sorted parts, in hexadecimal digits."""
    joined = "".join(sorted(parts)).encode("utf-8", "surrogateescape")
    return hashlib.sha1(joined, usedforsecurity=False).hexdigest()


def is_signature(given: str, *parts: str) -> bool:
    """Return whether ``given`` is the signature of the parts; takes the same time either way."""
    expected = signature(*parts).encode()
    return hmac.compare_digest(expected, given.encode("utf-8", "surrogateescape"))


class Envelope:
    """Opens and seals what one application sends and gets.

    Args:
        keys: Of 32 octets; the one in force first, then the one before.
        app_id: Of the account, or of the corporation.
    """

    def __init__(self, keys: Sequence[bytes], app_id: str) -> None:
        self._keys = tuple(keys)
        self._ciphers = tuple(WeChatCipher(key) for key in keys)
        self._app_id = app_id.encode()

    def __repr__(self) -> str:
        return f"Envelope({len(self._ciphers)} keys)"

    def open(self, encrypted: str) -> tuple[bytes, int]:
        """Return the message, and which of the keys has opened it.

        Raises:
            Malformed: No key opens it: it was cut, changed, or made with a key not known here.
            Unauthorized: It was made for another application.
        """
        try:
            sealed = base64.b64decode(encrypted.encode("ascii"), validate=True)
        except (ValueError, binascii.Error):
            raise Malformed("Encrypt", "is not base64") from None
        if not sealed or len(sealed) % 16:
            raise Malformed("Encrypt", "is not a whole number of blocks")
        foreign = False
        for index, cipher in enumerate(self._ciphers):
            found = _unpacked(cast("bytes", cipher.decrypt(sealed)))
            if found is None:
                continue
            message, app_id = found
            if hmac.compare_digest(app_id, self._app_id):
                return message, index
            foreign = True
        if foreign:
            raise Unauthorized("the message is for another application id than the configured one")
        raise Malformed("Encrypt", "no configured EncodingAESKey opens it")

    def seal(self, message: bytes, nonce: str, key: int = 0) -> str:
        """Return a message in its envelope, in base64, made with the key of this index.

        The same message under the same nonce has the same envelope, whichever process makes it:
        its random part is drawn from both and the key, so that others cannot foretell it.
        """
        drawn = hmac.digest(
            self._keys[key], nonce.encode("utf-8", "surrogateescape") + message, "sha256"
        )
        packed = b"".join((drawn[:_RANDOM], struct.pack("!I", len(message)), message, self._app_id))
        padding = _BLOCK - len(packed) % _BLOCK
        sealed = self._ciphers[key].encrypt(packed + bytes([padding]) * padding)
        return base64.b64encode(sealed).decode()


def _unpacked(packed: bytes) -> tuple[bytes, bytes] | None:
    """Return message and application id; None where a wrong key or a changed octet shows."""
    padding = packed[-1]
    if not 1 <= padding <= _BLOCK or packed[-padding:] != bytes([padding]) * padding:
        return None
    content = packed[:-padding]
    if len(content) < _HEAD:
        return None
    (length,) = struct.unpack("!I", content[_RANDOM:_HEAD])
    if length > len(content) - _HEAD:
        return None
    return content[_HEAD : _HEAD + length], content[_HEAD + length :]
