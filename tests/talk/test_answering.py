"""Answers to citizens: by which way and when."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest

from gateway.store.base import Lane
from gateway.talk.answering import RECEIVED, Answering, QuietHours, quiet_hours
from normalizer.schema import ChannelRef

ZONE = ZoneInfo("Asia/Shanghai")
NIGHT = quiet_hours("22:00-08:00", ZONE)
NOON = QuietHours(begins=time(12), ends=time(14), zone=ZONE)
SMS = ChannelRef(kind="sms", account="main", message_id="m-1", thread="+8613800138000")


def at(hour: int, minute: int = 0, day: int = 22) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("quiet", "now", "due"),
    [
        (NIGHT, at(21, 59), at(21, 59)),
        (NIGHT, at(22), at(8, day=23)),
        (NIGHT, at(3), at(8)),
        (NIGHT, at(8), at(8)),
        (NOON, at(11, 59), at(11, 59)),
        (NOON, at(13, 30), at(14)),
        (NOON, at(14), at(14)),
    ],
)
def test_quiet_hours_end(quiet: QuietHours, now: datetime, due: datetime) -> None:
    """What falls in them waits for their end; what does not is due at once."""
    assert quiet.after(now) == due


def test_a_span_that_is_none_is_an_error() -> None:
    """A misspelt time is refused when the configuration is read."""
    with pytest.raises(ValueError, match="Invalid isoformat"):
        quiet_hours("late-early", ZONE)


def test_a_notice_waits_and_an_acknowledgement_does_not() -> None:
    """Only what the citizen did not just ask for is held back."""
    answering = Answering({"answer:sms:main": NIGHT})
    (notice,) = answering.notice(SMS, "hotline.answer.answered", at(23), Lane.ORDINARY, "已修好")
    (receipt,) = answering.acknowledgement(SMS, RECEIVED, at(23), Lane.EMERGENCY)
    assert (notice.due_at, notice.lane) == (at(8, day=23), Lane.ORDINARY)
    assert (receipt.due_at, receipt.lane) == (at(23), Lane.EMERGENCY)
    assert notice.data == {"to": SMS.thread, "in_reply_to": "m-1", "text": "已修好"}


def test_what_concerns_an_emergency_is_not_held() -> None:
    """In the middle of the night it goes out at once, by the lane of its own."""
    answering = Answering({"answer:sms:main": NIGHT})
    (notice,) = answering.notice(SMS, "hotline.answer.answered", at(3), Lane.EMERGENCY, "已到场")
    assert (notice.due_at, notice.lane) == (at(3), Lane.EMERGENCY)


@pytest.mark.parametrize(
    "came_by",
    [
        ChannelRef(kind="sms", account="other", message_id="m-1", thread="+8613800138000"),
        ChannelRef(kind="sms", account="main", message_id="m-1"),
    ],
)
def test_who_cannot_be_reached_is_not_written_to(came_by: ChannelRef) -> None:
    """Without a way out or an address there is no delivery that would wait for ever."""
    answering = Answering({"answer:sms:main": None})
    assert answering.notice(came_by, "hotline.answer.answered", at(9), Lane.ORDINARY, "好") == ()
    assert answering.acknowledgement(came_by, RECEIVED, at(9), Lane.ORDINARY) == ()
