"""Octets of mails, made by hand: no library that would put right what must be wrong."""

import base64
from dataclasses import dataclass, field

from channels.email.parsed import Kind

OURS = "12345@city.example"
BORDER = "=_Part_7_1911.1719"


def b64(octets: bytes, width: int = 76) -> bytes:
    """Return base64 in lines."""
    text = base64.b64encode(octets)
    return b"\r\n".join(text[i : i + width] for i in range(0, len(text), width))


def word(text: str, charset: str, kind: str = "B", codec: str | None = None) -> bytes:
    """Return one encoded word."""
    octets = text.encode(codec or charset)
    if kind == "B":
        return b"=?" + charset.encode() + b"?B?" + base64.b64encode(octets) + b"?="
    quoted = b"".join(b"=%02X" % octet for octet in octets)
    return b"=?" + charset.encode() + b"?Q?" + quoted + b"?="


def mail(
    body: bytes,
    *,
    content: bytes = b"text/plain; charset=utf-8",
    subject: bytes = b"=?utf-8?B?6Lev54Gv5LiN5Lqu?=",
    sender: bytes = b"zs@qq.example",
    encoding: bytes = b"8bit",
    extra: bytes = b"",
    message_id: bytes = b"<tencent_1F@qq.example>",
) -> bytes:
    """Return a mail; ``extra`` are whole header lines."""
    head = [
        b"From: " + sender,
        b"To: <" + OURS.encode() + b">",
        b"Subject: " + subject,
        b"Date: Mon, 23 Nov 2026 10:00:00 +0800",
        *([b"Message-ID: " + message_id] if message_id else []),
        b"MIME-Version: 1.0",
        b"Content-Type: " + content,
        b"Content-Transfer-Encoding: " + encoding,
    ]
    block = b"\r\n".join(head) + b"\r\n" + extra.replace(b"\n", b"\r\n")
    return block + b"\r\n" + body


def part(content: bytes, body: bytes, *fields: bytes) -> bytes:
    """Return one part."""
    return b"\r\n".join((b"Content-Type: " + content, *fields, b"", body))


def multipart(
    kind: bytes, *parts: bytes, border: str = BORDER, closed: bool = True
) -> dict[str, bytes]:
    """Return what `mail` needs for parts."""
    line = b"--" + border.encode()
    body = b"".join(line + b"\r\n" + each + b"\r\n" for each in parts)
    return {
        "content": b"multipart/" + kind + b'; boundary="' + border.encode() + b'"',
        "body": body + (line + b"--\r\n" if closed else b""),
    }


@dataclass(frozen=True)
class Case:
    """A mail and what must come of it; None: not looked at."""

    label: str
    raw: bytes
    source: str
    text: str | None = None
    subject: str | None = None
    files: tuple[str, ...] | None = None
    kind: Kind = Kind.LETTER
    undecodable: bool = False
    sender: str | None = None
    null_sender: bool = False
    holds: tuple[str, ...] = field(default=())  #: stands in the text
    lacks: tuple[str, ...] = field(default=())  #: does not
    kept: tuple[str, ...] = field(default=())  #: stands in the original
