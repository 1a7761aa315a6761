"""What a message is to the conversation that it belongs to: a command, more words, or a new matter.

Source: contract section 5. The first message of a conversation is a ticket at once. What follows
joins an open ticket only if it cites its number, comes within a minute without a new matter, or
answers our question; else it is a ticket of its own.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import msgspec

from channels.base import Receipt
from config.region import RATINGS
from gateway.additions import Additions, Further, message_key
from gateway.attempts import TooMany
from gateway.core import Core
from gateway.letters import sounds_urgent
from gateway.media import tidied
from gateway.notices import no_matter, progress_of, rated, stopped, unknown_number
from gateway.portal.citizen import Citizen, NotFound
from gateway.standing import OVER, answered, rated_already
from gateway.store.base import Change, Event, NewEvent, StoredTicket
from gateway.talk.matter import answers_question, is_new
from gateway.talk.phrases import Ask, Command, Rate, command_of
from gateway.talk.receipts import CONVERSING
from gateway.view import status_of
from normalizer.errors import NotAllowed
from normalizer.number import IN_TEXT, MOST_CITED, is_number
from normalizer.schema import ChannelRef, Inbound
from normalizer.text import normalize_text

#: What follows a message so soon goes on with it.
JOIN_WITHIN = timedelta(seconds=60)
#: How long an answer to our question is taken for one.
ASKED_WITHIN = timedelta(hours=24)
#: How far back a conversation is looked through: a carrier repeats within hours, but an answer that
#: is to be rated, or asked for, comes weeks after the words: 15 working days, and as many again.
LOOK_BACK = timedelta(days=120)
#: How long what sounds urgent waits for its citizen's message before it to be accepted.
URGENT_WAITS_S = 0.2
#: The event of a citizen who wants no more notices.
STOPPED = "stopped"
#: Kinds of channels of which every act is a ticket, however soon it follows another (contract
#: section 5: every call that was answered is one ticket).
WHOLE = frozenset({"phone"})


def same_thread(came_by: ChannelRef, inbound: Inbound) -> bool:
    """Return whether a message is from the very conversation that a ticket came from."""
    return (came_by.kind, came_by.account, came_by.thread) == (
        inbound.channel,
        inbound.account,
        inbound.thread,
    )


class Conversation:
    """Looks at each message of a conversation before it becomes a ticket. Used on one loop."""

    def __init__(self, core: Core, additions: Additions, citizen: Citizen) -> None:
        self._core = core
        self._additions = additions
        self._citizen = citizen
        self._locks: dict[tuple[str, str, str], asyncio.Lock] = {}
        self._users: Counter[tuple[str, str, str]] = Counter()

    @asynccontextmanager
    async def turn(self, inbound: Inbound) -> AsyncIterator[None]:
        """Let one message of a thread after another be accepted: pieces may come all at once.

        What sounds urgent waits a moment only for what its citizen has said before.
        """
        if inbound.thread is None:
            yield
            return
        key = (inbound.channel, inbound.account, inbound.thread)
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._users[key] += 1
        held = False
        try:
            held = await _taken(lock, URGENT_WAITS_S if self._sounds_urgent(inbound) else None)
            yield
        finally:
            if held:
                lock.release()
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._locks[key]

    def _sounds_urgent(self, inbound: Inbound) -> bool:
        return sounds_urgent(inbound.text, self._core.rules().rulebook)

    async def take(self, inbound: Inbound) -> Receipt | None:
        """Return the receipt of a message that makes no ticket; None: it makes one.

        Raises:
            StoreError: Nothing was written.
        """
        if inbound.thread is None:
            return None
        if inbound.channel in WHOLE:
            return await self._continued(inbound)
        text = normalize_text(inbound.text)
        earlier = await self._core.store.conversation(
            inbound.channel,
            inbound.account,
            inbound.thread,
            self._core.clock.now() - LOOK_BACK,
            urgent=self._sounds_urgent(inbound),
        )
        if await self._is_repeat(inbound, earlier):
            return None  # the store knows it by its key
        key = message_key(inbound.key)
        for stored in earlier:
            if (event := _by_key(stored, key)) is not None:
                return await self._again(stored, event, inbound)
        if inbound.channel in CONVERSING and (command := command_of(text)):
            told = await self._command(command, inbound, earlier)
            if told is not None:
                return told
        return await self._join(inbound, text, earlier)

    async def _is_repeat(self, inbound: Inbound, earlier: Sequence[StoredTicket]) -> bool:
        """Return whether a message is the very one that made a ticket."""
        if inbound.key is None:
            return False
        if any(_is_first(stored, inbound) for stored in earlier):
            return True
        # Only a conversation's newest tickets are at hand.
        if not earlier:
            return False
        of = (inbound.channel, inbound.account, inbound.key)
        return await self._core.store.known(*of) is not None

    # Further words

    async def _continued(self, inbound: Inbound) -> Receipt | None:
        """Let the later words of one act join its ticket; another act is a ticket of its own."""
        number = inbound.continues
        stored = await self._core.store.ticket(number) if number is not None else None
        return None if stored is None else await self._add(stored, inbound)

    async def _cited(self, inbound: Inbound, text: str) -> StoredTicket | None:
        """Return the open ticket that a message cites, of its own conversation or by a mail of ours."""
        for number in (*inbound.cites, *IN_TEXT.findall(text)[:MOST_CITED]):
            stored = None
            if is_number(number):
                stored = await self._core.store.ticket(number, urgent=True)
            if (
                stored is not None
                and _is_open(stored)
                and (number in inbound.cites or same_thread(stored.ticket.channel, inbound))
            ):
                return stored
        return None

    async def _join(
        self, inbound: Inbound, text: str, earlier: list[StoredTicket]
    ) -> Receipt | None:
        cited = await self._cited(inbound, text)
        if cited is not None:
            return await self._add(cited, inbound)
        opened = [stored for stored in earlier if _is_open(stored)]
        if not opened:
            return None
        now = self._core.clock.now()
        spoken_of = max(opened, key=_last_words)  # the newer of equals
        further: Further | None = None
        if _within(JOIN_WITHIN, _last_words(spoken_of), now):
            further = await self._additions.read(spoken_of.ticket, inbound.text, inbound.place)
            if not is_new(spoken_of.ticket, further.seen, further.judged):
                return await self._add(spoken_of, inbound, further)
        asked = opened[0]
        if _within(ASKED_WITHIN, asked.ticket.received_at, now):
            known = further if asked is spoken_of else None
            further = known or await self._additions.read(asked.ticket, inbound.text, inbound.place)
            if answers_question(asked.ticket, further.seen, further.judged):
                return await self._add(asked, inbound, further)
        return None

    async def _add(
        self, stored: StoredTicket, inbound: Inbound, further: Further | None = None
    ) -> Receipt:
        further = further or await self._additions.read(stored.ticket, inbound.text, inbound.place)
        told = self._core.receipts.added_message(stored.number, stored.ticket, further.judged)
        answer = f"{told}{inbound.remark or ''}" if inbound.acknowledge else None
        await self._additions.put(
            stored,
            further,
            tidied(inbound.attachments),
            message_key(inbound.key),
            inbound.key_name,
            answer=answer,
        )
        receipt = self._core.receipts.added(stored, further.judged)
        on_its_way = answer is not None and self._core.answering.reaches(stored.ticket.channel)
        return msgspec.structs.replace(receipt, answered=on_its_way)

    async def _again(self, stored: StoredTicket, event: Event, inbound: Inbound) -> Receipt:
        """Return the receipt of a message that the carrier brings once more."""
        if event.event == "added":
            return await self._add(stored, inbound)
        language = stored.ticket.requester.language
        said = rated(stored.number, language) if event.event == "rated" else stopped(language)
        return self._core.receipts.told(stored, said)

    # Commands

    async def _command(
        self, command: Command, inbound: Inbound, earlier: list[StoredTicket]
    ) -> Receipt | None:
        if isinstance(command, Ask):
            return await self._ask(command, inbound, earlier)
        if isinstance(command, Rate):
            return await self._rate(command, inbound, earlier)
        return await self._stop(inbound, earlier)

    async def _ask(
        self, command: Ask, inbound: Inbound, earlier: list[StoredTicket]
    ) -> Receipt | None:
        number = command.number
        if number is None:
            if not earlier and inbound.touched:  # no words of theirs that a human must read
                said = no_matter(inbound.requester.language)
                return self._core.receipts.without_ticket(said, inbound.received_at)
            return self._progress(earlier[0]) if earlier else None
        stored = next((s for s in earlier if s.number == number), None)
        if stored is None and is_number(number):
            found = await self._core.store.ticket(number)
            if found is not None and (
                _is_theirs(found, inbound) or await self._opens(number, command.code, inbound)
            ):
                stored = found
        if stored is not None:
            return self._progress(stored)
        said = unknown_number(number, inbound.requester.language)
        return self._core.receipts.without_ticket(said, inbound.received_at)

    async def _opens(self, number: str, code: str | None, inbound: Inbound) -> bool:
        """Return whether number and code open a ticket; wrong codes count as on the web."""
        if code is None:
            return False
        who = f"{inbound.channel}:{inbound.account}:{inbound.thread}"
        try:
            await self._citizen.progress(number, code, who)
        except (NotFound, TooMany):
            return False
        return True

    def _progress(self, stored: StoredTicket) -> Receipt:
        shown = self._citizen.shown(stored)
        last = next((entry for entry in reversed(shown.history) if entry.text), None)
        said = progress_of(
            number=stored.number,
            status=shown.status_label,
            unit=shown.unit,
            at=last.at if last else None,
            text=last.text if last else None,
            language=stored.ticket.requester.language,
        )
        return self._core.receipts.told(stored, said)

    async def _rate(
        self, command: Rate, inbound: Inbound, earlier: list[StoredTicket]
    ) -> Receipt | None:
        waiting = next((s for s in earlier if answered(s) and not rated_already(s)), None)
        scale = [rating for rating in RATINGS if rating in self._core.rules().pack.rating_scale]
        rating = command.rating
        if command.place is not None and command.place <= len(scale):
            rating = scale[command.place - 1]
        if waiting is None or rating not in scale:
            # A digit with nothing to rate may be all that somebody dares to send: a human reads it.
            return None
        try:
            await self._citizen.rate_stored(waiting, rating, key=message_key(inbound.key))
        except NotAllowed:
            return None
        return self._core.receipts.told(
            waiting, rated(waiting.number, waiting.ticket.requester.language)
        )

    async def _stop(self, inbound: Inbound, earlier: list[StoredTicket]) -> Receipt | None:
        """Put the citizen's wish on every ticket of the conversation."""
        for stored in earlier:
            event = NewEvent(
                at=self._core.clock.now(), event=STOPPED, by="citizen", key=message_key(inbound.key)
            )
            await self._core.store.change(Change(ticket_id=stored.ticket.id, events=(event,)))
        if not earlier:
            return None
        return self._core.receipts.told(earlier[0], stopped(earlier[0].ticket.requester.language))


