"""The clock of the emergencies: whoever does not acknowledge is called again, then others are.

Everything the clock needs is in the store (`StoredIncident.rung`, ``ladder_at``), so it goes on
where it stopped when the process comes back: rungs missed meanwhile are done at once, one after
another; missed repetitions of the last one are not made up for. A machine's clock that was set
back must not hold a rung up either: a rung that lies further ahead than its ladder is long is done
at once.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from config.settings import Rung
from gateway.clock import Clock
from gateway.desks.incidents import place_line, tell, told
from gateway.desks.liaison import Steps, audience, backoffices
from gateway.desks.roster import DUTY, Roster
from gateway.store.base import IncidentChange, Lane, NewDelivery, NewEvent, Store, StoredIncident
from normalizer.errors import GatewayError

log = logging.getLogger(__name__)

#: Incidents taken care of in one go, the most overdue first.
BATCH = 50
#: Longest wait in seconds: a wake-up that was missed costs no more than this.
_LONGEST_WAIT_S = 5.0
#: How long an incident whose rung failed is left alone, so that it cannot keep others waiting.
_SPARED = timedelta(seconds=5)
#: A clock that loses more than this between two looks was set back, not slewed.
_SET_BACK = timedelta(seconds=1)
#: Behind every rung of every ladder.
_FAR = timedelta(days=36_500)
_ALL = 1_000_000


class Caller:
    """Says what is sent for a rung."""

    def __init__(self, name: str, public_url: str, roster: Callable[[], Roster]) -> None:
        self._name = name
        self._url = public_url.rstrip("/")
        self._roster = roster

    def text(self, stored: StoredIncident, desk: str, now: datetime) -> str:
        """Return the words of an alarm: what, where, how long; nobody's name or number."""
        incident = stored.incident
        label = self._roster().label(incident.service)
        number = incident.reports[0] if incident.reports else incident.id
        waited_s = max(0, int((now - incident.opened_at).total_seconds()))
        minutes, seconds = divmod(waited_s, 60)
        place = place_line(incident.place) or "地点不详"
        drill = "【演练】" if incident.exercise else ""
        return (
            f"【{self._name}】{drill}{label}紧急事件 {number} 已 {minutes} 分 {seconds} 秒无人签收，"
            f"地点：{place}。请立即处理：{self._url}/desk/{desk}"
        )

    def deliveries(
        self, stored: StoredIncident, rung: Rung, now: datetime, new_id: Callable[[], str]
    ) -> tuple[NewDelivery, ...]:
        """Return the message of a rung that calls somebody outside; empty for desks."""
        if rung.to in ("desk", "duty"):
            return ()
        to = rung.address if rung.to == "email" else rung.number
        if to is None:
            log.error(
                "ladder.rung_without_number",
                extra={"incident": stored.incident.id, "desk": stored.desk, "to": rung.to},
            )
            return ()
        return (
            NewDelivery(
                id=new_id(),
                destination=self._way(stored, rung),
                lane=Lane.EMERGENCY,
                type="hotline.emergency.escalated",
                due_at=now,
                data={
                    "to": to,
                    "text": self.text(stored, stored.desk, now),
                    "expires_at": (now + self._roster().desk(stored.desk).alarms_for).isoformat(),
                },
            ),
        )

    def _way(self, stored: StoredIncident, rung: Rung) -> str:
        """Return a destination of the rung's own number: at one, an incident's messages queue.

        Who is called next must not wait for a message that a dead number refuses.
        """
        rungs = [r for r in self._roster().ladder(stored.desk) if r.to == rung.to]
        numbers = list(dict.fromkeys((r.number, r.address) for r in rungs))
        at = numbers.index((rung.number, rung.address))
        first = at == 0 and stored.desk == stored.incident.service
        return f"notify:{rung.to}" if first else f"notify:{rung.to}:{stored.desk}-{at + 1}"


