"""Which limits run, and when each is near and over."""

from datetime import datetime, timedelta

import pytest

from gateway.cards.terms import SHOWN, Standing, standing
from gateway.store.base import Event, StoredTicket
from normalizer.schema import Limits
from tests.clock import START
from tests.gateway.world import LIVES, event, stored, ticket

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
#: Of a ticket that came at START.
LIMITS = Limits(dispatch_by=START + 4 * HOUR, sign_by=START + DAY, finish_by=START + 4 * DAY)
SHARE = 0.25


def at(name: str, version: int, after: timedelta, **data: object) -> Event:
    """Return an event of a ticket, so long after it came."""
    return event(name, version, at=START + after, data=data)


def given(*events: Event, limits: Limits = LIMITS) -> StoredTicket:
    """Return a ticket to which this has happened since it was accepted."""
    return stored(of=ticket(limits=limits), events=(event("accepted"), *events))


def look(of: StoredTicket, after: timedelta, *, handed_over: bool = True) -> Standing:
    """Return how a ticket stands so long after it came."""
    return standing(of, START + after, SHARE, handed_over=handed_over)


def cards(found: Standing) -> list[str]:
    """Return the cards that are due."""
    return [f"{card.limit} {card.card}" for card in found.cards]


def due(of: StoredTicket, after: timedelta) -> list[str]:
    """Return the cards that a ticket is due so long after it came."""
    return cards(look(of, after))


def shown(of: StoredTicket, after: timedelta) -> StoredTicket:
    """Return a ticket after the cards that it is due were shown."""
    events = list(of.events)
    for card in look(of, after).cards:
        kept = event(SHOWN, events[-1].version + 1, at=START + after, key=card.key)
        events.append(kept)
    return stored(of=of.ticket, events=tuple(events))


def test_a_card_is_yellow_near_a_limit_and_red_behind_it() -> None:
    """With a quarter left it is yellow, and red once the last second of it is over."""
    one = given()
    assert look(one, timedelta(0)) == Standing(cards=(), look_at=START + 18 * HOUR)
    assert due(one, 18 * HOUR - timedelta(seconds=1)) == []
    assert due(one, 18 * HOUR) == ["sign_by yellow"]
    assert due(one, DAY) == ["sign_by yellow"]
    assert due(one, DAY + timedelta(seconds=1)) == ["sign_by red"]


def test_each_card_is_shown_once() -> None:
    """What was shown is looked at again when the next may be due, and never after the last."""
    one = shown(given(), 20 * HOUR)
    assert look(one, 21 * HOUR) == Standing(cards=(), look_at=START + DAY + timedelta(seconds=1))
    one = shown(one, 25 * HOUR)
    assert look(one, 26 * HOUR) == Standing(cards=(), look_at=START + 3 * DAY)
    one = shown(one, 5 * DAY)
    assert look(one, 9 * DAY) == Standing(cards=(), look_at=None)


def test_what_was_not_looked_at_in_time_is_red_alone() -> None:
    """After days without a look there is no yellow card beside a red one of the same limit."""
    assert due(given(), 9 * DAY) == ["sign_by red", "finish_by red"]
    assert due(given(), 3 * DAY) == ["sign_by red", "finish_by yellow"]


def test_dispatch_is_done_when_the_back_office_has_it() -> None:
    """Until then the hotline itself is shown the card; a step of a unit shows that it has it."""
    waits = look(given(), 3 * HOUR, handed_over=False)
    assert cards(waits) == ["dispatch_by yellow"]
    assert due(given(), 3 * HOUR) == []
    taken = given(at("returned", 2, HOUR))
    assert cards(look(taken, 3 * HOUR, handed_over=False)) == []


@pytest.mark.parametrize("name", ["signed", "contacted", "returned", "extended"])
def test_who_has_taken_a_step_need_not_sign(name: str) -> None:
    """Whatever a unit does shows that it has taken note of the ticket."""
    assert "sign_by red" not in due(given(at(name, 2, HOUR)), 2 * DAY)


def test_an_addition_signs_for_nobody() -> None:
    """What the citizen does keeps no limit of the unit's."""
    assert due(given(at("added", 2, HOUR)), 2 * DAY) == ["sign_by red"]


