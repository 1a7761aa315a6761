"""The web channel as the gateway uses it."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from channels.base import Receipt, Request
from channels.web.channel import plugin
from normalizer.errors import Malformed
from normalizer.schema import RequestType, Service, Status, Urgency

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
RECEIPT = Receipt(
    number="20261123-000123-4",
    query_code="K7MPX2QD",
    duplicate=False,
    status=Status.ACCEPTED,
    urgency=Urgency.EMERGENCY,
    services=(Service.FIRE, Service.MEDICAL),
    type=RequestType.HELP,
    received_at=NOW.astimezone(timezone(timedelta(hours=8))),
    message="请立即拨打 119",
    incidents=("an-incident",),
)


def push(**changes: object) -> Request:
    return Request(method="POST", headers={}, body=b'{"text":"a"}', **changes)  # type: ignore[arg-type]


def test_the_name_of_the_section_is_the_account() -> None:
    """Requests carry the channel's name in the configuration."""
    channel = plugin.open({"kind": "web", "name": "portal-2"})
    channel.authenticate(push(), NOW)
    (got,) = channel.parse(push(), NOW)
    assert (plugin.name, got.channel, got.account) == ("web", "web", "portal-2")


@pytest.mark.parametrize("section", [{"kind": "sms"}, {"kind": "web", "label": "x"}, {"name": ""}])
def test_a_wrong_section_is_refused(section: dict[str, object]) -> None:
    """A misspelt or foreign setting is an error, not a silence."""
    with pytest.raises(ValidationError):
        plugin.check(section)


def test_the_answer_is_the_contracts() -> None:
    """The answer has the contract's members and no other."""
    reply = plugin.open({}).reply(push(), (RECEIPT,))
    assert (reply.status, reply.content_type) == (201, "application/json")
    assert json.loads(reply.body) == {
        "number": "20261123-000123-4",
        "query_code": "K7MPX2QD",
        "status": "accepted",
        "urgency": "emergency",
        "services": ["119", "120"],
        "type": "help",
        "received_at": "2026-11-23T10:00:00+08:00",
        "message": "请立即拨打 119",
    }


def test_a_repeat_is_answered_with_200_and_the_same_body() -> None:
    """A known key gets the first answer again."""
    channel = plugin.open({})
    again = Receipt(
        **{n: getattr(RECEIPT, n) for n in RECEIPT.__struct_fields__} | {"duplicate": True}
    )
    assert channel.reply(push(), (again,)).status == 200
    assert channel.reply(push(), (again,)).body == channel.reply(push(), (RECEIPT,)).body


def test_a_form_of_the_api_needs_an_offset() -> None:
    """The API's form takes instants with an offset only: it cannot know the sender's clock."""
    channel = plugin.open({})
    fields = {"text": "a", "occurred_at": "2026-11-22T10:00"}
    with pytest.raises(Malformed):
        channel.parse(push(fields=fields), NOW)
    fields["occurred_at"] += ":00+08:00"
    (got,) = channel.parse(push(fields=fields), NOW)
    assert got.occurred_at == datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