class Ladder:
    """Does the rungs whose time has come."""

    def __init__(
        self,
        store: Store,
        roster: Callable[[], Roster],
        clock: Clock,
        steps: Steps,
        caller: Caller,
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._roster = roster
        self._clock = clock
        self._steps = steps
        self._caller = caller
        self._new_id = new_id
        self._woken = asyncio.Event()
        self._rests_until: float | None = None  #: monotonic seconds; None: it looks right now
        self._spared: dict[str, datetime] = {}  #: incidents whose rung failed, until when
        self._began: datetime | None = None  #: the instant at which monotonic time was 0

    def wake(self, at: datetime | None = None) -> None:
        """Look at the clocks again, unless that is soon enough for one that runs out at ``at``.

        Args:
            at: Of the incident that was raised or returned; None: whatever the next is.
        """
        if at is not None and self._rests_until is not None:
            rest_s = self._rests_until - self._clock.monotonic()
            if (at - self._clock.now()).total_seconds() >= rest_s:
                return
        self._woken.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._woken.clear()
            try:
                done = await self.climb()
                wait_s = 0.0 if done else await self._wait_s()
            except GatewayError as error:
                log.error("ladder.failed", extra={"code": error.code})  # noqa: TRY400 - store's own words are logged there
                wait_s = 1.0
            if wait_s > 0:
                self._rests_until = self._clock.monotonic() + wait_s
                await self._clock.wait(self._woken, wait_s)
                self._rests_until = None
            else:
                await asyncio.sleep(0)

    async def climb(self) -> int:
        """Do the rungs that are due, `BATCH` at most; return how many were done.

        Raises:
            StoreError: The store could not even be asked.
        """
        now = self._clock.now()
        self._spared = {key: until for key, until in self._spared.items() if until > now}
        began = now - timedelta(seconds=self._clock.monotonic())
        if self._began is None or self._began - began > _SET_BACK:
            due = await self._stranded(now)
        else:
            due = []
        due += await self._store.ladder_due(now, BATCH + len(self._spared))
        due = [stored for stored in due if stored.incident.id not in self._spared]
        # All at once: they share a commit, and the last of many waits no longer than the first.
        done = await asyncio.gather(*(self._one(stored, now) for stored in due))
        if not self._spared:  # else there may be stranded ones left
            self._began = began
        return sum(done)

    async def _stranded(self, now: datetime) -> list[StoredIncident]:
        """Return incidents whose clock runs out later than it ever could: time was set back."""
        running = await self._store.ladder_due(now + _FAR, _ALL)
        longest = self._roster().longest
        return [s for s in running if s.ladder_at and s.ladder_at - now > longest(s.desk)]

    async def _wait_s(self) -> float:
        following = await self._store.ladder_next()
        if following is None:
            return _LONGEST_WAIT_S
        wait_s = (following - self._clock.now()).total_seconds()
        if wait_s <= 0:  # only spared ones are due
            return 1.0
        return min(wait_s, _LONGEST_WAIT_S)

    async def _one(self, stored: StoredIncident, now: datetime) -> bool:
        """Do one rung; a failure is logged and never keeps the others from being called."""
        incident_id = stored.incident.id
        try:
            change = self._change(stored, now)
            done = await self._steps.write(change)
        except Exception as error:  # noqa: BLE001 - one incident's fault must not silence the rest
            self._spared[incident_id] = now + _SPARED
            log.error(  # noqa: TRY400 - the trace may quote a citizen
                "ladder.rung_failed",
                extra={"incident": incident_id, "error": type(error).__name__},
            )
            return False
        if done.written:
            log.warning(
                "incident.escalated",
                extra={"incident": incident_id, "desk": stored.desk, "rung": change.rung},
            )
        return done.written

    def _change(self, stored: StoredIncident, now: datetime) -> IncidentChange:
        roster = self._roster()
        desk, number = stored.desk, stored.rung
        rung = roster.rung(desk, number)
        destinations = audience(stored, desk)
        if rung.to == "duty" and roster.has_duty:
            destinations.append(f"liaison:{DUTY}")
        if number < len(roster.ladder(desk)):  # its repetitions concern the desks alone
            destinations += backoffices(stored)
        data = {"rung": number + 1, "to": rung.to}
        # Raised in what is the future now: the rungs that follow keep their distances.
        rung_from = None if stored.rung_from <= now else now - rung.after
        deliveries = (
            *tell("escalated", destinations, now, self._new_id, data),
            *self._caller.deliveries(stored, rung, now, self._new_id),
        )
        return IncidentChange(
            incident_id=stored.incident.id,
            event=NewEvent(
                at=now,
                event="escalated",
                by="gateway",
                text=f"{number + 1}: {rung.to}",
                data={**data, "told": {"escalated": told(deliveries)}},
                key=f"rung:{stored.version}",
            ),
            state="escalated",
            desk=desk,
            rung=number + 1,
            ladder_at=roster.due_at(desk, rung_from or stored.rung_from, number + 1, now),
            deliveries=deliveries,
            if_version=stored.version,
            rung_from=rung_from,
        )
