"""Machines among the senders: what must never be answered, and what is no citizen's act at all.

In doubt a mail is a citizen's: it becomes a ticket, and is at most not answered. Only what answers
us by itself, tells of a delivery, or was sent by us makes none.

Sources: RFC 3834 §2 and §5; RFC 3464, RFC 8098 (reports); RFC 2369, RFC 2919 (lists); MS-OXCMAIL
§2.2.3.2.14 (X-Auto-Response-Suppress); subjects of QQ, NetEase and Exchange.
"""

import re
from collections.abc import Collection, Iterable, Sequence

from channels.email.charset import decode_words
from channels.email.headers import Field, first
from channels.email.parsed import Kind

_NOBODY = re.compile(
    r"(?:mailer-daemon|postmaster|no-?_?\.?reply|do-?not-?reply|bounces?|listserv|majordomo|.*-bounces?\+?.*|.*-request|notifications?|.*no-?reply.*)@.*",
    re.IGNORECASE,
)
_DAEMON = re.compile(r"(?:mailer-daemon|postmaster|mail-daemon|bounces?)@.*", re.IGNORECASE)
#: A colon or the end must follow: a citizen may complain of what answers automatically.
_RESPONSE = re.compile(
    r"\s*(?:自动回复|自动答复|自動回覆|自動回復|系统自动回复|外出自动回复|Auto(?:matic)?[ -]?(?:reply|response)|Out of (?:the )?office(?: auto-?reply)?|Autosvar|Abwesenheit\w*|Réponse automatique)\s*(?:[:：\]】]|$)",
    re.IGNORECASE,
)
_BOUNCE = re.compile(
    r"\s*(?:系统退信|退信|邮件退回|Undeliver\w*|Undelivered Mail|Delivery Status Notification|Mail delivery failed|Delivery Failure|Returned mail|failure notice|Mail System Error|未送达|无法送达|投递失败|退回的邮件)",
    re.IGNORECASE,
)
_PRECEDENCE = frozenset(("bulk", "list", "junk", "auto_reply", "auto-reply"))
_RESPONDERS = frozenset(
    ("x-autoreply", "x-autorespond", "x-auto-reply", "x-autoreply-from", "x-mail-autoreply")
)
_LISTS = frozenset(
    (
        "list-id",
        "list-unsubscribe",
        "list-post",
        "list-help",
        "mailing-list",
        "x-mailing-list",
        "feedback-id",
    )
)
#: Stands on every mail of ours, so that we know it when our name for it was lost on the way.
OWN_FIELD = "x-hotline-notice"


def kind_of(
    fields: Sequence[Field], media_type: str, sender: str, *, null_sender: bool, cites: bool
) -> tuple[Kind, str]:
    """Return what sort of sender a mail has, and what that rests on.

    Args:
        fields: Of the mail's header.
        media_type: Of the whole mail, with ``report-type`` in it.
        sender: The address of its From field.
        null_sender: Its envelope had no sender.
        cites: It answers a mail.
    """
    told = {
        name: first(fields, name).decode("utf-8", "replace").strip().lower() for name in _LOOKED_AT
    }
    if _present(fields, (OWN_FIELD,)):
        return Kind.OWN, OWN_FIELD
    if media_type == "multipart/report" or _is_bounce(fields, sender, null_sender=null_sender):
        return Kind.REPORT, media_type if media_type == "multipart/report" else "bounce"
    submitted = told["auto-submitted"].split(";")[0].split("(")[0].strip()
    if submitted == "auto-replied":
        return Kind.RESPONSE, "auto-submitted: auto-replied"
    responder = _present(fields, _RESPONDERS) or (
        "precedence" if "auto" in told["precedence"] else ""
    )
    named = _RESPONSE.match(subject_of(fields)) is not None
    if named and (responder or cites or null_sender or submitted not in {"", "no"}):
        return Kind.RESPONSE, "subject"
    if responder and (cites or null_sender):
        return Kind.RESPONSE, responder
    why = _machine(fields, told, sender, null_sender=null_sender)
    if not why and (named or responder):
        why = responder or "subject"
    return (Kind.MACHINE, why) if why else (Kind.LETTER, "")


_LOOKED_AT = ("auto-submitted", "precedence", "x-auto-response-suppress", "return-path")


def subject_of(fields: Iterable[Field]) -> str:
    """Return the decoded subject."""
    return decode_words(first(fields, "subject"))


def _is_bounce(fields: Sequence[Field], sender: str, *, null_sender: bool) -> bool:
    if _present(fields, ("x-failed-recipients",)):
        return True
    daemon = _DAEMON.fullmatch(sender) is not None
    return (null_sender or daemon) and _BOUNCE.match(subject_of(fields)) is not None


def _machine(
    fields: Sequence[Field], told: dict[str, str], sender: str, *, null_sender: bool
) -> str:
    """Return what shows that nobody would read an answer; empty: nothing does."""
    if told["auto-submitted"] not in {"", "no"}:
        return "auto-submitted"
    if told["precedence"] in _PRECEDENCE:
        return "precedence"
    if found := _present(fields, _LISTS):
        return found
    suppressed = {w.strip() for w in told["x-auto-response-suppress"].split(",")}
    if suppressed & {"all", "autoreply", "oof"}:
        return "x-auto-response-suppress"
    if null_sender or told["return-path"] == "<>":
        return "null sender"
    return "no-reply sender" if _NOBODY.fullmatch(sender) else ""


def _present(fields: Iterable[Field], names: Collection[str]) -> str:
    return next((name for name, _ in fields if name in names), "")
