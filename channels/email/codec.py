"""A mail's octets to what it says; sans-io, run in a worker that can be killed."""

import hashlib
import re
from collections.abc import Sequence
from email.message import Message

import msgspec

from channels.email import automatic, headers, mime, quoted
from channels.email.charset import decode, decode_words
from channels.email.headers import Field
from channels.email.htmltext import unmarked
from channels.email.parsed import Job, Kind, Mail
from channels.email.reports import delivery_of

#: Code points of a ticket's text; what is beyond stays in the raw mail.
TEXT = 100_000
_SUBJECT = 500
_FORWARDED = re.compile(r"\s*(?:转发|轉寄|转寄|Fw|Fwd|WG|TR)\s*[:：]", re.IGNORECASE)
_RECIPIENTS = ("x-original-to", "delivered-to", "envelope-to", "to", "cc")


def understand(job: Job) -> Mail:
    """Return what a mail says. Whatever octets come, this returns or is killed.

    Anything that a parser of MIME can stumble over ends in `salvage`: the ticket is opened with
    the best guess, and a human looks at the raw mail.
    """
    raw, problems = mime.trimmed(job.raw)
    block, _ = headers.split(raw)
    if len(block) > headers.HEADER_OCTETS:
        problems.append("a header beyond 64 KB: read as far as that")
        raw = (
            block[: headers.HEADER_OCTETS].rpartition(b"\n")[0]
            + b"\n\n"
            + raw[len(block) :].lstrip()
        )
    try:
        message = mime.parse(raw)
        tree = mime.gather(message, mime.Limits(job.most_files, job.file_octets))
        return _mail(job, message, tree, problems)
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        return salvage(job, f"not a mail that can be read: {type(error).__name__}")


def salvage(job: Job, why: str) -> Mail:
    """Return the best guess at a mail that could not be parsed, in little time for any octets."""
    raw = job.raw[: 256 * 1024]
    block, body = headers.split(raw)
    found = headers.fields(block)
    text = decode(body[:20_000], _declared(found)).text
    mail = _headed(job, found)
    return _replaced(
        mail, text=text.strip(), full=text, problems=(why,), undecodable=True, kind=Kind.LETTER
    )


def _declared(found: Sequence[Field]) -> str | None:
    return headers.parameters(headers.first(found, "content-type"))[1].get("charset")


def _mail(job: Job, message: Message, tree: mime.Tree, problems: list[str]) -> Mail:
    block, _ = headers.split(job.raw[: 4 * headers.HEADER_OCTETS])
    found = headers.fields(block)
    mail = _headed(job, found)
    kind, why = automatic.kind_of(
        found,
        mime.kind_of(message)[0],
        mail.sender,
        null_sender=job.null_sender,
        cites=bool(mail.cites),
    )
    marked = "\n\n".join(text.strip("\r\n") for text in tree.texts)
    text = quoted.cut(marked, forwarded=_forwarded(mail))
    full = unmarked(marked)
    if tree.inner:
        inner = "\n\n".join(tree.inner)
        text, full = f"{text}\n\n{inner}".strip(), f"{full}\n\n{inner}".strip()
    return _replaced(
        mail,
        kind=kind,
        why=why,
        text=text[:TEXT],
        full=full[: 4 * TEXT],
        files=tuple(tree.files),
        left_out=tuple(tree.left_out),
        problems=tuple(dict.fromkeys((*problems, *tree.problems))),
        undecodable=bool(problems or tree.problems),
        delivery=delivery_of(tree.report, job.raw) if kind is Kind.REPORT else None,
    )


def _headed(job: Job, found: Sequence[Field]) -> Mail:
    """Return what the header alone tells."""
    name, sender = headers.address(headers.first(found, "from"))
    if not sender:
        name, sender = headers.address(headers.first(found, "sender"))
    own = headers.ids(headers.first(found, "message-id"))
    message_id = own[0] if own else None
    path = headers.first(found, "return-path").decode("utf-8", "replace").strip()
    answers = headers.ids(headers.first(found, "in-reply-to"))
    references = headers.ids(headers.first(found, "references"))[-30:]
    return Mail(
        kind=Kind.LETTER,
        message_id=message_id,
        digest=_digest(job.raw, found, dated=message_id is None),
        sender=headers.normal_address(sender),
        sender_name=name[:100] or None,
        return_path=path.strip("<> ").lower() if path else None,
        called=_called(found, job.address),
        subject=decode_words(headers.first(found, "subject"))[:_SUBJECT].strip(),
        cites=tuple(dict.fromkeys((*answers, *reversed(references)))),
        sent_at=headers.sent_at(headers.first(found, "date")),
        authentication=headers.authentication(found, job.relay),
    )


def _called(found: Sequence[Field], ours: str) -> str | None:
    """Return the address of our domain that the mail was sent to; an alias may name a line."""
    domain = ours.rpartition("@")[2].lower()
    for name in _RECIPIENTS:
        for value in headers.every(found, name):
            for text in re.findall(
                r"[^\s<>,;:\"]+@[^\s<>,;:\"]+", value.decode("utf-8", "replace")
            )[:50]:
                if text.lower().rpartition("@")[2] == domain:
                    return str(text.lower())
    return None


def _forwarded(mail: Mail) -> bool:
    return _FORWARDED.match(mail.subject) is not None and not mail.cites


def _digest(raw: bytes, found: Sequence[Field], *, dated: bool) -> str:
    """Return what two copies of one mail share, by whatever relays they came.

    A client that sends again may put another Date; where there is no Message-ID the Date is all
    that tells two equal complaints apart.
    """
    _, body = headers.split(raw)
    digest = hashlib.sha256()
    for name in ("from", "subject", "message-id", *(("date",) if dated else ())):
        digest.update(b" ".join(headers.first(found, name).split()) + b"\n")
    digest.update(body.replace(b"\r\n", b"\n").rstrip())
    return digest.hexdigest()


def _replaced(mail: Mail, **changes: object) -> Mail:
    return msgspec.structs.replace(mail, **changes)
