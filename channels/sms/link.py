"""A lasting link to a carrier: connects again and again, and sends while it is up."""

import asyncio
import logging
import random
import ssl
from collections.abc import Callable

from channels.sms.dialect import Dialect, Outcome, Outgoing, Result
from channels.sms.session import Hands, LinkLost, LoginRefused, Session, Timing
from channels.sms.tls import why_not
from normalizer.errors import TryLater

log = logging.getLogger(__name__)

#: A session that lasted so long was a good one: the next failure begins with a short pause again.
_GOOD_S = 30.0
#: Pauses after "too fast", doubled each time.
_SLOWER_S = (0.5, 4.0)
#: How long a message waits for the link before its delivery is tried later.
_PATIENCE_S = 5.0


class Link:
    """One account's way to its carrier.

    Args:
        name: Of the account, for logs.
        at: Host and port of the carrier.
        dialect: Makes the protocol of a new connection.
        timing: The clocks.
        tls: What secures the connection; None: nothing.
    """

    def __init__(
        self,
        name: str,
        at: tuple[str, int],
        dialect: Callable[[], Dialect],
        timing: Timing,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._name = name
        self._at = at
        self._dialect = dialect
        self._timing = timing
        self._tls = tls
        self._session: Session | None = None
        self._up = asyncio.Event()
        self._free_at = 0.0  #: loop time before which the carrier wants nothing
        self._slower_s = 0.0
        self._random = random.Random()  # noqa: S311 - spreads reconnections, no secret
        self.sessions = 0  #: how often the carrier let us in
        self.why = "not connected yet"  #: why the link is down

    @property
    def up(self) -> bool:
        """Whether the carrier has let us in."""
        return self._up.is_set()

    @property
    def slowed(self) -> bool:
        """Whether the carrier has asked to be slower and not taken anything since."""
        return self._slower_s > 0

    async def run(self, hands: Hands) -> None:
        """Keep the link up until cancelled."""
        loop = asyncio.get_running_loop()
        pause = 0.0
        while True:
            began = loop.time()
            try:
                await self._once(hands)
            except LinkLost as error:
                self.why = str(error)
                level = logging.ERROR if isinstance(error, LoginRefused) else logging.WARNING
                log.log(level, "sms.link_down", extra={"channel": self._name, "why": self.why})
            finally:
                self._up.clear()
                self._session = None
            good = loop.time() - began >= _GOOD_S
            pause = self._timing.first_pause_s if good or not pause else pause * 2
            pause = min(pause, self._timing.longest_pause_s)
            # Never all accounts of a carrier at once, when it comes back.
            await asyncio.sleep(pause * self._random.uniform(0.5, 1.0))

    async def _once(self, hands: Hands) -> None:
        host, port = self._at
        try:
            async with asyncio.timeout(self._timing.connect_s):
                streams = await asyncio.open_connection(host, port, ssl=self._tls)
        except TimeoutError:
            raise LinkLost("no connection in time") from None
        except OSError as error:
            raise LinkLost(why_not(error)) from None
        self._session = Session(self._dialect(), streams, self._timing, hands)
        await self._session.run(self._ready)

    def _ready(self) -> None:
        self.sessions += 1
        self.why = ""
        self._up.set()
        log.info("sms.link_up", extra={"channel": self._name})

    async def submit(self, outgoing: Outgoing) -> Outcome:
        """Return the carrier's answer; one that asks to be slower is heeded by all but alarms.

        Raises:
            TryLater: The link is down, or the carrier does not answer.
        """
        loop = asyncio.get_running_loop()
        if not self.up:
            await self._wait()
        if not outgoing.urgent and (wait := self._free_at - loop.time()) > 0:
            await asyncio.sleep(wait)
        session = self._session
        if session is None:
            raise TryLater(f"the link is down: {self.why}")
        outcome = await session.submit(outgoing)
        if outcome.result is Result.THROTTLED:
            first, most = _SLOWER_S
            self._slower_s = min(most, self._slower_s * 2 or first)
            self._free_at = loop.time() + self._slower_s
        else:
            self._slower_s = 0.0
        return outcome

    async def _wait(self) -> None:
        """Return once the link is up. Raises `TryLater`."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._up.wait()
        except TimeoutError:
            raise TryLater(f"the link is down: {self.why}") from None
