"""Secrets of the citizen's side that are derived, never stored: query codes and signed links."""

import base64
import hashlib
import hmac
import struct
from collections.abc import Sequence

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


def temporary_code(secret: bytes, ticket_id: str, nonce: str) -> str:
    """Return the code that opens a ticket for a while: 8 digits, as telephones fill them in.

    Args:
        secret: Of the store.
        ticket_id: The ticket's.
        nonce: Made for this code, kept with the ticket.
    """
    said = f"{ticket_id}:{nonce}".encode()
    digest = hashlib.blake2b(said, digest_size=8, key=secret, person=b"temporary-code").digest()
    return f"{int.from_bytes(digest, 'big') % 100_000_000:08}"


def same_code(secret: bytes, ticket_id: str, given: str, nonces: Sequence[str] = ()) -> bool:
    """Return whether ``given`` is a code of the ticket, in constant time, any case and spacing.

    Args:
        secret: Of the store.
        ticket_id: The ticket's.
        given: What was typed.
        nonces: Of the temporary codes that are good now.
    """
    cleaned = "".join(given.split()).upper().encode(errors="replace")
    codes = [query_code(secret, ticket_id)]
    codes += [temporary_code(secret, ticket_id, nonce) for nonce in nonces]
    # All are compared: how long it takes tells nothing of which was right.
    found = [hmac.compare_digest(code.encode(), cleaned) for code in codes]
    return any(found)


def attachment_signature(secret: bytes, attachment_id: str, sha256: str) -> str:
    """Return the signature that opens one attachment."""
    message = f"attachment:{attachment_id}:{sha256}".encode()
    digest = hmac.digest(secret, message, hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:18]).decode()


def attachment_url(public_url: str, secret: bytes, attachment_id: str, sha256: str) -> str:
    """Return the address of an attachment's content, signed: whoever holds it may read it."""
    signature = attachment_signature(secret, attachment_id, sha256)
    return f"{public_url}/api/v1/attachments/{sha256}/{attachment_id}?sig={signature}"
