"""The published ticket and incident: views of what was stored and of the events since."""

from datetime import timedelta

import msgspec
import pytest

from gateway.links import attachment_url
from gateway.store.base import StoredIncident
from gateway.view import history, publish, publish_incident, status_of
from normalizer.schema import (
    LABELS,
    Attachment,
    Domain,
    Incident,
    Limits,
    Place,
    RequestType,
    Service,
    Status,
    Urgency,
)
from tests.clock import START
from tests.gateway.world import LIVES, PUBLIC, ZONE, event, stored, ticket

UNTIL = (START + timedelta(days=9)).isoformat()


@pytest.mark.parametrize("status", LIVES, ids=lambda s: s.value)
def test_the_status_follows_from_the_events(status: Status) -> None:
    """The newest event that is a state decides, and its label stands beside it."""
    shown = publish(stored(*LIVES[status]), PUBLIC)
    assert (shown.status, shown.status_label) == (status, LABELS[status])


@pytest.mark.parametrize("name", ["added", "rated", "contacted", "limit"])
def test_other_events_leave_the_status_as_it_was(name: str) -> None:
    """A citizen's further words do not reopen a ticket."""
    assert status_of(stored("accepted", "answered", name).events) is Status.ANSWERED


def test_a_view_as_of_an_event_does_not_change_afterwards() -> None:
    """Every try of one delivery sends the same bytes, whatever happened meanwhile."""
    then = stored("accepted")
    later = stored("accepted", "signed", "answered", of=then.ticket, incidents=("i-1",))
    later = msgspec.structs.replace(
        later, events=(*later.events, event("added", 4, data={"urgency": "emergency"}))
    )
    before = msgspec.structs.replace(publish(then, PUBLIC), related=None)
    as_of = msgspec.structs.replace(publish(later, PUBLIC, upto=1), related=None)
    assert msgspec.json.encode(as_of) == msgspec.json.encode(before)


def test_an_addition_may_raise_urgency_services_and_doubt() -> None:
    """What was added later stands beside what was said first, nothing twice."""
    told = ticket(urgency=Urgency.URGENT, services=(Service.GAS,))
    data = {"urgency": "emergency", "services": ["119", "gas"]}
    again = {"urgency": "emergency", "services": ["119", "120"], "verify": True}
    shown = publish(
        stored(
            of=told,
            events=(event("accepted"), event("added", 2, data=data), event("added", 3, data=again)),
        ),
        PUBLIC,
    )
    assert (shown.urgency, shown.urgency_label) == (Urgency.EMERGENCY, "特急")
    assert shown.services == ("gas", "119", "120")
    assert shown.verify


def test_the_incidents_of_a_ticket_are_shown() -> None:
    """Whoever reads the ticket finds what it raised or joined."""
    shown = publish(stored("accepted", incidents=("i-1", "i-2")), PUBLIC)
    assert shown.related.incidents == ("i-1", "i-2")


def test_an_extension_moves_the_last_limit_only() -> None:
    """The newest extension counts."""
    at = START + timedelta(days=1)
    limits = Limits(
        sign_by=at, finish_by=START + timedelta(days=5), policy="suzhou", basis="五(四)"
    )
    first = {"until": (START + timedelta(days=7)).isoformat()}
    events = (
        event("accepted"),
        event("extended", 2, data=first),
        event("extended", 3, data={"until": UNTIL}),
    )
    shown = publish(stored(of=ticket(limits=limits), events=events), PUBLIC)
    assert shown.limits.finish_by == START + timedelta(days=9)
    assert shown.limits.sign_by == at
    assert (shown.limits.policy, shown.limits.basis) == ("suzhou", "五(四)")


@pytest.mark.parametrize("step", ["signed", "contacted", "returned", "answered"])
def test_only_an_extension_moves_the_last_limit(step: str) -> None:
    """What another step says of an instant passed no rule on extensions."""
    told = ticket(limits=Limits(finish_by=START))
    events = (event("accepted"), event(step, 2, data={"until": UNTIL}))
    shown = publish(stored(of=told, events=events), PUBLIC)
    assert shown.limits.finish_by == START


