"""From a mail to what becomes of it: a ticket, a remark on one, or kept aside."""

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec

from channels.base import Accept, Message, Messenger, Receipt
from channels.email.checking import Senders
from channels.email.limits import AnswerLimits, Key, keys_of
from channels.email.own import OwnIds, Sent
from channels.email.parsed import Envelope, Job, Kind, Mail
from channels.email.ports import Registry
from channels.email.scanning import Scanner
from channels.email.settings import EmailSettings
from normalizer.errors import DeliveryError, StoreError
from normalizer.number import IN_TEXT, MOST_CITED, is_number
from normalizer.schema import Attachment, Inbound, Requester

#: Returns what a mail says. Raises `StoreError` where it is to be tried again.
Understand = Callable[[Job], Awaitable[Mail]]

log = logging.getLogger(__name__)

#: Octets of a mail that are kept with the ticket itself; a larger one is a file beside it.
RAW_OCTETS = 1024 * 1024
_SRS = re.compile(r"srs[01][=+-].*", re.IGNORECASE)


class Sorter:
    """Takes mails; returns once each is durable, whatever it became.

    Args:
        settings: Of the channel.
        accept: Makes tickets.
        registry: Keeps files, remarks and what is no ticket.
        understand: Reads mails.
        limits: Counts answers.
        senders: Notes whether mails are from whom they say.
        messenger: Sends what is not stored with a ticket: answers to commands.
    """

    def __init__(
        self,
        settings: EmailSettings,
        accept: Accept,
        registry: Registry,
        understand: Understand,
        limits: AnswerLimits,
        senders: Senders,
        messenger: Messenger | None,
    ) -> None:
        self._settings = settings
        self._accept = accept
        self._registry = registry
        self._understand = understand
        self._limits = limits
        self._senders = senders
        self._messenger = messenger
        self._own = OwnIds(registry.secret, settings.domain)
        self._scanner = Scanner(settings.scan)

    async def take(self, raw: bytes, envelope: Envelope, received_at: datetime) -> None:
        """Return once a mail is durable.

        Raises:
            StoreError: Nothing was written; the mail is to be brought again.
        """
        await self.sort(raw, envelope, received_at, await self.read(raw, envelope))

    async def read(self, raw: bytes, envelope: Envelope) -> Mail:
        """Return what a mail says. Raises `StoreError`."""
        settings = self._settings
        job = Job(
            raw=raw,
            address=settings.address,
            relay=settings.trusted_relay,
            null_sender=envelope.sender == "",
            most_files=settings.most_files,
        )
        return await self._understand(job)

    async def sort(self, raw: bytes, envelope: Envelope, received_at: datetime, mail: Mail) -> None:
        """Return once a mail that was read is durable. Raises `StoreError`."""
        try:
            if await self._is_none(raw, mail):
                return
            await self._ticket(raw, envelope, received_at, mail)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - the loop of this listener, one mail of it
            # Neither lost nor brought back for ever: what we fail on once we fail on each time.
            log.error(  # noqa: TRY400 - the trace may quote the citizen
                "email.unfit",
                extra={"channel": self._settings.name, "error": type(error).__name__},
            )
            reason = f"the gateway failed on it: {type(error).__name__}"
            await self._aside(raw, mail, reason, held=True)

    # No ticket

    async def _is_none(self, raw: bytes, mail: Mail) -> bool:
        """Return whether a mail is no citizen's act; it is recorded then."""
        if mail.kind is Kind.OWN or (mail.message_id and self._own.read(mail.message_id)):
            await self._aside(raw, mail, "our own notice came back")
            return True
        if mail.kind is Kind.REPORT:
            await self._report(raw, mail)
            return True
        if mail.kind is Kind.RESPONSE:
            await self._response(raw, mail)
            return True
        return False

    async def _report(self, raw: bytes, mail: Mail) -> None:
        told = mail.delivery
        sent = self._own.read(told.message_id) if told is not None else None
        if told is not None and sent is not None and sent.number is not None:
            data = {
                "action": told.action,
                "status": told.status,
                "recipient": told.recipient,
                "reason": told.reason,
                "delivery": sent.key,
            }
            text = f"邮件投递状态：{told.action}{f'（{told.status}）' if told.status else ''}"
            key = f"dsn:{sent.key}:{told.action}:{told.status}"
            if await self._registry.note(sent.number, "delivery_status", text, data, key):
                ways = self._settings.fallback
                if told.action == "failed" and ways:
                    await self._registry.retell(sent.number, sent.key, ways)
                return
        await self._aside(raw, mail, f"a delivery report: {mail.why}")

    async def _response(self, raw: bytes, mail: Mail) -> None:
        sent = self._cited(mail)
        key = f"auto:{mail.digest[:32]}"
        if sent is not None and sent.number is not None:
            data = {"from": mail.sender, "why": mail.why}
            if await self._registry.note(sent.number, "automatic_reply", "收到自动回复", data, key):
                return
        await self._aside(raw, mail, f"an automatic answer: {mail.why}")

    async def _aside(self, raw: bytes, mail: Mail, reason: str, *, held: bool = False) -> None:
        log.info("email.set_aside", extra={"channel": self._settings.name, "why": reason})
        await self._registry.set_aside(self._settings.name, key_of(mail), raw, reason, held=held)

    # A ticket

    async def _ticket(
        self, raw: bytes, envelope: Envelope, received_at: datetime, mail: Mail
    ) -> None:
        thread = _thread(envelope, mail)
        others = await self._others_tickets(mail, thread)
        if thread is not None and self._limits.forgot(thread):
            answered = await self._registry.letters_of(self._settings.name, thread)
            self._limits.recall(thread, answered)
        keys = self._answerable(mail, thread, stranger=bool(others))
        inbound = await self._inbound(raw, envelope, received_at, mail, thread)
        inbound = msgspec.structs.replace(inbound, acknowledge=keys is not None)
        try:
            receipt = await self._accept(inbound)
        except BaseException:
            self._limits.give_back(keys or ())
            raise
        if keys is not None and thread is not None:
            await self._tell(inbound, receipt, thread, keys)
        if receipt.number:
            await self._senders.note(receipt.number, raw, envelope, mail)
        for number in others:
            if receipt.number and number != receipt.number:
                await self._registry.note(
                    receipt.number,
                    "linked",
                    f"来信引用了工单 {number}，发信人不是该工单的诉求人，请人工核对",
                    {"cites": number},
                    f"cites:{number}",
                )

    def _answerable(
        self, mail: Mail, thread: str | None, *, stranger: bool
    ) -> tuple[Key, ...] | None:
        """Return what an answer was counted by; None: it must not be given."""
        if (
            mail.kind is not Kind.LETTER
            or thread is None
            or thread == self._settings.address.lower()
        ):
            return None
        if stranger and self._cited(mail) is not None:
            return None  # whoever answers our mail by another address may be a robot
        keys = keys_of(thread, mail.text, stranger=stranger)
        return keys if self._limits.take(keys) else None

    async def _tell(
        self, inbound: Inbound, receipt: Receipt, thread: str, keys: Sequence[Key]
    ) -> None:
        """Answer what has no stored answer: a command. A repeat of a letter is not answered."""
        if receipt.answered:
            return
        if receipt.duplicate and receipt.number:
            self._limits.give_back(keys)
            return
        if self._messenger is None:
            return
        message = Message(
            key=hashlib.sha256((inbound.key or "").encode()).hexdigest()[:32],
            text=receipt.message,
            number=receipt.number or None,
            in_reply_to=inbound.message_id,
            acknowledges=True,
        )
        try:
            await self._messenger.send(thread, message)
        except DeliveryError as error:
            log.warning("email.untold", extra={"channel": self._settings.name, "error": error.code})

    def _cited(self, mail: Mail) -> Sent | None:
        """Return the mail of ours that a mail answers."""
        return next((sent for id_ in mail.cites if (sent := self._own.read(id_))), None)

    async def _others_tickets(self, mail: Mail, thread: str | None) -> tuple[str, ...]:
        """Return the tickets of others that a mail cites, by number or by a mail of ours."""
        cited = {s.number for id_ in mail.cites if (s := self._own.read(id_)) and s.number}
        told = IN_TEXT.findall(f"{mail.subject}\n{mail.full[:100_000]}")
        numbers = dict.fromkeys((*cited, *(number for number in told if is_number(number))))
        found = []
        for number in list(numbers)[:MOST_CITED]:
            theirs = await self._registry.thread_of(number)
            if theirs is not None and theirs != thread:
                found.append(number)
        return tuple(found)

    async def _inbound(
        self, raw: bytes, envelope: Envelope, received_at: datetime, mail: Mail, thread: str | None
    ) -> Inbound:
        files, left_out = await self._files(mail)
        if len(raw) > RAW_OCTETS:
            place = len(files)
            files.append(await self._registry.keep("original.eml", raw, place))
            raw = raw[: RAW_OCTETS // 4]
        sent = self._cited(mail)
        extra = {"kind": str(mail.kind), "why": mail.why, "return_path": envelope.sender}
        extra["problems"] = "; ".join(mail.problems)
        return Inbound(
            channel="email",
            account=self._settings.name,
            message_id=f"<{mail.message_id}>" if mail.message_id else f"sha256:{_sha256(raw)}",
            key=key_of(mail),
            key_name="Message-ID",
            digest=mail.digest,
            text=mail.text,
            full=mail.full if mail.full.strip() != mail.text else None,
            title=mail.subject or None,
            received_at=received_at,
            sent_at=mail.sent_at,
            raw=raw,
            raw_type="message/rfc822",
            requester=Requester(name=mail.sender_name, email=mail.sender or thread),
            attachments=tuple(files),
            called=envelope.recipients[0].lower() if envelope.recipients else mail.called,
            thread=thread,
            undecodable=mail.undecodable,
            cites=(sent.number,) if sent is not None and sent.number else (),
            remark=_remark(left_out),
            extra={name: value for name, value in extra.items() if value},
        )

    async def _files(self, mail: Mail) -> tuple[list[Attachment], list[str]]:
        files: list[Attachment] = []
        left_out = list(mail.left_out)
        allowed = await self._scanner.allowed([file.content for file in mail.files])
        for file, good in zip(mail.files, allowed, strict=True):
            if good:
                files.append(await self._registry.keep(file.name, file.content, len(files)))
            else:
                left_out.append(file.name)
        return files, left_out


async def take_all(
    sorter: Sorter, mails: Sequence[tuple[bytes, Envelope]], received_at: datetime
) -> list[BaseException | None]:
    """Return, for each mail, None once it is durable, else what kept it from being so.

    The mails of one sender are taken one after another: pieces of one matter keep their order.
    """
    read = await asyncio.gather(
        *(sorter.read(raw, envelope) for raw, envelope in mails), return_exceptions=True
    )
    outcomes: list[BaseException | None] = [None] * len(mails)
    senders: dict[str, list[int]] = {}
    for at, mail in enumerate(read):
        if isinstance(mail, BaseException):
            outcomes[at] = mail
        else:
            senders.setdefault(mail.sender, []).append(at)

    async def one_sender(places: list[int]) -> None:
        for at in places:
            mail, (raw, envelope) = read[at], mails[at]
            if isinstance(mail, Mail):
                done = await asyncio.gather(
                    sorter.sort(raw, envelope, received_at, mail), return_exceptions=True
                )
                outcomes[at] = done[0]

    await asyncio.gather(*(one_sender(places) for places in senders.values()))
    return outcomes


def key_of(mail: Mail) -> str:
    """Return what repeats of a mail are known by: a Message-ID may be missing, or used twice."""
    return f"{mail.message_id or ''}#{mail.digest[:32]}"


def _thread(envelope: Envelope, mail: Mail) -> str | None:
    """Return the address that the citizen is answered at: the envelope's sender.

    A forwarder's rewritten sender changes by the day; the From field stands for it.
    """
    sender = mail.return_path if envelope.sender is None else envelope.sender
    sender = (sender or "").lower()
    if not sender or _SRS.fullmatch(sender):
        return mail.sender or None
    return sender if "@" in sender else mail.sender or None


def _remark(left_out: Sequence[str]) -> str | None:
    """Return what the sender is told of files beyond the limits."""
    if not left_out:
        return None
    return (
        f"有{len(left_out)}个附件未能随工单保存：每封邮件最多20个附件，每个不超过10MB。"
        "原邮件已完整留存；如附件重要，请分次发送。"
    )


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
