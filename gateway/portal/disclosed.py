"""What anybody may read of a ticket whose citizen agreed to its publication (Open311 GeoReport v2)."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from gateway.cards.terms import SHOWN
from gateway.portal.page_views import Texts
from gateway.standing import OVER
from gateway.store.base import StoredTicket
from gateway.view import INTERNAL, place_of, status_of
from normalizer.content import shorten
from normalizer.identity import for_the_public
from normalizer.schema import Domain

#: Code points of a description. Source: GeoReport v2, "GET Service Requests".
DESCRIPTION_LIMIT = 4_000
OPEN, CLOSED = "open", "closed"


def is_disclosed(stored: StoredTicket) -> bool:
    """Return whether anybody may read of this ticket.

    What its citizen wants to be kept confidential is not, whatever else they agreed to; nor is a
    drill, which nobody outside may take for true.
    """
    ticket = stored.ticket
    return ticket.public and not ticket.requester.confidential and not ticket.exercise


def state_of(stored: StoredTicket) -> str:
    """Return ``open``, or ``closed`` once nothing more is expected to happen."""
    return CLOSED if status_of(stored.events) in OVER else OPEN


def disclosed(stored: StoredTicket, texts: Texts, zone: tzinfo) -> Mapping[str, Any]:
    """Return a ticket as a service request of GeoReport v2, free of who sent it.

    Telephone numbers and the like, homes and names that its words tell are hidden as `for_the_public`
    does; pictures and the words of handling units, which may show a person, are left out.

    Args:
        stored: A ticket that `is_disclosed`.
        texts: The pages' texts in the reader's language.
        zone: The instance's.
    """
    ticket = stored.ticket
    place, name = place_of(ticket, stored.events), ticket.requester.name
    steps = [e.at for e in stored.events if e.event not in INTERNAL and e.event != SHOWN]
    finish_by = ticket.limits.finish_by
    return {
        "service_request_id": stored.number,
        "status": state_of(stored),
        "status_notes": texts["status"][status_of(stored.events)],
        "service_name": service_name(ticket.domain, texts),
        "service_code": ticket.domain,
        "description": for_the_public(shorten(ticket.content.text, DESCRIPTION_LIMIT), name),
        "agency_responsible": ticket.route.unit,
        "service_notice": None,
        "requested_datetime": _told(ticket.received_at, zone),
        "updated_datetime": _told(max(steps, default=ticket.received_at), zone),
        "expected_datetime": None if finish_by is None else _told(finish_by, zone),
        "address": None if place.text is None else for_the_public(place.text, name),
        "address_id": None,
        "zipcode": None,
        "lat": place.latitude,
        "long": place.longitude,
        "media_url": None,
    }


def service_name(domain: Domain, texts: Texts) -> str:
    """Return what a service is called in the reader's language."""
    name: str = texts["open311"]["services"][domain]["name"]
    return name


def _told(at: datetime, zone: tzinfo) -> datetime:
    """Return an instant to the second, as the W3C's note on dates has it."""
    return at.astimezone(zone).replace(microsecond=0)
