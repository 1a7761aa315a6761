"""The way out: texts as segments over an account's link."""

import asyncio
import itertools
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import msgspec

from channels.base import Message
from channels.sms.dialect import Outcome, Outgoing, Result
from channels.sms.link import Link
from channels.sms.receipts import DeliveryReport, same_ids
from channels.sms.segments import Segment, segments
from channels.sms.text import Alphabet
from normalizer.errors import TryLater, Unreachable
from normalizer.schema import Value

log = logging.getLogger(__name__)

#: Messages of which is remembered how far they were sent, and ids that reports are awaited for.
_KEPT = 20_000
#: How often the carrier may ask to be slower before a message's turn comes later.
_SLOWER = 4
#: Seconds after which no further segment is begun: the outbox ends a try after 25, and one that is
#: cut off while the carrier has it would be sent twice.
_PATIENCE_S = 10.0


#: Told the key of a message, whether the telephone has it, and the carrier's word for its state.
Follower = Callable[[str, bool, str], Awaitable[None]]


class _Sent(Value, frozen=True, kw_only=True):
    reference: int
    total: int = 1  #: segments
    ids: tuple[str, ...] = ()  #: of the segments that the carrier has
    arrived: frozenset[str] = frozenset()  #: those that the telephone has
    told: bool = False  #: the end of it is known


async def _nobody(_key: str, _arrived: bool, _state: str) -> None:
    """Tell nobody what became of a message."""


class Texts:
    """Sends texts by one account; ``to`` is a telephone number.

    Args:
        link: The account's.
        alphabet: What data coding 0 means.
        most: Segments of a message at most; a longer text is cut at a character.
    """

    def __init__(self, link: Link, alphabet: Alphabet, most: int) -> None:
        self._link = link
        self._alphabet = alphabet
        self._most = most
        # Not from the same one at each start: a telephone may still wait for parts of the last run.
        self._references = map((0xFF).__and__, itertools.count(secrets.randbelow(256)))
        self._sent: OrderedDict[str, _Sent] = OrderedDict()
        #: The message, and the id as it was answered, of each form of an id.
        self._awaited: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._tell: Follower = _nobody
        self._telling: set[asyncio.Future[None]] = set()

    def follow(self, tell: Follower) -> None:
        """Take who is to be told what became of messages; called once, before anything else."""
        self._tell = tell

    async def open(self) -> None:
        """Do nothing: the listener keeps the link."""

    async def close(self) -> None:
        """Do nothing: the listener keeps the link."""

    async def send(self, to: str, message: Message) -> str:
        """Return the carrier's id of the first segment once it has taken all of them.

        A message that was sent in part goes on where it ended: its telephone joins the parts by
        their reference.

        Raises:
            TryLater: The carrier did not take it now.
            Unreachable: It will never take it: there is no such number.
        """
        sent = self._sent.get(message.key) or _Sent(reference=next(self._references))
        text = f"{message.title}\n{message.text}" if message.title else message.text
        whole = segments(text, sent.reference, alphabet=self._alphabet, most=self._most)
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE_S
        for segment in whole[len(sent.ids) :]:
            if loop.time() > until:
                raise TryLater("the carrier is slow; the rest follows", after_s=1.0)
            found = await self._one(to, segment, urgent=message.urgent)
            # A report may have come meanwhile.
            arrived = self._sent.get(message.key, sent).arrived
            sent = msgspec.structs.replace(
                sent, total=len(whole), ids=(*sent.ids, found), arrived=arrived
            )
            self._remember(message.key, sent)
            for form in same_ids(found):
                self._await(form, message.key, found)
        return sent.ids[0]

    async def _one(self, to: str, segment: Segment, *, urgent: bool) -> str:
        outgoing = Outgoing(to=to, segment=segment, urgent=urgent)
        outcome = await self._link.submit(outgoing)
        for _ in range(_SLOWER):
            if outcome.result is not Result.THROTTLED:
                break
            outcome = await self._link.submit(outgoing)
        return _id_of(outcome)

    def reported(self, report: DeliveryReport) -> None:
        """Note what became of a segment; a message arrived when all of its segments have."""
        forms = same_ids(report.message_id)
        key, name = next((self._awaited[i] for i in forms if i in self._awaited), ("", ""))
        level = logging.INFO if report.arrived or not report.final else logging.WARNING
        extra = {"delivery": key, "state": report.state, "error": report.error}
        log.log(level, "sms.report", extra=extra)
        sent = self._sent.get(key)
        if sent is None or sent.told or not report.final:
            return
        arrived = sent.arrived | {name} if report.arrived else sent.arrived
        told = not report.arrived or len(arrived) == sent.total
        self._sent[key] = msgspec.structs.replace(sent, arrived=arrived, told=told)
        if told:
            task = asyncio.ensure_future(self._tell(key, report.arrived, report.state))
            self._telling.add(task)
            task.add_done_callback(self._told)

    def _told(self, task: "asyncio.Future[None]") -> None:
        self._telling.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("sms.report_lost", exc_info=error)

    def _remember(self, key: str, sent: _Sent) -> None:
        self._sent[key] = sent
        if len(self._sent) > _KEPT:
            self._sent.popitem(last=False)

    def _await(self, form: str, key: str, name: str) -> None:
        if form:
            self._awaited[form] = (key, name)
        if len(self._awaited) > _KEPT:
            self._awaited.popitem(last=False)


def _id_of(outcome: Outcome) -> str:
    """Return the id of a message that was taken. Raises `TryLater` or `Unreachable`."""
    if outcome.result is Result.OK:
        return outcome.message_id
    if outcome.result is Result.NEVER:
        raise Unreachable(f"the carrier refuses the message with code {outcome.code:#x}")
    slow = outcome.result is Result.THROTTLED
    raise TryLater(
        f"the carrier answered with code {outcome.code:#x}", after_s=5.0 if slow else None
    )
