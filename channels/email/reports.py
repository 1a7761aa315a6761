"""Delivery reports: what became of a mail of ours.

Sources: RFC 3464 §2 (delivery-status), RFC 8098 §3 (disposition), RFC 3463 (status codes).
"""

import re
from email.message import Message

from channels.email.headers import fields, first, ids
from channels.email.parsed import Delivery

_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_ANY_ID = re.compile(rb"<([^<>\s]{10,250}@[^<>\s]{1,255})>")
_REASON = 300


def delivery_of(report: Message | None, raw: bytes) -> Delivery | None:
    """Return what a report says of the mail that it names; None where it names none.

    Bounces of old servers have no parts: the first id in their body that could be a mail's counts,
    the caller knows whether it is ours.
    """
    told = _parts(report)
    named = told.get("text/rfc822-headers") or told.get("message/rfc822") or b""
    found = ids(first(fields(named), "message-id"))
    status = told.get("message/delivery-status") or told.get(
        "message/disposition-notification", b""
    )
    blocks = [fields(block) for block in re.split(rb"\r?\n\r?\n", status) if block.strip()]
    merged = [field for block in reversed(blocks) for field in block]
    message_id = _named(found, merged, raw)
    if message_id is None:
        return None
    reason = _text(first(merged, "diagnostic-code"))
    code = _text(first(merged, "status")) or None
    if code is None and (match := _STATUS.search(raw[:20_000].decode("latin-1"))):
        code = match[1]
    return Delivery(
        message_id=message_id,
        action=_action(merged, code),
        status=code,
        recipient=_text(first(merged, "final-recipient")).rpartition(";")[2].strip() or None,
        reason=reason[:_REASON] or None,
    )


def _named(found: tuple[str, ...], merged: list[tuple[str, bytes]], raw: bytes) -> str | None:
    if found:
        return found[0]
    original = ids(first(merged, "original-message-id"))
    if original:
        return original[0]
    body = raw.partition(b"\n\n")[2] or raw.partition(b"\r\n\r\n")[2]
    match = re.search(rb"Message-I[dD]:\s*<([^<>\s]{5,250})>", body) or _ANY_ID.search(body)
    return match[1].decode("utf-8", "replace") if match else None


def _action(merged: list[tuple[str, bytes]], code: str | None) -> str:
    action = _text(first(merged, "action")).lower()
    if action in {"failed", "delayed", "delivered", "relayed", "expanded"}:
        return action
    if _text(first(merged, "disposition")):
        return "displayed"
    return "delayed" if code and code.startswith("4") else "failed"


def _text(value: bytes) -> str:
    return " ".join(value.decode("utf-8", "replace").split())


def _parts(report: Message | None) -> dict[str, bytes]:
    if report is None:
        return {}
    found: dict[str, bytes] = {}
    for part in list(report.walk())[:30]:
        kind = part.get_content_type()
        if kind.startswith("message/") or kind == "text/rfc822-headers":
            found.setdefault(kind, _octets(part))
    return found


def _octets(part: Message) -> bytes:
    payload = part.get_payload()
    if isinstance(payload, list):
        # The parser takes each block of a delivery status for a message of its own.
        return b"\n\n".join(child.as_bytes() for child in payload if isinstance(child, Message))
    decoded = part.get_payload(decode=True)
    return decoded if isinstance(decoded, bytes) else b""