@pytest.mark.parametrize("status", ["answered", "closed", "refused", "withdrawn"])
def test_what_is_over_has_no_limit(status: str) -> None:
    """However late it is, and nothing is to be looked at again."""
    names = next(names for state, names in LIVES.items() if state.value == status)
    one = stored(*names, of=ticket(limits=LIMITS))
    assert look(one, 9 * DAY) == Standing(cards=(), look_at=None)


@pytest.mark.parametrize("status", ["draft", "accepted", "signed", "returned", "extended"])
def test_what_is_open_is_to_be_finished(status: str) -> None:
    """A broken-off call and a ticket that was given back are somebody's matter all the same."""
    names = next(names for state, names in LIVES.items() if state.value == status)
    one = stored(*names, of=ticket(limits=LIMITS))
    assert "finish_by red" in due(one, 9 * DAY)


def until(after: timedelta) -> str:
    """Return an instant as a step tells it."""
    return (START + after).isoformat()


def test_an_extension_has_cards_of_its_own() -> None:
    """The old limit's are not shown, and near is measured from when it was granted."""
    one = shown(given(at("signed", 2, HOUR)), 3 * DAY)
    longer = at("extended", one.version + 1, 3 * DAY + HOUR, until=until(7 * DAY + HOUR))
    one = stored(of=one.ticket, events=(*one.events, longer))
    assert look(one, 5 * DAY) == Standing(cards=(), look_at=START + 6 * DAY + HOUR)
    assert due(one, 6 * DAY + HOUR) == ["finish_by yellow"]
    assert due(one, 8 * DAY) == ["finish_by red"]


def test_first_contact_is_due_from_the_signature_on() -> None:
    """It is kept by calling the citizen or answering, and only by the unit that has signed."""
    signed = at("signed", 2, HOUR, contact_by=until(9 * HOUR))
    assert look(given(signed), 2 * HOUR).look_at == START + 7 * HOUR
    assert due(given(signed), 7 * HOUR) == ["contact_by yellow"]
    called = given(signed, at("contacted", 3, 2 * HOUR))
    assert due(called, 10 * HOUR) == []
    again = at("signed", 4, 10 * HOUR, contact_by=until(18 * HOUR))
    other = stored(of=called.ticket, events=(*called.events, again))
    assert due(other, 19 * HOUR) == ["contact_by red"]


def test_a_ticket_that_was_given_back_has_nobody_to_call() -> None:
    """Until another unit signs for it."""
    signed = at("signed", 2, HOUR, contact_by=until(9 * HOUR))
    back = at("returned", 3, 2 * HOUR)
    assert due(given(signed, back), 10 * HOUR) == []
    other = at("signed", 4, 3 * HOUR, contact_by=until(11 * HOUR))
    assert due(given(signed, back, other), 12 * HOUR) == ["contact_by red"]


def test_a_limit_that_had_ended_before_a_ticket_was_reopened_is_over_for_good() -> None:
    """No rule says until when the matter is to be finished then, unless an extension does."""
    events = (at("signed", 2, HOUR), at("answered", 3, DAY), at("reopened", 4, 6 * DAY))
    assert look(given(*events), 9 * DAY) == Standing(cards=(), look_at=None)
    longer = at("extended", 5, 6 * DAY, until=until(8 * DAY))
    assert due(given(*events, longer), 9 * DAY) == ["finish_by red"]


def test_a_limit_that_had_not_ended_goes_on_when_a_ticket_is_reopened() -> None:
    """Answered and reopened within its limit, a ticket is finished within it or is late."""
    events = (at("signed", 2, HOUR), at("answered", 3, DAY), at("reopened", 4, 2 * DAY))
    assert due(given(*events), 5 * DAY) == ["finish_by red"]


@pytest.mark.parametrize("limits", [Limits(), Limits(policy="lhasa")])
def test_where_the_rules_are_silent_nothing_is_shown(limits: Limits) -> None:
    """A region without limits has no cards."""
    assert look(given(limits=limits), 99 * DAY) == Standing(cards=(), look_at=None)


@pytest.mark.parametrize("finish", [START - DAY, START])
def test_a_limit_that_never_was_ahead_is_over(finish: datetime) -> None:
    """One that ended before the ticket came is shown red, at once."""
    assert due(given(limits=Limits(finish_by=finish)), HOUR) == ["finish_by red"]
