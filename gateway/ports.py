"""What accepting and adding ask of the rest: incidents to report to, an outbox to wake."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from gateway.store.base import Delivery, IncidentReport, Lane, NewEvent
from normalizer.schema import Ticket, Urgency, Value


class Told(Value, frozen=True, kw_only=True):
    """A ticket as it was just made durable, for desks that need not read it from the store."""

    number: str
    ticket: Ticket
    event: NewEvent  #: by which it was stored, its first and only one so far
    incidents: tuple[str, ...]  #: raised or joined
    leased: tuple[Delivery, ...]  #: handed out with it


class Reporter(Protocol):
    """Who knows the open incidents."""

    def reports(
        self,
        ticket: Ticket,
        folded: str,
        now: datetime,
        message: Mapping[str, Any] | None = None,
    ) -> tuple[IncidentReport, ...]:
        """Return the incidents that the ticket raises or joins.

        Args:
            ticket: The ticket.
            folded: The matching form of the words that tell of it.
            now: When.
            message: The words, where they are not the ticket's first ones: told with the event.
        """
        ...

    def confirm(
        self, reports: Sequence[IncidentReport], ids: Sequence[str], told: Told | None = None
    ) -> None:
        """Take note of what the store made of the reports, and show it to the desks at once.

        Args:
            reports: What was asked of the store.
            ids: The incidents raised or joined, in their order.
            told: The ticket that raised or joined them; None: its words came later, so that the
                desks' pages read them from the store.
        """
        ...


class Outbox(Protocol):
    """Who carries deliveries away."""

    def hand_over(self, deliveries: Sequence[Delivery]) -> None:
        """Carry deliveries that are leased to this process already."""
        ...

    def wake(self, destination: str, lane: Lane) -> None:
        """Look for new deliveries now."""
        ...


def lane_of(urgency: Urgency, *, verify: bool) -> Lane:
    """Return the lane of a ticket's deliveries; what a human must check now is not ordinary."""
    return Lane.EMERGENCY if verify or urgency is Urgency.EMERGENCY else Lane.ORDINARY
