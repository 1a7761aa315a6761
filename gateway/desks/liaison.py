"""What desks do with incidents: answers written with compare-and-set, each told to all concerned."""

import logging
from collections.abc import Callable
from datetime import datetime

from gateway.clock import Clock
from gateway.desks.answers import Answer, Turn, called_in, decide
from gateway.desks.incidents import OPEN, UNANSWERED, IncidentIndex, tell, told
from gateway.desks.roster import DUTY, Roster
from gateway.ports import Outbox
from gateway.store.base import (
    Changed,
    IncidentChange,
    NewEvent,
    Store,
    StoredIncident,
)
from normalizer.errors import StoreError
from normalizer.schema import Value

log = logging.getLogger(__name__)

#: How often a step is decided again because another one came first.
_TRIES = 12
_PAGE = 500


class Steps:
    """Writes steps of incidents and tells everyone in this process who waits for them."""

    def __init__(
        self, store: Store, outbox: Outbox, stepped: Callable[[IncidentChange], None]
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._stepped = stepped

    async def write(self, change: IncidentChange) -> Changed:
        """Return what the store did, after the deliveries were handed on.

        Raises:
            StoreError: Nothing was written.
        """
        done = await self._store.step(change)
        if done.written and not done.duplicate:
            self._stepped(change)
            self._outbox.hand_over(done.leased)
            for delivery in change.deliveries:
                self._outbox.wake(delivery.destination, delivery.lane)
        return done


def backoffices(stored: StoredIncident) -> list[str]:
    """Return the back offices that were told of the incident."""
    return list(
        dict.fromkeys(e.data["backoffice"] for e in stored.events if "backoffice" in e.data)
    )


def audience(stored: StoredIncident, desk: str) -> list[str]:
    """Return the desks' destinations, ``desk`` first, then every desk that knows of the incident."""
    desks = [desk, stored.desk, stored.incident.service]
    if called_in(stored) or any(e.data.get("desk") == DUTY for e in stored.events):
        desks.append(DUTY)
    return [f"liaison:{name}" for name in dict.fromkeys(desks)]


class Liaison:
    """Takes the desks' answers."""

    def __init__(
        self,
        store: Store,
        roster: Callable[[], Roster],
        clock: Clock,
        steps: Steps,
        index: IncidentIndex,
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._roster = roster
        self._clock = clock
        self._steps = steps
        self._index = index
        self._new_id = new_id

    async def answer(self, answer: Answer) -> StoredIncident | None:
        """Return the incident as the answer leaves it, None if there is no such incident.

        Raises:
            NotAllowed: The incident's state forbids the action.
            StoreError: Nothing was written.
        """
        for _ in range(_TRIES):
            stored = await self._store.incident(answer.incident)
            if stored is None or _answered_before(stored, answer):
                return stored
            turn = decide(stored, answer, has_duty=self._roster().has_duty)
            if turn is None:
                return stored
            done = await self._steps.write(self._change(stored, answer, turn))
            if done.written or done.duplicate:
                if turn.state == "closed":
                    self._index.forget(answer.incident)
                log.info(
                    "incident.answered",
                    extra={"incident": answer.incident, "state": turn.state, "desk": turn.desk},
                )
                return await self._store.incident(answer.incident)
        raise StoreError("the incident changes faster than it can be answered; try again")

    def _change(self, stored: StoredIncident, answer: Answer, turn: Turn) -> IncidentChange:
        now = self._clock.now()
        deliveries = tell(
            turn.state, [*audience(stored, turn.desk), *backoffices(stored)], now, self._new_id
        )
        rung, ladder_at, starts = self._ladder_after(stored, turn, now)
        return IncidentChange(
            incident_id=answer.incident,
            event=NewEvent(
                at=now,
                event=turn.state,
                by=answer.by,
                text=answer.note,
                data={
                    "from": answer.desk or stored.desk,
                    "desk": turn.desk,
                    "told": {turn.state: told(deliveries)},
                },
                key=answer.key,
            ),
            state=turn.state,
            desk=turn.desk,
            rung=rung,
            ladder_at=ladder_at,
            deliveries=deliveries,
            if_version=stored.version,
            rung_from=now if starts else None,
        )

    def _ladder_after(
        self, stored: StoredIncident, turn: Turn, now: datetime
    ) -> tuple[int, datetime | None, bool]:
        """Return rungs done, when the clock next runs out, and whether it starts anew."""
        if turn.state != "returned":
            return stored.rung, None, False
        if turn.desk == stored.desk and stored.ladder_at is not None:
            log.warning(
                "incident.returned_without_duty",
                extra={"incident": stored.incident.id, "desk": turn.desk},
            )
            return stored.rung, stored.ladder_at, False
        return 0, self._roster().first_at(turn.desk, now), True


def _answered_before(stored: StoredIncident, answer: Answer) -> bool:
    return answer.key is not None and any(e.key == answer.key for e in stored.events)


class Figures(Value, frozen=True, kw_only=True):
    """How the desks stand, for ``/readyz`` and ``/metrics``."""

    open: int
    unacknowledged: int
    oldest_s: float  #: age of the oldest that nobody has acknowledged; 0: none


async def figures(store: Store, now: datetime) -> Figures:
    """Return how the desks stand. Raises `StoreError`."""
    count, unanswered, oldest, after = 0, 0, 0.0, ""
    while page := await store.incidents(None, OPEN, _PAGE, after):
        count += len(page)
        for stored in page:
            if stored.incident.state in UNANSWERED:
                unanswered += 1
                oldest = max(oldest, (now - stored.incident.opened_at).total_seconds())
        after = page[-1].incident.id
    return Figures(open=count, unacknowledged=unanswered, oldest_s=oldest)
