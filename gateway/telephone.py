"""What the gateway lends to telephone lines."""

from collections.abc import Callable
from datetime import datetime

from channels.phone.ports import Keep, Lent, Pop
from config.region import RATINGS
from gateway.compose import Rules
from gateway.core import Core
from gateway.portal.citizen import Citizen
from gateway.spoken import emergency_in
from gateway.talk.answering import quiet_hours
from normalizer.errors import NotAllowed
from normalizer.schema import Service


class SpokenRatings:
    """Takes ratings that were given by a key."""

    def __init__(self, core: Core, citizen: Citizen) -> None:
        self._core = core
        self._citizen = citizen

    def scale(self) -> tuple[str, ...]:
        """Return the ratings that the region knows, best first."""
        known = self._core.rules().pack.rating_scale
        return tuple(rating for rating in RATINGS if rating in known)

    async def rate(self, number: str, rating: str, key: str) -> None:
        """Put a rating on a ticket, once; one that cannot be rated any more is left as it is.

        Raises:
            StoreError: Nothing was written.
        """
        stored = await self._core.store.ticket(number)
        if stored is None or any(event.key == key for event in stored.events):
            return
        try:
            await self._citizen.rate_stored(stored, rating, key=key)
        except NotAllowed:
            return  # rated meanwhile, on the web perhaps


def lent(keep: Keep, pop: Pop, rules: Callable[[], Rules], rated: SpokenRatings) -> Lent:
    """Return files, a judge, desks' pages, ratings and a clock for telephone lines."""

    def judge(text: str) -> tuple[Service, ...] | None:
        return emergency_in(text, rules().rulebook)

    def quiet(span: str, at: datetime) -> datetime:
        return quiet_hours(span, rules().zone).after(at)

    return Lent(keep, judge, pop, rated, quiet)
