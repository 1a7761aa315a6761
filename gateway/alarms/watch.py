"""Tells operators what is down, once an outage and again while it lasts, and that it is well again.

An outage is one when a part has been down for `Alarms.down_for` without a break, and over when it
has been well for as long, so that a part that comes and goes rings nobody at every turn. What was
told is written down once somebody has taken it: a crash in that instant tells it twice, under the
same id, and none is lost.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta

import msgspec

from config.settings import AlarmRung, Alarms
from gateway.alarms.ledger import Ledger
from gateway.alarms.notice import Kind, Notice, Outage, Told, notice_of
from gateway.alarms.ways import Ways, key_of
from gateway.clock import Clock
from gateway.health import Part, State
from gateway.metrics import Metrics
from normalizer.errors import DeliveryError
from normalizer.schema import Value

log = logging.getLogger(__name__)

#: Longest time between two looks, in seconds.
_LOOK_S = 5.0
#: How long one try may take: the next rung waits for it.
_TRY_S = 15.0
#: Between two tries at a rung that failed: the first pause, which doubles, and the longest.
_AGAIN_S, _AGAIN_MOST_S = 5.0, 120.0

#: Every part's state by its name, ``store`` or ``channels/phone:trunk``.
States = Callable[[], Awaitable[Mapping[str, Part]]]


class _Since(Value, frozen=True, kw_only=True):
    """How a part is, and since when without a break."""

    down: bool
    at: datetime
    monotonic: float


class _Pending(Value, frozen=True, kw_only=True):
    """A notice that nobody has taken yet."""

    notice: Notice
    failures: int
    again: float  #: monotonic seconds


def _rungs(settings: Alarms) -> list[tuple[str, AlarmRung]]:
    """Return the rungs with their keys; who is named twice is told once."""
    found: dict[str, AlarmRung] = {}
    for rung in settings.ladder:
        found.setdefault(key_of(rung), rung)
    return list(found.items())


class Watch:
    """The operators' alarms.

    Args:
        states: How the parts are.
        settings: What is in force; None: nobody is told anything.
        clock: The time.
        ways: Reaches people.
        ledger: Outages that people know of.
        metrics: Where alarms are counted.
        new_id: Names an outage.
    """

    def __init__(
        self,
        states: States,
        settings: Callable[[], Alarms | None],
        clock: Clock,
        ways: Ways,
        ledger: Ledger,
        metrics: Metrics,
        new_id: Callable[[], str],
    ) -> None:
        self._states = states
        self._settings = settings
        self._clock = clock
        self._ways = ways
        self._ledger = ledger
        self._metrics = metrics
        self._new_id = new_id
        self._since: dict[str, _Since] = {}
        self._outages: dict[str, Outage] = {}  #: by part
        self._remembers = False  #: the ledger was read
        self._pending: dict[tuple[str, str], _Pending] = {}  #: by outage and rung
        self._writing = asyncio.Lock()

    async def run(self) -> None:
        """Watch until cancelled."""
        never = asyncio.Event()
        while True:
            settings = self._settings()
            if settings is not None:
                await self.look(settings)
            rest_s = _LOOK_S if settings is None else settings.down_for.total_seconds() / 2
            await self._clock.wait(never, min(rest_s, _LOOK_S))

    async def close(self) -> None:
        """Let go of connections."""
        await self._ways.close()

    async def look(self, settings: Alarms) -> None:
        """Tell what is to be told now."""
        if not self._remembers:
            self._outages = {outage.part: outage for outage in await self._ledger.read()}
            self._remembers = True
        parts = await self._states()
        down = {name for name, part in parts.items() if part.state is State.DOWN}
        for name in sorted(parts.keys() | self._outages.keys()):
            self._follow(name, parts.get(name), settings.down_for)
        await self._write()
        outages = list(self._outages.values())
        await asyncio.gather(*(self._tell(outage, settings, down) for outage in outages))

    async def _write(self) -> None:
        async with self._writing:
            await self._ledger.write(tuple(self._outages.values()))

    # What is down

    def _follow(self, name: str, part: Part | None, hold: timedelta) -> None:
        """Take note of an outage, or of its end. A part that is there no more is well."""
        known = self._outages
        down = part is not None and part.state is State.DOWN
        since, now = self._since.get(name), self._clock.now()
        if since is None or since.down is not down:
            since = _Since(down=down, at=now, monotonic=self._clock.monotonic())
            self._since[name] = since
        if self._clock.monotonic() - since.monotonic < hold.total_seconds():
            return
        outage = known.get(name)
        if part is not None and down:
            if outage is None:
                began = min(part.since or since.at, since.at)
                outage = Outage(
                    id=self._new_id(), part=name, since=began, known_at=now, why=part.why
                )
                log.error("alarm.outage", extra={"part": name, "why": part.why})
            elif outage.over_at is not None:  # before everybody knew that it was well
                log.error("alarm.outage", extra={"part": name, "why": part.why})
                outage = msgspec.structs.replace(outage, over_at=None, why=part.why, known_at=now)
            known[name] = outage
        elif outage is not None and outage.over_at is None:
            log.info("alarm.over", extra={"part": name})
            known[name] = msgspec.structs.replace(outage, over_at=since.at)

    # Telling

    async def _tell(self, outage: Outage, settings: Alarms, down: Collection[str]) -> None:
        if outage.over_at is not None:
            await self._clear(outage, settings, down)
        elif outage.part in down:  # else it may be over
            await self._climb(outage, settings, down)

    async def _climb(self, outage: Outage, settings: Alarms, down: Collection[str]) -> None:
        """Tell the rungs whose time has come; where none could be told, the next one at once."""
        now, failed = self._clock.now(), 0
        for at, (key, rung) in enumerate(_rungs(settings)):
            told = outage.told.get(key)
            if told is None:
                waits = timedelta() <= now - outage.known_at < rung.after
                if waits and not (at and failed == at):
                    return
            elif timedelta() <= now - told.at < settings.repeat:
                continue  # a clock that was set back must silence nobody, here and above
            kind = Kind.RAISED if told is None else Kind.REPEATED
            if await self._send(outage, kind, key, rung, down):
                outage = await self._was_told(outage, key, now)
            elif told is None:
                failed += 1

    async def _was_told(self, outage: Outage, key: str, now: datetime) -> Outage:
        times = outage.told[key].times if key in outage.told else 0
        told = {**outage.told, key: Told(at=now, times=times + 1)}
        return await self._replace(msgspec.structs.replace(outage, told=told))

    async def _clear(self, outage: Outage, settings: Alarms, down: Collection[str]) -> None:
        """Tell those who were told that it is over; who cannot be within `repeat` is left alone."""
        rungs = dict(_rungs(settings))
        late = self._clock.now() - (outage.over_at or outage.since) >= settings.repeat
        for key in list(outage.told):
            rung = rungs.get(key)
            done = rung is None or await self._send(outage, Kind.CLEARED, key, rung, down)
            if done or late:
                told = {each: when for each, when in outage.told.items() if each != key}
                outage = await self._replace(msgspec.structs.replace(outage, told=told))
        if not outage.told:
            del self._outages[outage.part]
            for pending in [each for each in self._pending if each[0] == outage.id]:
                del self._pending[pending]
            await self._write()

    async def _replace(self, outage: Outage) -> Outage:
        self._outages[outage.part] = outage
        await self._write()
        return outage

    async def _send(
        self, outage: Outage, kind: Kind, key: str, rung: AlarmRung, down: Collection[str]
    ) -> bool:
        """Return whether somebody has taken a notice; it is tried again after a pause."""
        pending = self._pending.get((outage.id, key))
        if pending is None or pending.notice.kind is not kind:
            notice = notice_of(outage, kind, key, self._clock.now())
            pending = _Pending(notice=notice, failures=0, again=0.0)
        if pending.failures and self._clock.monotonic() < pending.again:
            return False
        why = await self._try(rung, pending.notice, down)
        if why is None:
            self._pending.pop((outage.id, key), None)
            self._metrics.count("alarm", str(kind))
            log.warning("alarm.told", extra={"part": outage.part, "kind": str(kind), "to": rung.to})
            return True
        pause = min(_AGAIN_S * 2 ** min(pending.failures, 10), _AGAIN_MOST_S)
        self._pending[outage.id, key] = msgspec.structs.replace(
            pending, failures=pending.failures + 1, again=self._clock.monotonic() + pause
        )
        self._metrics.count("alarm_unsent", rung.to)
        log.error("alarm.unsent", extra={"part": outage.part, "to": rung.to, "why": why})
        return False

    async def _try(self, rung: AlarmRung, notice: Notice, down: Collection[str]) -> str | None:
        """Return why nobody has taken a notice; None: somebody has."""
        try:
            async with asyncio.timeout(_TRY_S):
                await self._ways.send(rung, notice, down)
        except DeliveryError as error:
            return str(error)
        except TimeoutError:
            return "no answer in time"
        except Exception as error:
            # Whatever is wrong with one way, the others must be tried.
            log.exception("alarm.failed", extra={"to": rung.to})
            return f"the channel failed: {type(error).__name__}"
        return None
