"""When to try again: growing delays with jitter, and a breaker for what is down. Pure."""

from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True, slots=True)
class Schedule:
    """Delays that double: the n-th lies between ``first_s * 2**(n-1)`` and twice that.

    Each is longer than the one before, and those who failed together come back spread over a
    whole octave. Once doubled up to it, a delay lies between half of ``cap_s`` and ``cap_s``.
    """

    first_s: float = 1.0
    cap_s: float = 600.0

    def delay(self, failures: int, random: Random) -> float:
        """Return the seconds to wait after so many failures, one at least."""
        doublings = min(failures - 1, 40)  # a float's exponent has an end
        low = min(self.first_s * 2**doublings, self.cap_s / 2)
        return random.uniform(low, 2 * low)


#: Of deliveries: an hour's outage costs an ordinary one about ten tries.
ORDINARY = Schedule()
URGENT = Schedule(cap_s=15.0)
#: Of probes while the breaker is open; its cap bounds how late a recovery is noticed.
PROBES = Schedule(cap_s=60.0)
#: How long one answer's Retry-After may hold back deliveries that it was not given for.
HOLD_CAP_S = 3600.0
#: What ends within this counts as over: timers and stores round.
TICK_S = 0.001


@dataclass(slots=True)
class Breaker:
    """Tells whether a destination is worth a try; times are monotonic seconds.

    It opens when ``limit`` different deliveries have failed without one success between them (one
    that is never taken must not stop the others), or at once when the destination named a time.
    Open, it lets one probe through at growing intervals; a success closes it.
    """

    random: Random
    limit: int = 5
    probes: Schedule = PROBES
    failing: set[int] = field(default_factory=set)
    rounds: int = 0  #: probes that failed, plus one; 0: closed
    until: float = 0.0  #: when the next probe may go

    @property
    def open(self) -> bool:
        """Whether only probes go."""
        return self.rounds > 0

    def may_probe(self, at: float) -> bool:
        """Return whether the next probe's time has come."""
        return at + TICK_S >= self.until

    def succeeded(self) -> bool:
        """Close; return whether it was open."""
        was = self.open
        self.failing.clear()
        self.rounds, self.until = 0, 0.0
        return was

    def failed(self, seq: int, at: float, after_s: float | None) -> bool:
        """Count a failure; return whether this opened it."""
        was = self.open
        if len(self.failing) < self.limit:
            self.failing.add(seq)
        # What was under way when it opened fails as well, and is no probe.
        if self.may_probe(at) and (was or len(self.failing) >= self.limit or after_s):
            self.rounds += 1
            self.until = at + self.probes.delay(self.rounds, self.random)
        if after_s and self.open:
            self.until = max(self.until, at + min(after_s, HOLD_CAP_S))
        return self.open and not was
