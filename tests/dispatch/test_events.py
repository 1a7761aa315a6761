"""The events themselves: CloudEvents with the view as of what they tell of."""

from datetime import datetime
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from gateway.outbox.events import materialize
from gateway.store.base import Delivery, Lane
from tests.dispatch.scene import Scene, body_of

#: Source: the JSON Schema of CloudEvents 1.0.2 (cloudevents/spec, formats/cloudevents.json), the
#: attributes that we send.
ENVELOPE: dict[str, Any] = {
    "type": "object",
    "required": ["id", "source", "specversion", "type", "subject", "time", "datacontenttype"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1, "format": "uri-reference"},
        "specversion": {"const": "1.0"},
        "type": {"type": "string", "pattern": r"^hotline\.(ticket|emergency|cluster)\.[a-z]+$"},
        "subject": {"type": "string", "minLength": 1},
        "time": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+08:00$"},
        "datacontenttype": {"const": "application/json"},
        "data": {"type": "object"},
    },
    "additionalProperties": False,
}


async def due(scene: Scene, count: int) -> list[Delivery]:
    found = await scene.store.deliveries(("due", "leased"), 100)
    assert len(found) == count
    return found


async def test_an_event_is_a_cloud_event(scene: Scene) -> None:
    """The envelope is the contract's, the time the event's own, in the instance's zone."""
    added = await scene.accept()
    accepted_at = scene.clock.now()
    await scene.clock.advance(90)
    (delivery,) = await due(scene, 1)
    item = (await materialize(scene.store, [delivery], scene.public))[delivery.seq]
    event = body_of(item)
    Draft202012Validator(ENVELOPE).validate(event)
    assert event["id"] == item.id == delivery.id
    assert event["source"] == "http://127.0.0.1:8345"
    assert event["type"] == "hotline.ticket.accepted"
    assert event["subject"] == added.number
    assert datetime.fromisoformat(event["time"]) == accepted_at == item.time
    assert event["time"].startswith("2026-11-23T10:00:00")
    assert list(event["data"]) == ["ticket"]
    ticket = event["data"]["ticket"]
    assert ticket["number"] == added.number
    assert ticket["status_label"] == "已受理"


async def test_data_of_the_delivery_stands_beside_the_ticket(scene: Scene) -> None:
    """``added`` shows its message, ``limit`` its limit and card."""
    added = await scene.accept()
    message = {"at": "2026-11-23T10:01:00+08:00", "text": "还有异味😷", "attachments": []}
    await scene.change(added.id, "added", message=message)
    await scene.change(added.id, "limit", limit="finish_by", card="yellow")
    deliveries = await due(scene, 3)
    items = await materialize(scene.store, deliveries, scene.public)
    _, second, third = (body_of(items[d.seq])["data"] for d in deliveries)
    assert second["message"] == message
    assert (third["limit"], third["card"]) == ("finish_by", "yellow")
    assert sorted(third) == ["card", "limit", "ticket"]


async def test_the_ticket_is_shown_as_of_the_event(scene: Scene) -> None:
    """An event that waits shows the ticket as it was, not as it is."""
    added = await scene.accept()
    await scene.change(added.id, "withdrawn")
    deliveries = await due(scene, 2)
    items = await materialize(scene.store, deliveries, scene.public)
    statuses = [body_of(items[d.seq])["data"]["ticket"]["status"] for d in deliveries]
    assert statuses == ["accepted", "withdrawn"]


async def test_an_emergency_event_shows_incident_and_ticket(scene: Scene) -> None:
    """Its subject is the incident; the accepted event of the same ticket names the incident."""
    report = scene.report()
    added = await scene.accept(Lane.EMERGENCY, reports=(report,))
    assert [d.type for d in added.leased] == ["hotline.ticket.accepted", "hotline.emergency.raised"]
    items = await materialize(scene.store, added.leased, scene.public)
    accepted, raised = (items[d.seq] for d in added.leased)
    assert accepted.urgent
    assert raised.subject == report.incident.id
    assert body_of(accepted)["data"]["ticket"]["related"]["incidents"] == [report.incident.id]
    data = body_of(raised)["data"]
    assert data["ticket"]["number"] == added.number
    assert data["incident"]["id"] == report.incident.id
    assert data["incident"]["reports"] == [added.number]
    assert data["incident"]["state"] == "raised"
    Draft202012Validator(ENVELOPE).validate(body_of(raised))


async def test_an_incident_is_shown_as_of_the_event(scene: Scene) -> None:
    """Reports that joined later are not in the older event."""
    report = scene.report()
    numbers = []
    for _ in range(3):
        again = scene.report(id_=report.incident.id)
        numbers.append((await scene.accept(Lane.EMERGENCY, reports=(again,))).number)
    deliveries = [d for d in await due(scene, 6) if d.type.startswith("hotline.emergency.")]
    items = await materialize(scene.store, deliveries, scene.public)
    reports = [body_of(items[d.seq])["data"]["incident"]["reports"] for d in deliveries]
    assert reports == [numbers[:1], numbers[:2], numbers]


async def test_the_same_octets_whoever_asks(scene: Scene) -> None:
    """The octets do not depend on the batch, the order of the data's members or later events."""
    added = await scene.accept()
    await scene.change(added.id, "limit", limit="finish_by", card="red")
    deliveries = await due(scene, 2)
    once = await materialize(scene.store, deliveries, scene.public)
    await scene.change(added.id, "withdrawn")
    for delivery in deliveries:
        turned = msgspec.structs.replace(delivery, data=dict(reversed(delivery.data.items())))
        again = await materialize(scene.store, [turned], scene.public)
        assert again[delivery.seq] == once[delivery.seq]


@pytest.mark.parametrize(
    "changed",
    [
        {"ticket_id": "0199a000-0000-7000-8000-000000000000"},
        {"event_seq": 10**9},
        {"type": "hotline.emergency.raised"},
    ],
)
async def test_what_the_store_does_not_hold_is_left_out(
    scene: Scene, changed: dict[str, Any]
) -> None:
    """A delivery without its subject or its event gives no item, and does not stop the others."""
    await scene.accept()
    await scene.accept()
    first, second = await due(scene, 2)
    broken = msgspec.structs.replace(first, **changed)
    items = await materialize(scene.store, [broken, second], scene.public)
    assert list(items) == [second.seq]