def test_every_instant_is_in_the_instances_zone() -> None:
    """The offset of China stands in each of them, wherever the store put it."""
    told = ticket(occurred_at=START, limits=Limits(finish_by=START))
    shown = msgspec.json.decode(msgspec.json.encode(publish(stored("accepted", of=told), PUBLIC)))
    instants = [
        shown["received_at"],
        shown["occurred_at"],
        shown["limits"]["finish_by"],
        shown["history"][0]["at"],
    ]
    assert instants == ["2026-11-23T10:00:00+08:00"] * 4
    assert shown["limits"]["sign_by"] is None


def test_an_attachment_has_its_signed_address() -> None:
    """Whoever may read the ticket may read its files."""
    file = Attachment(id="a-1", name="x.jpg", media_type="image/jpeg", bytes=3, sha256="ab" * 32)
    (shown,) = publish(stored("accepted", of=ticket(attachments=(file,))), PUBLIC).attachments
    assert shown.url == attachment_url(PUBLIC.url, PUBLIC.secret, "a-1", "ab" * 32)
    assert (shown.name, shown.bytes) == ("x.jpg", 3)


def test_a_view_has_every_member_of_the_contract() -> None:
    """No member is left out because it is unknown: unknown is null."""
    shown = msgspec.json.decode(msgspec.json.encode(publish(stored("accepted"), PUBLIC)))
    assert set(shown) == {
        *("schema", "id", "number", "status", "status_label", "received_at", "occurred_at"),
        *("channel", "requester", "content", "place", "attachments", "type", "type_label"),
        *("domain", "domain_label", "urgency", "urgency_label", "verify", "services", "evidence"),
        *("acceptance", "route", "limits", "related", "disclosure", "exercise", "history"),
    }
    assert shown["schema"] == "hotline.ticket/1"
    assert shown["related"] == {"duplicate_of": None, "cluster": None, "incidents": []}
    assert set(shown["place"]) == {
        *("text", "province", "city", "district", "street", "adcode", "latitude", "longitude"),
    }
    assert shown["history"] == [
        {"at": "2026-11-23T10:00:00+08:00", "event": "accepted", "by": "gateway", "text": None}
    ]


def test_every_enumerated_value_has_a_chinese_label() -> None:
    """A reader without the code book understands each."""
    for value in (*Urgency, *RequestType, *Domain, *Status):
        assert LABELS[value]
        assert not LABELS[value].isascii()


def test_the_history_holds_everything_in_its_order() -> None:
    """Also what does not change the status."""
    names = ["accepted", "signed", "contacted", "added", "answered", "rated", "closed"]
    assert [h.event for h in history(stored(*names).events, ZONE)] == names


def incident(*events: str, state: str) -> StoredIncident:
    values = {"opened_at": START, "kind": "fire", "place": Place(text="汴河路")}
    raised = Incident(id="i-1", service="119", state=state, contacts=("+8613800138000",), **values)
    happened = tuple(
        event(
            name,
            n,
            data={"contacts": ["+8613800138000", f"+861390000000{n}"]} if name == "joined" else {},
        )
        for n, name in enumerate(events, 1)
    )
    return StoredIncident(
        incident=raised, desk="119", rung=0, rung_from=START, ladder_at=None, events=happened
    )


def test_an_incident_is_shown_as_it_is_or_as_it_was() -> None:
    """As of an earlier event it has that event's state, and the callers known by then."""
    now = incident("raised", "joined", "escalated", "acknowledged", "joined", state="acknowledged")
    assert publish_incident(now, ZONE).state == "acknowledged"
    assert publish_incident(now, ZONE).contacts == (
        "+8613800138000",
        "+8613900000002",
        "+8613900000005",
    )
    then = publish_incident(now, ZONE, upto=3)
    assert then.state == "escalated"
    assert then.contacts == ("+8613800138000", "+8613900000002")
    assert publish_incident(now, ZONE, upto=2).state == "raised"


def test_rungs_that_were_left_out_have_escalated_an_incident() -> None:
    """Where versions are missing the ladder repeated itself, and its state was that."""
    whole = incident("raised", "returned", "escalated", "escalated", "joined", state="escalated")
    short = msgspec.structs.replace(whole, events=(*whole.events[:2], *whole.events[4:]))
    for one in (whole, short):
        assert publish_incident(one, ZONE, upto=2).state == "returned"
        assert publish_incident(one, ZONE, upto=5).state == "escalated"


def test_an_incidents_instant_is_in_the_instances_zone() -> None:
    """Desks read their own clock."""
    shown = publish_incident(incident("raised", state="raised"), ZONE)
    assert shown.opened_at.isoformat() == "2026-11-23T10:00:00+08:00"
