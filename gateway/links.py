"""Secrets of the citizen's side that are derived, never stored: query codes and signed links."""

import base64
import hashlib
import hmac
import struct

#: No 0 O 1 I L U: a citizen reads the code aloud or copies it by hand.
_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)


def query_code(secret: bytes, ticket_id: str) -> str:
    """Return the ticket's query code: 8 characters, about 39 bits, the same at every call.

    Source: RFC 7693 §2.9, BLAKE2 with a key is a message authentication code; it takes a tenth of
    the time that HMAC does.
    """
    digest = hashlib.blake2b(
        ticket_id.encode(), digest_size=32, key=secret, person=b"query-code"
    ).digest()
    # 64 bits a pair: so many more than 900 that no pair is noticeably likelier than another.
    return "".join(_PAIRS[word % len(_PAIRS)] for word in struct.unpack(">4Q", digest))


def same_code(secret: bytes, ticket_id: str, given: str) -> bool:
    """Return whether ``given`` is the ticket's code, in constant time, any case and spacing."""
    cleaned = "".join(given.split()).upper().encode(errors="replace")
    return hmac.compare_digest(query_code(secret, ticket_id).encode(), cleaned)


def attachment_signature(secret: bytes, attachment_id: str, sha256: str) -> str:
    """Return the signature that opens one attachment."""
    message = f"attachment:{attachment_id}:{sha256}".encode()
    digest = hmac.digest(secret, message, hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:18]).decode()


def attachment_url(public_url: str, secret: bytes, attachment_id: str, sha256: str) -> str:
    """Return the address of an attachment's content, signed: whoever holds it may read it."""
    signature = attachment_signature(secret, attachment_id, sha256)
    return f"{public_url}/api/v1/attachments/{sha256}/{attachment_id}?sig={signature}"
