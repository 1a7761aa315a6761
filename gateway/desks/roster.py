"""The liaison desks of an instance, and when each rung of a desk's ladder is due.

A ladder is measured from the instant at which an incident was raised to the desk: its opening, or
its return for the duty desk. A first rung ``desk`` at zero is the raising itself, so what is
counted here are the rungs that follow. The last of them repeats every ``ack_within``.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from config.settings import Desk, Rung
from gateway.notices import service_label
from normalizer.schema import EMERGENCY_SERVICES

#: The desk that gets what another desk returned.
DUTY = "duty"


class Roster:
    """The desks: the four emergency services always, others and ``duty`` as configured."""

    def __init__(self, desks: Mapping[str, Desk]) -> None:
        self._desks = {service.value: Desk() for service in EMERGENCY_SERVICES} | dict(desks)
        self._ladders = {name: self._ladder(name) for name in self._desks}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all desks."""
        return tuple(self._desks)

    @property
    def has_duty(self) -> bool:
        """Whether there is a duty desk."""
        return DUTY in self._desks

    def get(self, name: str) -> Desk | None:
        """Return the settings of a desk, None if there is no such desk."""
        return self._desks.get(name)

    def desk(self, name: str) -> Desk:
        """Return the settings of a desk; default ones for a desk that was since removed."""
        return self._desks.get(name) or Desk()

    def label(self, name: str, language: str = "zh") -> str:
        """Return what people call the desk."""
        own = self.desk(name).label
        return own if own and language.startswith("zh") else service_label(name, language)

    def ladder(self, name: str) -> tuple[Rung, ...]:
        """Return the rungs after the raising itself, in order of time; at least one."""
        return self._ladders.get(name) or self._ladder(name)

    def rung(self, name: str, done: int) -> Rung:
        """Return the rung to do when ``done`` were done: the last repeats."""
        ladder = self.ladder(name)
        return ladder[min(done, len(ladder) - 1)]

    def due_at(self, name: str, raised_at: datetime, done: int, now: datetime) -> datetime:
        """Return when the next rung is due.

        Args:
            name: The desk.
            raised_at: When the incident was raised to it.
            done: Rungs done since.
            now: When the last of them was done; the repetitions count from here, so that those
                missed while the process was down are not made up for.
        """
        ladder = self.ladder(name)
        if done < len(ladder):
            return max(raised_at + ladder[done].after, now)
        return now + self.desk(name).ack_within

    def first_at(self, name: str, raised_at: datetime) -> datetime:
        """Return when the ladder's clock first runs out for an incident raised now."""
        return self.due_at(name, raised_at, 0, raised_at)

    def longest(self, name: str) -> timedelta:
        """Return the longest time for which a desk's ladder can rest."""
        return max(self.desk(name).ack_within, *(rung.after for rung in self.ladder(name)))

    def _ladder(self, name: str) -> tuple[Rung, ...]:
        desk = self.desk(name)
        rungs = sorted(desk.ladder, key=lambda rung: rung.after)
        if rungs and rungs[0].to == "desk" and not rungs[0].after:
            rungs = rungs[1:]
        if rungs:
            return tuple(rungs)
        again = Rung(after=desk.ack_within, to="desk")
        if desk.ladder or name == DUTY or not self.has_duty:
            return (again,)
        return (again, Rung(after=2 * desk.ack_within, to="duty"))
