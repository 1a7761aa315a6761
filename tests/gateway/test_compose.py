"""From what a channel saw to the ticket it becomes: pure, the same for intake and explain."""

from datetime import UTC, datetime

import pytest

from gateway.compose import Rules, compose, judge, message_id
from normalizer.schema import Domain, Inbound, Place, Requester, RequestType, Ticket, Urgency
from tests.gateway.world import COURT, FIRE, LAMP, inbound


def composed(of: Inbound, rules: Rules) -> Ticket:
    return compose(of, rules, "t-1").ticket


def test_the_same_message_becomes_the_same_ticket(rules: Rules) -> None:
    """Nothing of the journey depends on when or how often it is made."""
    assert composed(inbound(), rules) == composed(inbound(), rules)


def test_a_ticket_keeps_what_the_channel_saw(rules: Rules) -> None:
    """Words literal, carrier's id, called number, thread, consent and drill mark."""
    seen = inbound(
        "路灯坏了\u0000😀 ",
        message_id="m-7",
        called="12315",
        thread="s-1",
        public=True,
        exercise=True,
    )
    ticket = composed(seen, rules)
    assert ticket.content.original == "路灯坏了\u0000😀 "
    assert (ticket.channel.message_id, ticket.channel.thread) == ("m-7", "s-1")
    assert (ticket.channel.kind, ticket.channel.account) == ("web", "portal")
    assert (ticket.public, ticket.exercise) == (True, True)


def test_a_message_without_an_id_has_the_digest_of_its_raw_form(rules: Rules) -> None:
    """The contract's ``sha256:`` and the hex digest of the raw message."""
    assert message_id(inbound("abc")) == (
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert composed(inbound("abc"), rules).channel.message_id.startswith("sha256:ba78")


def test_the_instances_zone_decides_what_day_it_is(rules: Rules) -> None:
    """Half past midnight in China is the day before in UTC."""
    ticket = composed(inbound(at=datetime(2026, 11, 22, 16, 30, tzinfo=UTC)), rules)
    assert ticket.received_at.isoformat() == "2026-11-23T00:30:00+08:00"


def test_an_ordinary_request_has_limits_a_unit_and_no_service(rules: Rules) -> None:
    """The street lamp: accepted, routed, with the region's limits."""
    ticket = composed(inbound(), rules)
    assert (ticket.urgency, ticket.verify, ticket.services) == (Urgency.NORMAL, False, ())
    assert ticket.acceptance.decision == "accepted"
    assert ticket.limits.policy == "suzhou"
    assert ticket.limits.finish_by is not None
    assert (ticket.route.name, ticket.route.to) == ("rest", "office")
    assert ticket.place.adcode == "341302"


def test_an_emergency_names_services_kind_and_evidence(rules: Rules) -> None:
    """The fire: 119 first, and the words that it rests on stand where they say."""
    ticket = composed(inbound(FIRE), rules)
    assert ticket.urgency is Urgency.EMERGENCY
    assert ticket.services[:2] == ("119", "120")
    assert ticket.kind is not None
    urgency = [e for e in ticket.evidence if e.claim == "urgency"]
    assert urgency
    assert all(ticket.content.text[e.start : e.end] == e.text for e in ticket.evidence)


def test_a_refused_matter_has_its_reason_and_no_limits(rules: Rules) -> None:
    """What is not taken on is due nowhere; the words it rests on are evidence."""
    ticket = composed(inbound(COURT), rules)
    assert ticket.acceptance.decision == "referred"
    assert ticket.acceptance.refer_to is not None
    assert ticket.limits.finish_by is None
    assert ticket.limits.policy is None
    assert [e for e in ticket.evidence if e.claim == "acceptance"]


def test_what_the_citizen_chose_outranks_the_judge(rules: Rules) -> None:
    """Whoever says that it is praise is taken at their word."""
    assert composed(inbound(LAMP), rules).type is not RequestType.PRAISE
    assert composed(inbound(LAMP, type=RequestType.PRAISE), rules).type is RequestType.PRAISE
    assert composed(inbound(LAMP, domain=Domain.FINANCE), rules).domain is Domain.FINANCE


def test_what_nobody_could_read_is_looked_at_by_a_human(rules: Rules) -> None:
    """Urgent and marked, with the reason among the evidence."""
    ticket = composed(inbound("????", undecodable=True), rules)
    assert (ticket.urgency, ticket.verify) == (Urgency.URGENT, True)
    assert "undecodable" in [e.rule for e in ticket.evidence if e.claim == "verify"]


def test_an_emergency_that_is_partly_unreadable_stays_one(rules: Rules) -> None:
    """Doubt never lowers."""
    assert composed(inbound(FIRE, undecodable=True), rules).urgency is Urgency.EMERGENCY


def test_the_number_that_was_dialled_decides_the_route(rules: Rules) -> None:
    """The first route whose conditions hold is taken, and says why."""
    route = composed(inbound(called="12315"), rules).route
    assert (route.name, route.unit, route.why) == ("market", "市市场监管局", "called=12315")


def test_what_the_sender_gave_is_not_guessed_again(rules: Rules) -> None:
    """Address, coordinates, time and title of a form stand."""
    at = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    seen = inbound(
        "昨晚八点左右路灯坏了",
        title="路灯",
        place=Place(text="西昌北路", latitude=33.6, longitude=116.9),
        occurred_at=at,
        requester=Requester(phone="138 0013 8000", anonymous=True),
    )
    ticket = composed(seen, rules)
    assert ticket.content.title == "路灯"
    assert ticket.occurred_at == at
    assert (ticket.place.text, ticket.place.latitude) == ("西昌北路", 33.6)
    assert (ticket.requester.phone, ticket.requester.anonymous) == ("+8613800138000", True)


@pytest.mark.parametrize(
    "text", ["", " ", "\u0000" * 50, "😀" * 300, "a" * 20_000, "火" * 20_000, "\u202e\u200b"]
)
def test_no_text_stops_the_journey(text: str, rules: Rules) -> None:
    """Whatever arrives becomes a ticket: nothing of a citizen's is dropped."""
    assert composed(inbound(text), rules).content.original == text


def test_half_a_character_is_replaced_and_the_rest_kept(rules: Rules) -> None:
    """A lone surrogate cannot be stored as UTF-8; its place stays marked."""
    assert composed(inbound("路灯\ud800坏了"), rules).content.original == "路灯\ufffd坏了"


def test_the_judges_time_is_told(rules: Rules) -> None:
    """The benchmark takes it out of what accepting costs."""
    assert 0 < compose(inbound(), rules, "t-1").judge_s < 5


def test_a_judge_that_fails_calls_a_human() -> None:
    """Words that the judge cannot read are urgent, marked to be verified, and never refused."""

    class Broken:
        version = "0"

        def __getattr__(self, name: str) -> object:
            raise ValueError(name)

    judged = judge("路灯不亮", "路灯不亮", Broken())  # type: ignore[arg-type]  # that is the point
    assert (judged.urgency, judged.verify) == (Urgency.URGENT, True)
    assert [why.rule for why in judged.evidence] == ["judge_failed"]
