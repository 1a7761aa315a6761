"""The partner webhook: any platform that can sign a POST brings its citizens' messages.

`POST /channels/webhook/{name}`, signed per Standard Webhooks; contract section 5.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from channels.base import Messenger, Receipt, Reply, Request, Webhook
from channels.webhook.codec import Answer, File, Push, decode, key_of, verify
from channels.webhook.messenger import PartnerMessenger
from channels.webhook.settings import WebhookSettings
from config.plugin import Plugin
from normalizer.schema import Attachment, Inbound, Requester

#: E.164, and the bare form of a mainland mobile number (eleven digits, 13… to 19…).
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_MAINLAND_MOBILE = re.compile(r"1[3-9][0-9]{9}")


class PartnerWebhook:
    """Takes a partner's pushes."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._name = settings.name
        self._keys = tuple(key_of(s.get_secret_value()) for s in settings.secret)
        self._sender = settings.sender

    def authenticate(self, request: Request, now: datetime) -> None:
        """Return if the push is signed by a key in force, within five minutes of ``now``.

        Raises:
            Unauthorized: It is not.
        """
        verify(self._keys, request.headers, request.body, now)

    def parse(self, request: Request, now: datetime) -> Sequence[Inbound]:
        """Return the one message of the push.

        Raises:
            Malformed: The body is not of the contract's form; names the member.
            Oversized: A member is beyond its limit; names it.
        """
        push = decode(request.body)
        files = tuple(_attachment(n, f) for n, f in enumerate(push.attachments or ()))
        attachments = tuple(f for f in files if f is not None)
        return [
            Inbound(
                channel="webhook",
                account=self._name,
                message_id=push.id,
                key=push.id,
                digest=_digest(push, attachments),
                text=push.text,
                received_at=now,
                sent_at=push.sent_at,
                raw=request.body,
                raw_type="application/json",
                requester=Requester(phone=self._phone(push.sender)),
                attachments=attachments,
                called=push.to,
                thread=push.sender,
                extra={"from": push.sender},
            )
        ]

    def files(self, request: Request) -> Sequence[bytes]:
        """Return the contents of the push's attachments, to be kept before it is accepted.

        Each belongs to the attachment of `parse` that has its SHA-256. Raises as `parse` does.
        """
        files = decode(request.body).attachments or ()
        return [f.content for f in files if f.content is not None]

    def reply(self, request: Request, receipts: Sequence[Receipt]) -> Reply:
        """Return 202 with the ticket's number, its query code and what the citizen should read."""
        del request
        answers = [
            Answer(number=r.number, query_code=r.query_code, message=r.message) for r in receipts
        ]
        return Reply(status=202, body=msgspec.json.encode(answers[0] if answers else {}))

    def _phone(self, sender: str) -> str | None:
        """Return the number to call back, in E.164; None if ``from`` is no telephone number.

        With ``sender: auto`` only forms that are hardly a user id count, see the settings.
        """
        if self._sender == "id":
            return None
        digits = re.sub(r"[\s-]", "", sender.removeprefix("tel:"))
        if _E164.fullmatch(digits):
            return digits
        if _MAINLAND_MOBILE.fullmatch(digits):
            return f"+86{digits}"
        return digits if self._sender == "phone" else None


def _attachment(index: int, file: File) -> Attachment | None:
    """Return what is known of an attachment; None of a link, which stays in the raw message.

    Links are not followed: a partner must not make the gateway call addresses of its choosing.
    """
    if file.content is None:
        return None
    digest = hashlib.sha256(file.content).hexdigest()
    return Attachment(
        id=f"{index + 1}-{digest[:16]}",
        name=file.name,
        media_type=file.media_type,
        bytes=len(file.content),
        sha256=digest,
    )


def _digest(push: Push, attachments: Sequence[Attachment]) -> str:
    """Return what tells a repeat from other words under the same id.

    ``sent_at`` is left out: some senders put the time of the try there.
    """
    links = [f.url for f in push.attachments or ()]
    kept = [(a.name, a.sha256) for a in attachments]
    content = msgspec.json.encode([push.sender, push.to, push.text, links, kept])
    return hashlib.sha256(content).hexdigest()


def _build(settings: WebhookSettings) -> Webhook:
    return PartnerWebhook(settings)


def _speak(settings: WebhookSettings) -> Messenger | None:
    return PartnerMessenger(settings) if settings.reply_url is not None else None


plugin: Plugin[WebhookSettings, Webhook] = Plugin("webhook", WebhookSettings, _build, _speak)