async def _taken(lock: asyncio.Lock, within_s: float | None) -> bool:
    """Return whether the lock was taken, False after so many seconds."""
    try:
        async with asyncio.timeout(within_s):
            return await lock.acquire()
    except TimeoutError:
        return False


def _is_first(stored: StoredTicket, inbound: Inbound) -> bool:
    """Return whether a message is the very one that made a ticket."""
    return inbound.key is not None and stored.ticket.channel.message_id == inbound.message_id


def _by_key(stored: StoredTicket, key: str | None) -> Event | None:
    """Return the event by which a message came to a ticket before."""
    if key is None:
        return None
    return next((event for event in stored.events if event.key == key), None)


def _is_open(stored: StoredTicket) -> bool:
    return status_of(stored.events) not in OVER


def _is_theirs(stored: StoredTicket, inbound: Inbound) -> bool:
    """Return whether who asks is who made the ticket, by thread, number, address or open id."""
    if same_thread(stored.ticket.channel, inbound):
        return True
    theirs, ours = stored.ticket.requester, inbound.requester
    # Anybody writes any sender into a mail; the answer goes to where it came from.
    address = inbound.thread if inbound.channel == "email" else ours.email
    known = ((ours.phone, theirs.phone), (address, theirs.email), (ours.wechat, theirs.wechat))
    return any(mine is not None and mine == other for mine, other in known)


def _within(time: timedelta, since: datetime, now: datetime) -> bool:
    """Return whether so little time has passed; by a clock that was set back nobody can tell."""
    return abs(now - since) <= time


def _last_words(stored: StoredTicket) -> datetime:
    """Return when the citizen last said something on a ticket."""
    added = [event.at for event in stored.events if event.event == "added"]
    return max((stored.ticket.received_at, *added))
