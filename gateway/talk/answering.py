"""Answers to citizens: by which destination, when, and as which delivery."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from gateway.ids import new_id
from gateway.store.base import Lane, NewDelivery
from normalizer.schema import ChannelRef, Value

#: Type of the delivery that acknowledges a ticket; its text is made when it is sent, for the
#: ticket's number is not known before it is stored.
RECEIVED = "hotline.answer.received"


def answer_destination(kind: str, account: str) -> str:
    """Return the outbox destination that answers citizens who came by this channel."""
    return f"answer:{kind}:{account}"


class QuietHours(Value, frozen=True, kw_only=True):
    """A time of day in which nobody is written to unasked."""

    begins: time
    ends: time
    zone: ZoneInfo

    def after(self, at: datetime) -> datetime:
        """Return ``at``, or the end of the quiet hours that it falls in."""
        local = at.astimezone(self.zone)
        now = local.time()
        over_midnight = self.begins > self.ends
        if over_midnight:
            quiet = now >= self.begins or now < self.ends
        else:
            quiet = self.begins <= now < self.ends
        if not quiet:
            return at
        day = local.date() + timedelta(days=1 if over_midnight and now >= self.begins else 0)
        return datetime.combine(day, self.ends, self.zone).astimezone(at.tzinfo)


def quiet_hours(span: str, zone: ZoneInfo) -> QuietHours:
    """Return the quiet hours that ``22:00-08:00`` means.

    Raises:
        ValueError: It means none.
    """
    begins, _, ends = span.partition("-")
    return QuietHours(begins=time.fromisoformat(begins), ends=time.fromisoformat(ends), zone=zone)


class Answering:
    """Makes the deliveries that answer citizens.

    Args:
        ways: The destinations by which citizens can be answered, with their quiet hours.
    """

    def __init__(self, ways: Mapping[str, QuietHours | None] | None = None) -> None:
        self._ways = ways or {}

    def reaches(self, came_by: ChannelRef) -> bool:
        """Return whether the citizen of a ticket can be answered at all."""
        return came_by.thread is not None and self._way(came_by) in self._ways

    def _way(self, came_by: ChannelRef) -> str:
        return answer_destination(came_by.kind, came_by.account)

    def acknowledgement(
        self, came_by: ChannelRef, kind: str, now: datetime, lane: Lane, text: str | None = None
    ) -> tuple[NewDelivery, ...]:
        """Return the answer to what a citizen has just sent; quiet hours do not hold it.

        Args:
            came_by: Where it came from.
            kind: Type of the delivery; `RECEIVED` needs no text.
            now: Our clock.
            lane: The lane of the matter.
            text: What to tell.
        """
        if not self.reaches(came_by):
            return ()
        data: dict[str, Any] = {"to": came_by.thread, "in_reply_to": came_by.message_id}
        if text is not None:
            data["text"] = text
        return (self._delivery(came_by, kind, now, lane, data),)

    def notice(
        self, came_by: ChannelRef, kind: str, now: datetime, lane: Lane, text: str
    ) -> tuple[NewDelivery, ...]:
        """Return what a citizen is told unasked, after the quiet hours of their channel.

        Args:
            came_by: Where their matter came from.
            kind: Type of the delivery.
            now: Our clock.
            lane: Of the matter; quiet hours do not hold what concerns an emergency.
            text: What to tell.
        """
        if not self.reaches(came_by):
            return ()
        quiet = self._ways[self._way(came_by)]
        due = now if quiet is None or lane is Lane.EMERGENCY else quiet.after(now)
        data = {"to": came_by.thread, "in_reply_to": came_by.message_id, "text": text}
        return (self._delivery(came_by, kind, due, lane, data),)

    def _delivery(
        self, came_by: ChannelRef, kind: str, due: datetime, lane: Lane, data: dict[str, Any]
    ) -> NewDelivery:
        return NewDelivery(
            id=new_id(),
            destination=self._way(came_by),
            lane=lane,
            type=kind,
            due_at=due,
            data=data,
        )
