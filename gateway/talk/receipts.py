"""What a citizen is told once their words are durable."""

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from channels.base import Receipt
from gateway.links import query_code
from gateway.notices import added, question, received
from gateway.store.base import StoredTicket
from normalizer.schema import Judged, RequestType, Service, Status, Ticket, Urgency

#: Kinds of channels whose citizens may send commands as text, and are asked for what is missing.
CONVERSING = frozenset({"sms", "wechat", "email"})
#: What a citizen can be asked for; nothing waits for the answer.
PLACE, PHONE = "place", "phone"


def missing(ticket: Ticket) -> tuple[str, ...]:
    """Return what a handling unit will need and the citizen has not told.

    An anonymous citizen is not asked who they are, and who asks a question not where.
    """
    lacking = []
    needs_place = ticket.type.value in ("help", "complaint", "report")
    place = ticket.place
    if needs_place and place.text is None and place.latitude is None and place.district is None:
        lacking.append(PLACE)
    who = ticket.requester
    if who.phone is None and not who.anonymous:
        lacking.append(PHONE)
    return tuple(lacking)


class Receipts:
    """Makes receipts, the same for a ticket at every call.

    Args:
        secret: Of the store.
        zone: The instance's.
    """

    def __init__(self, secret: bytes, zone: ZoneInfo) -> None:
        self._secret = secret
        self._zone = zone

    def of(self, stored: StoredTicket, *, duplicate: bool) -> Receipt:
        """Return the receipt that was given for a stored ticket."""
        status = Status(stored.events[0].event)
        return self.new(stored.ticket, stored.number, status, stored.incidents, duplicate=duplicate)

    def new(
        self,
        ticket: Ticket,
        number: str,
        status: Status,
        incidents: tuple[str, ...],
        *,
        duplicate: bool,
    ) -> Receipt:
        """Return the receipt of a ticket that was just stored."""
        code = query_code(self._secret, ticket.id)
        asks = ticket.channel.kind in CONVERSING and status is not Status.REFUSED
        language = ticket.requester.language
        return Receipt(
            number=number,
            query_code=code,
            duplicate=duplicate,
            status=status,
            urgency=ticket.urgency,
            services=ticket.services,
            type=ticket.type,
            received_at=ticket.received_at.astimezone(self._zone),
            incidents=incidents,
            message=received(
                number=number,
                code=code,
                urgency=ticket.urgency,
                services=ticket.services,
                decision=ticket.acceptance,
                draft=status is Status.DRAFT,
                language=language,
            )
            + question(missing(ticket) if asks else (), language),
        )

    def added(self, stored: StoredTicket, judged: Judged) -> Receipt:
        """Return the receipt of words that joined a ticket."""
        receipt = self.of(stored, duplicate=False)
        urgent = judged.urgency is Urgency.EMERGENCY
        services: tuple[Service, ...] = judged.services if urgent else receipt.services
        return msgspec.structs.replace(
            receipt,
            urgency=judged.urgency if urgent else receipt.urgency,
            services=services,
            message=self.added_message(stored.number, stored.ticket, judged),
        )

    def added_message(self, number: str, ticket: Ticket, judged: Judged) -> str:
        """Return what a citizen reads once further words of theirs are on the ticket."""
        urgent = judged.urgency is Urgency.EMERGENCY
        return added(
            number=number,
            emergency=urgent,
            services=judged.services if urgent else ticket.services,
            language=ticket.requester.language,
        )

    def without_ticket(self, message: str, at: datetime) -> Receipt:
        """Return the answer to a command that belongs to no ticket."""
        return Receipt(
            number="",
            query_code="",
            duplicate=True,
            status=Status.CLOSED,
            urgency=Urgency.NORMAL,
            services=(),
            type=RequestType.CONSULTATION,
            received_at=at.astimezone(self._zone),
            message=message,
        )

    def told(self, stored: StoredTicket, message: str) -> Receipt:
        """Return the answer to a command about a ticket."""
        return msgspec.structs.replace(self.of(stored, duplicate=False), message=message)
