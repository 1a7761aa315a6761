"""What a liaison queue asks of the gateway: what its streams must hold, and where answers go."""

import logging
from collections.abc import AsyncIterator, Callable, Collection

from adapters.base import Item
from adapters.liaison.answers import StreamAnswer
from adapters.liaison.port import Mention
from gateway.clock import Clock
from gateway.desks.answers import Answer
from gateway.desks.incidents import OPEN
from gateway.desks.liaison import Liaison
from gateway.desks.roster import Roster
from gateway.outbox.events import materialize
from gateway.store.base import Quarantined, Store, StoredIncident
from gateway.view import Public
from normalizer.errors import Malformed, NotAllowed

log = logging.getLogger(__name__)

_PAGE = 200


class Relay:
    """Stands between the store and the queue; see `adapters.liaison.redis_streams.Gateway`."""

    def __init__(
        self,
        store: Store,
        liaison: Liaison,
        roster: Callable[[], Roster],
        clock: Clock,
        public: Public,
    ) -> None:
        self._store = store
        self._liaison = liaison
        self._roster = roster
        self._clock = clock
        self._public = public

    async def open_events(self) -> AsyncIterator[Mention]:
        """Yield, for each open incident and desk, the first event it was told and the newest."""
        after = ""
        while page := await self._store.incidents(None, OPEN, _PAGE, after):
            for stored in page:
                for mention in _mentions(stored):
                    yield mention
            after = page[-1].incident.id

    async def item(self, mention: Mention) -> Item | None:
        """Return the item of an event, with the octets that it had at first."""
        delivery = await self._store.delivery(mention.id)
        if delivery is None:
            return None
        items = await materialize(self._store, (delivery,), self._public)
        return items.get(delivery.seq)

    async def still_open(self, incidents: Collection[str]) -> set[str]:
        """Return those of the incidents that are open."""
        found = [await self._store.incident(one) for one in incidents]
        return {s.incident.id for s in found if s is not None and s.incident.state != "closed"}

    async def answered(self, answer: StreamAnswer) -> None:
        """Write the answer, once however often the entry is read.

        Raises:
            Malformed: No such incident or desk.
            StoreError: Nothing was written.
        """
        if answer.desk is not None and self._roster().get(answer.desk) is None:
            raise Malformed("desk", "there is no desk of this name")
        try:
            stored = await self._liaison.answer(
                Answer(
                    incident=answer.incident,
                    action=answer.action,
                    by=answer.by,
                    note=answer.note,
                    desk=answer.desk,
                    key=f"answer:{answer.entry}",
                )
            )
        except NotAllowed as error:
            log.warning("liaison.answer_refused", extra={"entry": answer.entry, "rule": error.rule})
            return
        if stored is None:
            raise Malformed("incident", "there is no incident of this id")

    async def unreadable(self, entry: str, raw: bytes, reason: str) -> None:
        """Keep an entry that nobody understands. Raises `StoreError`."""
        log.warning("liaison.answer_unreadable", extra={"entry": entry, "reason": reason})
        await self._store.quarantine(
            Quarantined(
                id=f"answer-{entry}",
                at=self._clock.now(),
                channel="liaison",
                account="answers",
                reason=reason,
                raw=raw,
                raw_type="application/json",
            )
        )


def _mentions(stored: StoredIncident) -> list[Mention]:
    told: dict[str, list[str]] = {}
    for event in stored.events:
        for destination, event_id in event.data.get("told", {}).get(event.event, {}).items():
            told.setdefault(destination, []).append(event_id)
    return [
        Mention(destination=destination, id=event_id, incident=stored.incident.id)
        for destination, ids in told.items()
        for event_id in dict.fromkeys((ids[0], ids[-1]))
    ]
