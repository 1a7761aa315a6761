"""Liaison queues on Redis: one stream a desk, answers on a stream of their own.

Redis is a way to the desks and back, never the truth: when it comes back after a loss, every
open incident that its streams lack is added again, with the event id that it had before, so that
a consumer which goes by ids takes nothing twice.

Source: https://redis.io/docs/latest/develop/data-types/streams/ ; the names and fields are those
of contract section 7.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from adapters.base import Item
from adapters.liaison.answers import decode
from adapters.liaison.embedded import EmbeddedQueue
from adapters.liaison.port import Gateway
from normalizer.errors import GatewayError, Malformed, TryLater
from normalizer.schema import Value

log = logging.getLogger(__name__)

ANSWERS = "liaison:answers"
DESK_GROUP = "desk"
OWN_GROUP = "gateway"
_CONSUMER = "gateway"
_BLOCK_MS = 1000
_READ = 50
_PAGE = 500
#: Answers kept on their stream for others to read.
_ANSWERS_KEPT = 1000
#: Seconds between attempts to reach Redis: doubled up to the second, with jitter.
_RETRY_S = (0.1, 3.0)
_REFILLED_KEPT = 10_000


class Away(Exception):
    """Redis cannot be reached, or has lost its data."""


class Rhythm(Value, frozen=True, kw_only=True):
    """How often what is done."""

    #: An answer that failed, or that a process took and died with, is taken again after this.
    again_ms: int = 5000
    #: Seconds between two rounds of upkeep: lost streams are refilled, finished entries trimmed.
    upkeep_s: float = 30.0
    #: An unread entry of a closed incident is trimmed after this.
    unread_kept_ms: int = 24 * 3600 * 1000


#: Told of each change of state: ok, degraded or down, and why.
Report = Callable[[str, str | None], None]
#: Waits so many seconds.
Pause = Callable[[float], Awaitable[object]]


class RedisStreams:
    """Adapter of every ``liaison:<desk>``, and the reader of their answers."""

    def __init__(
        self,
        url: str,
        desks: Callable[[], Sequence[str]],
        gateway: Gateway,
        embedded: EmbeddedQueue,
        report: Report,
        pause: Pause = asyncio.sleep,
        rhythm: Rhythm | None = None,
    ) -> None:
        self._desks = desks
        self._gateway = gateway
        self._embedded = embedded
        self._report = report
        self._pause = pause
        self._rhythm = rhythm or Rhythm()
        # Any: redis-py types every reply for all of its decodings at once.
        self._out: Any = _client(url, 2.0)
        self._in: Any = _client(url, _BLOCK_MS / 1000 + 4)
        self._refilled: set[tuple[str, str]] = set()  #: (stream, id) added by the last refill
        self._unfit: set[str] = set()  #: desks' streams whose name something else has taken
        self._state: tuple[str, str | None] | None = None

    async def open(self) -> None:
        """Nothing is needed: `run` keeps the connection."""

    async def close(self) -> None:
        """Let go of the connections."""
        await self._out.aclose()
        await self._in.aclose()

    async def deliver(self, item: Item) -> None:
        """Return once the item is on its stream, or was put there by a refill.

        Raises:
            TryLater: Redis could not be reached.
        """
        await self._embedded.deliver(item)
        if (item.destination, item.id) in self._refilled:
            self._refilled.discard((item.destination, item.id))
            return
        if self._state is not None and self._state[0] == "down":
            raise TryLater("redis: down")  # the refill brings it when Redis comes back
        try:
            await self._add(item)
        except (RedisError, OSError, TimeoutError) as error:
            raise TryLater(f"redis: {type(error).__name__}") from error

    async def run(self) -> None:
        """Keep the streams filled and take answers until cancelled."""
        wait_s = _RETRY_S[0]
        while not _is_cancelled():
            try:
                await self._prepare()
                wait_s = _RETRY_S[0]
                await self._serve()
            except Away as error:
                self._tell("degraded", str(error))
                await self._pause(_RETRY_S[0])
            except ResponseError as error:
                # Redis is there and refuses something: what it takes must still go out.
                self._tell("degraded", type(error).__name__)
                await self._pause(_RETRY_S[1])
            except (RedisError, OSError, TimeoutError) as error:
                self._tell("down", type(error).__name__)
                await self._pause(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                wait_s = min(2 * wait_s, _RETRY_S[1])
            except GatewayError as error:
                self._tell("degraded", error.code)
                await self._pause(_RETRY_S[1])

    def _tell(self, state: str, why: str | None = None) -> None:
        if (state, why) != self._state:
            self._state = state, why
            log.warning("liaison.queue", extra={"state": state, "why": why or ""})
            self._report(state, why)

    async def _add(self, item: Item) -> None:
        await self._out.xadd(
            item.destination, {"id": item.id, "type": item.type, "event": item.body}
        )

    # streams and groups

    async def _prepare(self) -> None:
        """Make streams and groups, put back what is missing, take over answers left behind."""
        self._unfit.clear()
        for desk in self._desks():
            await self._desk(f"liaison:{desk}")
        await self._refill()
        await self._group(ANSWERS, OWN_GROUP)
        await self._take_over(0)
        if self._unfit:
            self._tell("degraded", f"no streams: {', '.join(sorted(self._unfit))}")
        else:
            self._tell("ok")

    async def _desk(self, stream: str) -> None:
        """Make a desk's stream; one whose name something else has taken keeps no other back."""
        try:
            await self._group(stream, DESK_GROUP)
        except ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
            self._unfit.add(stream)

    async def _group(self, stream: str, group: str) -> None:
        try:
            await self._out.xgroup_create(stream, group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def _refill(self) -> None:
        """Add the items of open incidents that their streams lack."""
        present: dict[str, set[bytes]] = {}
        self._refilled.clear()
        added = 0
        async for mention in self._gateway.open_events():
            stream = mention.destination
            if stream in self._unfit:
                continue
            if stream not in present:
                present[stream] = await self._ids_on(stream)
            if mention.id.encode() in present[stream]:
                continue
            item = await self._gateway.item(mention)
            if item is None:
                continue
            await self._add(item)
            added += 1
            if len(self._refilled) < _REFILLED_KEPT:
                self._refilled.add((stream, mention.id))
        if added:
            log.warning("liaison.refilled", extra={"added": added})

    async def _ids_on(self, stream: str) -> set[bytes]:
        found: set[bytes] = set()
        start = b"-"
        while page := await self._out.xrange(stream, min=start, count=_PAGE):
            found.update(fields.get(b"id", b"") for _, fields in page)
            start = b"(" + page[-1][0]
        return found

    async def _upkeep(self) -> None:
        """Refill streams that somebody deleted; trim what is finished."""
        streams = [f"liaison:{desk}" for desk in self._desks()]
        if await self._out.exists(*streams) < len(streams):
            raise Away("a desk's stream was deleted")
        if self._unfit:
            raise Away("a desk's stream could not be made")
        for stream in streams:
            # Of a stream that was deleted, the next emergency makes a new one, but no group.
            groups = await self._out.xinfo_groups(stream)
            if all(group["name"] != DESK_GROUP.encode() for group in groups):
                raise Away("a desk's group was deleted")
            await self._trim(stream)
        if await self._out.xlen(ANSWERS) > _ANSWERS_KEPT:
            bound = await self._unread_from(ANSWERS)
            await self._out.xtrim(ANSWERS, minid=bound, approximate=False)

    async def _trim(self, stream: str) -> None:
        """Trim entries that every group has acknowledged and whose incident is closed.

        By id, from the oldest: MAXLEN would also remove what is still pending
        (https://github.com/redis/redis/issues/5570).
        """
        unread = _id_of(await self._unread_from(stream))
        seconds, _ = await self._out.time()
        stale = (seconds * 1000 - self._rhythm.unread_kept_ms, 0)
        page = await self._out.xrange(stream, count=_PAGE)
        subjects = {entry: _subject(fields) for entry, fields in page}
        still = await self._gateway.still_open({s for s in subjects.values() if s})
        finished = None
        for entry, subject in subjects.items():
            if subject in still or (_id_of(entry) >= unread and _id_of(entry) >= stale):
                break
            finished = entry
        if finished is not None:
            milliseconds, number = _id_of(finished)
            bound = f"{milliseconds}-{number + 1}"
            await self._out.xtrim(stream, minid=bound, approximate=False)

    async def _unread_from(self, stream: str) -> bytes:
        """Return an id below which every group has read and acknowledged everything."""
        lowest: list[bytes] = []
        for group in await self._out.xinfo_groups(stream):
            pending = await self._out.xpending(stream, group["name"])
            if pending["pending"]:
                lowest.append(pending["min"])
            else:
                milliseconds, number = _id_of(group["last-delivered-id"])
                lowest.append(f"{milliseconds}-{number + 1}".encode())
        return min(lowest, key=_id_of, default=b"0-0")

    # answers

    async def _serve(self) -> None:
        """Take answers until Redis goes away."""
        loop, rhythm = asyncio.get_running_loop(), self._rhythm
        upkeep_at = loop.time() + rhythm.upkeep_s
        again_at = loop.time() + rhythm.again_ms / 1000
        while not _is_cancelled():
            await self._take(await self._read())
            if loop.time() >= again_at:
                await self._take_over(rhythm.again_ms)
                again_at = loop.time() + rhythm.again_ms / 1000
            if loop.time() >= upkeep_at:
                await self._upkeep()
                upkeep_at = loop.time() + rhythm.upkeep_s

    async def _read(self) -> list[tuple[bytes, Mapping[bytes, bytes]]]:
        try:
            found: Any = await self._in.xreadgroup(
                OWN_GROUP, _CONSUMER, {ANSWERS: ">"}, count=_READ, block=_BLOCK_MS
            )
        except ResponseError as error:
            # Gone with FLUSHALL, or with a restart without persistence.
            raise Away(str(error).split(" ", 1)[0]) from error
        if not found:
            return []
        streams = found.items() if isinstance(found, dict) else found
        return [entry for _, entries in streams for entry in _flat(entries)]

    async def _take_over(self, idle_ms: int) -> None:
        """Take answers that were read but never acknowledged, ours or of a process that died."""
        start: Any = b"0-0"
        while True:
            try:
                start, entries, *_ = await self._out.xautoclaim(
                    ANSWERS, OWN_GROUP, _CONSUMER, idle_ms, start_id=start, count=_READ
                )
            except ResponseError as error:
                raise Away(str(error).split(" ", 1)[0]) from error
            await self._take(entries)
            if start in (b"0-0", "0-0"):
                return

    async def _take(self, entries: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> None:
        # XAUTOCLAIM before Redis 7 names deleted entries with nothing in them.
        present = [(entry, fields) for entry, fields in entries if entry and fields is not None]
        done = [entry for entry, fields in present if await self._answer(entry, fields)]
        if done:
            await self._out.xack(ANSWERS, OWN_GROUP, *done)

    async def _answer(self, entry: bytes, fields: Mapping[bytes, bytes]) -> bool:
        """Act on one entry; return whether it is done with."""
        try:
            try:
                await self._gateway.answered(decode(entry, fields))
            except Malformed as error:
                await self._gateway.unreadable(_show(entry), _raw(fields), str(error))
        except GatewayError as error:
            log.error(  # noqa: TRY400 - it is taken again; the trace adds nothing
                "liaison.answer_failed", extra={"entry": _show(entry), "code": error.code}
            )
            return False
        except Exception:
            log.exception("liaison.answer_failed", extra={"entry": _show(entry)})
            return False
        return True


def _is_cancelled() -> bool:
    # redis-py may turn a cancellation that meets one of its time-outs into an error of its own.
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _client(url: str, timeout_s: float) -> "Redis":
    # One retry: after a restart the pool holds connections that are dead.
    return Redis.from_url(
        url,
        socket_connect_timeout=1.0,
        socket_timeout=timeout_s,
        retry=Retry(NoBackoff(), 1),
    )


class _Envelope(msgspec.Struct):
    subject: str = ""


def _subject(fields: Mapping[bytes, bytes]) -> str:
    """Return the incident that an entry is about, empty for an entry that is not ours."""
    try:
        return msgspec.json.decode(fields.get(b"event", b"{}"), type=_Envelope).subject
    except msgspec.DecodeError:
        return ""


def _flat(entries: Any) -> list[tuple[bytes, Mapping[bytes, bytes]]]:
    """Return entries as pairs: RESP3 replies nest them once more."""
    if entries and isinstance(entries[0], list):
        return [pair for inner in entries for pair in inner]
    return list(entries)


def _raw(fields: Mapping[bytes, bytes]) -> bytes:
    return msgspec.json.encode({_show(name): _show(value) for name, value in fields.items()})


def _id_of(entry: bytes | str) -> tuple[int, int]:
    text = entry.decode() if isinstance(entry, bytes) else entry
    milliseconds, _, number = text.partition("-")
    return int(milliseconds), int(number or 0)


def _show(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
