"""The mails that we send, as octets; sans-io.

Sources: RFC 5322 §3.6, RFC 2047 (subjects), RFC 3834 §3.1 (automatic answers).
"""

import base64
import re
from datetime import datetime
from email.utils import format_datetime

from channels.base import Message
from channels.email.automatic import OWN_FIELD

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_ID = re.compile(r"<?[^<>\s]{1,250}@[^<>\s]{1,250}>?")
#: Octets of one encoded word's content, so that the word has 75 characters at most.
_WORD = 42


def compose(
    message: Message, *, sender: str, name: str, to: str, message_id: str, at: datetime
) -> bytes:
    """Return a mail.

    Args:
        message: What it says.
        sender: Our address.
        name: What stands before it.
        to: Whom it is for.
        message_id: Without brackets.
        at: When.
    """
    fields = [
        ("From", f"{_words(name)} <{sender}>" if name else sender),
        ("To", f"<{_line(to)}>"),
        ("Subject", _words(subject_of(message))),
        ("Date", format_datetime(at)),
        ("Message-ID", f"<{message_id}>"),
        *_answers(message.in_reply_to),
        ("Auto-Submitted", "auto-replied" if message.acknowledges else "auto-generated"),
        # Exchange sends no notice of absence then; delivery reports are wanted.
        ("X-Auto-Response-Suppress", "OOF, AutoReply"),
        (OWN_FIELD.title(), "1"),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", "base64"),
    ]
    if message.urgent:
        fields.append(("X-Priority", "1"))
    head = "".join(f"{key}: {value}\r\n" for key, value in fields)
    return head.encode() + b"\r\n" + _lines(message.text)


def subject_of(message: Message) -> str:
    """Return the subject: the title, or what the mail is about."""
    if message.title:
        return message.title
    about = f"您的诉求（工单编号 {message.number}）" if message.number else "12345热线通知"
    return f"【紧急】{about}" if message.urgent else about


def _answers(message_id: str | None) -> list[tuple[str, str]]:
    if message_id is None or not _ID.fullmatch(message_id):
        return []
    told = f"<{message_id.strip('<>')}>"
    return [("In-Reply-To", told), ("References", told)]


def _line(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()


def _words(text: str) -> str:
    text = _line(text)
    if text.isascii() and not set(text) & set('"<>()@,;:\\=?'):
        return text
    chunks, held = [], b""
    for character in text:
        octets = character.encode("utf-8", "replace")
        if len(held) + len(octets) > _WORD:
            chunks.append(held)
            held = b""
        held += octets
    return "\r\n ".join(
        f"=?utf-8?B?{base64.b64encode(chunk).decode()}?=" for chunk in (*chunks, held)
    )


def _lines(text: str) -> bytes:
    body = re.sub(r"\r\n|\r|\n", "\r\n", text).encode("utf-8", "replace") + b"\r\n"
    coded = base64.b64encode(body)
    return b"".join(coded[at : at + 76] + b"\r\n" for at in range(0, len(coded), 76))
