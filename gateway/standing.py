"""What a ticket and its events tell when its citizen takes a step."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from gateway.store.base import StoredTicket
from normalizer.normalize import Normalized
from normalizer.schema import Attachment, Judged, Status, Ticket, Urgency

#: States in which nothing more is expected to happen.
OVER = (Status.CLOSED, Status.REFUSED, Status.WITHDRAWN)
#: The event of a ticket whose citizen was sent a temporary query code, and how long that is good.
CODE_SENT, CODE_GOOD_FOR = "code_sent", timedelta(minutes=10)


def code_nonces(stored: StoredTicket, now: datetime) -> tuple[str, ...]:
    """Return what the temporary query codes of a ticket that are good now are made with."""
    sent = (event for event in stored.events if event.event == CODE_SENT)
    return tuple(e.data["nonce"] for e in sent if timedelta() <= now - e.at < CODE_GOOD_FOR)


def addition(
    at: datetime, seen: Normalized, judged: Judged, attachments: Sequence[Attachment]
) -> dict[str, Any]:
    """Return the details of an ``added`` event: the words, and what they make of the ticket."""
    message = {"at": at, "text": seen.content.text, "attachments": attachments}
    details: dict[str, Any] = {"message": msgspec.to_builtins(message)}
    if judged.urgency is Urgency.EMERGENCY:
        details["urgency"] = judged.urgency.value
        details["services"] = [service.value for service in judged.services]
    if judged.verify:
        details["verify"] = True
    return details


def own_key(key: str | None) -> str | None:
    """Return a citizen's key apart from the back office's event ids, which share the stream."""
    return None if key is None else f"citizen:{key}"


def words_of(data: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return what tells a repeat of an addition from another one; its time does not."""
    message = data["message"]
    return message["text"], [attachment["sha256"] for attachment in message["attachments"]]


def _last_answer(stored: StoredTicket) -> int:
    """Return the index of the newest answer among the events, -1 if there is none."""
    found = [i for i, e in enumerate(stored.events) if e.event == "answered"]
    return found[-1] if found else -1


def answered(stored: StoredTicket) -> bool:
    """Return whether there is an answer."""
    return _last_answer(stored) >= 0


def rated_already(stored: StoredTicket) -> bool:
    """Return whether the newest answer has a rating."""
    return any(e.event == "rated" for e in stored.events[_last_answer(stored) :])


def spoken_now(ticket: Ticket, seen: Normalized, judged: Judged, now: datetime) -> Ticket:
    """Return the ticket as if its words were the added ones, for raising an incident."""
    place = seen.place if seen.place.text or seen.place.latitude is not None else ticket.place
    return msgspec.structs.replace(
        ticket,
        received_at=now,
        content=seen.content,
        place=place,
        urgency=judged.urgency,
        services=judged.services,
        kind=judged.kind,
    )
