"""Everything that answers by itself, and citizens who only look like it."""

from channels.email.parsed import Kind
from tests.channels.email.vectors.building import Case, mail, multipart, part

_STATUS = b"Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; zs@qq.example\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 no such user"
_ORIGINAL = b"Message-ID: <20261122-000123-7.k.0123456789abcdef@city.example>\r\nSubject: x"


def _report(kind: bytes, status: bytes, original: bytes = b"text/rfc822-headers") -> bytes:
    return mail(
        **multipart(
            b"report; report-type=delivery-status",
            part(b"text/plain", b"It failed."),
            part(kind, status),
            part(original, _ORIGINAL),
        ),
        sender=b"MAILER-DAEMON@mx.example",
    )


def _letter(label: str, extra: str, kind: Kind, source: str, **more: object) -> Case:
    fields = {"sender": b"zs@qq.example", **more}
    null = bool(fields.pop("null_sender", False))
    raw = mail("路灯不亮".encode(), extra=extra.encode(), **fields)  # type: ignore[arg-type]
    return Case(label, raw, source, kind=kind, null_sender=null)


_3834 = "RFC 3834 §5"
_NOTES = "engineering notes §3.4"
CASES = (
    _letter("auto-replied", "Auto-Submitted: auto-replied\n", Kind.RESPONSE, _3834),
    _letter(
        "auto-replied with a comment",
        "Auto-Submitted: Auto-Replied (vacation)\n",
        Kind.RESPONSE,
        _3834,
    ),
    _letter(
        "auto-replied of Sieve",
        "Auto-Submitted: auto-replied; owner-email=a@b.example\n",
        Kind.RESPONSE,
        "RFC 5436 §2.7.1",
    ),
    _letter("auto-generated", "Auto-Submitted: auto-generated\n", Kind.MACHINE, _3834),
    _letter("not auto-submitted", "Auto-Submitted: no\n", Kind.LETTER, _3834),
    _letter(
        "QQ's automatic answer",
        "In-Reply-To: <a@city.example>\n",
        Kind.RESPONSE,
        _NOTES,
        subject="自动回复:您的诉求".encode(),
    ),
    _letter(
        "NetEase's automatic answer",
        "X-Autoreply: yes\n",
        Kind.RESPONSE,
        _NOTES,
        subject="自动回复：回执".encode(),
    ),
    _letter(
        "Exchange's absence",
        "X-Auto-Response-Suppress: All\nAuto-Submitted: auto-generated\n",
        Kind.RESPONSE,
        "MS-OXCMAIL §2.2.3.2.14",
        subject=b"Automatic reply: x",
    ),
    _letter(
        "absence without any sign but its subject",
        "",
        Kind.MACHINE,
        "in doubt a ticket",
        subject=b"Out of Office: x",
    ),
    _letter(
        "a complaint about automatic answers",
        "",
        Kind.LETTER,
        "negative",
        subject="自动回复根本没有人处理".encode(),
    ),
    _letter(
        "a complaint about returned mail",
        "",
        Kind.LETTER,
        "negative",
        subject="退信：我寄给你们的信被退回".encode(),
    ),
    _letter("precedence bulk", "Precedence: bulk\n", Kind.MACHINE, _NOTES),
    _letter(
        "precedence auto_reply to ours",
        "Precedence: auto_reply\nIn-Reply-To: <a@b.example>\n",
        Kind.RESPONSE,
        _NOTES,
    ),
    _letter("a list", "List-Id: <news.example>\n", Kind.MACHINE, "RFC 2919"),
    _letter("a newsletter", "List-Unsubscribe: <mailto:x@y.example>\n", Kind.MACHINE, "RFC 2369"),
    _letter(
        "Outlook wants no answers",
        "X-Auto-Response-Suppress: OOF, AutoReply\n",
        Kind.MACHINE,
        "MS-OXCMAIL §2.2.3.2.14",
    ),
    _letter("nobody reads answers", "", Kind.MACHINE, _NOTES, sender=b"no-reply@form.example"),
    _letter("postmaster writes himself", "", Kind.MACHINE, _NOTES, sender=b"postmaster@x.example"),
    _letter("null sender", "", Kind.MACHINE, "RFC 5321 §4.5.5", null_sender=True),
    _letter("null Return-Path", "Return-Path: <>\n", Kind.MACHINE, "RFC 5321 §4.4"),
    _letter(
        "Return-Path of a citizen", "Return-Path: <zs@qq.example>\n", Kind.LETTER, "RFC 5321 §4.4"
    ),
    _letter("our own notice", "X-Hotline-Notice: 1\n", Kind.OWN, "own"),
    _letter(
        "old bounce",
        "",
        Kind.REPORT,
        "qmail",
        sender=b"MAILER-DAEMON@mx.example",
        subject=b"failure notice",
    ),
    _letter(
        "QQ's bounce",
        "",
        Kind.REPORT,
        "QQ mail",
        sender=b"PostMaster@qq.example",
        subject="系统退信/Systems bounce".encode(),
    ),
    _letter("Exim's bounce", "X-Failed-Recipients: zs@qq.example\n", Kind.REPORT, "Exim"),
    Case(
        "delivery report",
        _report(b"message/delivery-status", _STATUS),
        "RFC 3464 §4",
        kind=Kind.REPORT,
    ),
    Case(
        "delivery report with the whole mail",
        _report(b"message/delivery-status", _STATUS, b"message/rfc822"),
        "RFC 3464 §4",
        kind=Kind.REPORT,
    ),
    Case(
        "read receipt",
        mail(
            **multipart(
                b"report; report-type=disposition-notification",
                part(b"text/plain", b"read"),
                part(
                    b"message/disposition-notification",
                    b"Original-Message-ID: <a@city.example>\r\nDisposition: manual-action/MDN-sent-manually; displayed",
                ),
            )
        ),
        "RFC 8098 §4",
        kind=Kind.REPORT,
    ),
)
