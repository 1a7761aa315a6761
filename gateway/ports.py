"""What accepting and adding ask of the rest: incidents to report to, an outbox to wake."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.store.base import Delivery, IncidentReport, Lane
from normalizer.schema import Ticket, Urgency


class Reporter(Protocol):
    """Who knows the open incidents."""

    def reports(self, ticket: Ticket, folded: str, now: datetime) -> tuple[IncidentReport, ...]:
        """Return the incidents that the ticket raises or joins."""
        ...

    def confirm(self, reports: Sequence[IncidentReport], ids: Sequence[str]) -> None:
        """Take note of what the store made of the reports."""
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
