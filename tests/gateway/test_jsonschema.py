"""The schema is true: what is published is valid, and what lacks a part is not."""

import copy
from typing import Any

import jsonschema
import msgspec
import pytest

from gateway.jsonschema import EMERGENCY_EVENTS, TICKET_EVENTS, schema
from gateway.view import publish
from normalizer.schema import Incident, Place
from tests.clock import START
from tests.gateway.world import LIVES, PUBLIC, stored

VALIDATOR = jsonschema.Draft202012Validator(msgspec.to_builtins(schema()))
BESIDE: dict[str, dict[str, Any]] = {
    "hotline.ticket.added": {
        "message": {"at": "2026-11-23T10:00:00+08:00", "text": "还没有人来", "attachments": []}
    },
    "hotline.ticket.rated": {"rating": "satisfied"},
    "hotline.ticket.limit": {
        "limit": "finish_by",
        "limit_label": "办结时限",
        "card": "red",
        "card_label": "红牌",
    },
}
KINDS = [
    *(f"hotline.ticket.{name}" for name in TICKET_EVENTS),
    *(f"hotline.emergency.{name}" for name in EMERGENCY_EVENTS),
]


def event(kind: str) -> dict[str, Any]:
    """Return an event of a kind as a back office reads it."""
    data: dict[str, Any] = {"ticket": publish(stored("accepted", "signed"), PUBLIC)}
    if kind.startswith("hotline.emergency."):
        data["incident"] = Incident(
            id="i-1", service="119", opened_at=START, state="raised", kind="fire", place=Place()
        )
    envelope = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "https://12345.example",
        "type": kind,
        "subject": "20261123-000001-1",
        "time": START,
        "datacontenttype": "application/json",
        "data": data | BESIDE.get(kind, {}),
    }
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(envelope))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_is_valid(kind: str) -> None:
    """An event of each type fits its definition, and no other's."""
    VALIDATOR.validate(event(kind))


@pytest.mark.parametrize("status", LIVES, ids=lambda s: s.value)
def test_a_ticket_is_valid_in_every_state(status: Any) -> None:
    """The view of a ticket fits the schema whatever happened to it."""
    whole = event("hotline.ticket.accepted")
    shown = publish(stored(*LIVES[status]), PUBLIC)
    whole["data"]["ticket"] = msgspec.json.decode(msgspec.json.encode(shown))
    VALIDATOR.validate(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_that_lacks_a_part_is_not_valid(kind: str) -> None:
    """Each member of the envelope and of its data is required."""
    whole = event(kind)
    for name in set(whole) - {"datacontenttype"}:
        assert not VALIDATOR.is_valid({k: v for k, v in whole.items() if k != name}), name
    for name in whole["data"]:
        less = copy.deepcopy(whole)
        del less["data"][name]
        assert not VALIDATOR.is_valid(less), name


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("specversion",), "0.3"),
        (("type",), "hotline.ticket.unknown"),
        (("data", "ticket", "urgency"), "very"),
        (("data", "ticket", "status"), None),
        (("data", "ticket", "history"), {}),
        (("data", "ticket", "requester", "anonymous"), "no"),
    ],
)
def test_a_wrong_value_is_not_valid(path: tuple[str, ...], value: object) -> None:
    """Enumerations, types and constants are part of the schema."""
    whole = event("hotline.ticket.accepted")
    at = whole
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    assert not VALIDATOR.is_valid(whole)
