"""What the citizen is told, in both languages."""

from typing import Any

import pytest

from gateway.notices import emergency_advice, numbers_to_dial, received, service_label
from normalizer.schema import Decision, Service, Urgency

CHINESE = (None, "zh-Hans", "zh-Hant", "bo", "ug")


def told(**more: Any) -> str:
    values: dict[str, Any] = {
        "number": "20261123-000001-1",
        "code": "K7MPX2QD",
        "urgency": Urgency.NORMAL,
        "services": (),
        "decision": Decision(),
        "draft": False,
        "language": None,
    }
    return received(**(values | more))


@pytest.mark.parametrize("language", [*CHINESE, "en", "en-GB"])
@pytest.mark.parametrize(
    "case",
    [
        {},
        {"draft": True},
        {"urgency": Urgency.EMERGENCY, "services": (Service.FIRE,)},
        {"decision": Decision(decision="refused", reason="属于法院职能")},
    ],
    ids=["accepted", "draft", "emergency", "refused"],
)
def test_whatever_happens_the_citizen_gets_number_and_code(
    case: dict[str, Any], language: str | None
) -> None:
    """A ticket can be asked after in every state and language."""
    text = told(language=language, **case)
    assert "20261123-000001-1" in text
    assert "K7MPX2QD" in text


def test_an_accepted_request_is_confirmed() -> None:
    """The two languages say the same."""
    assert told().startswith("您的诉求已受理。")
    assert told(language="en").startswith("Your request has been accepted. Your number is")


@pytest.mark.parametrize("language", CHINESE)
def test_chinese_is_the_language_of_whoever_does_not_ask_for_english(language: str | None) -> None:
    """An unknown language and one that the gateway does not write are answered in Chinese."""
    assert "查询码" in told(language=language)


def test_an_emergency_is_told_what_to_dial_first_of_all() -> None:
    """The number stands before everything else, most needed service first."""
    services = (Service.FIRE, Service.MEDICAL)
    assert told(urgency=Urgency.EMERGENCY, services=services).startswith(
        "情况紧急，请立即拨打 119（消防救援）、120（医疗急救）！"
    )
    assert told(urgency=Urgency.EMERGENCY, services=services, language="en").startswith(
        "This is an emergency: dial 119 (fire and rescue), 120 (ambulance) now!"
    )


@pytest.mark.parametrize("services", [(), (Service.GAS,), (Service.WATER, Service.HEAT)])
def test_an_emergency_without_a_number_of_its_own_is_one_for_the_police(
    services: tuple[Service, ...],
) -> None:
    """A utility has no short number that is the same everywhere; 110 takes every danger."""
    assert numbers_to_dial(services) == ("110",)
    assert "110" in emergency_advice(services, None)


def test_only_services_with_a_number_are_dialled() -> None:
    """A leak of gas with people hurt: the ambulance, not a word for gas."""
    assert numbers_to_dial((Service.GAS, Service.MEDICAL)) == ("120",)


def test_an_emergency_is_never_told_that_it_was_refused() -> None:
    """The advice outranks every rule of a region."""
    text = told(
        urgency=Urgency.EMERGENCY,
        services=(Service.POLICE,),
        decision=Decision(decision="refused", reason="重复反映"),
    )
    assert "拨打 110" in text
    assert "不属于" not in text


def test_a_refusal_names_its_reason_and_where_to_turn() -> None:
    """A citizen who is sent away knows why, and where to."""
    decision = Decision(decision="referred", reason="属于人民法院的职能", refer_to="人民法院")
    assert "属于人民法院的职能" in told(decision=decision)
    assert "请向人民法院反映。" in told(decision=decision)
    assert "Please turn to 人民法院." in told(decision=decision, language="en")


def test_a_refusal_without_a_reason_names_the_rules() -> None:
    """Nothing like None is ever read by a citizen, in either language."""
    decision = Decision(decision="refused")
    assert "见受理规定" in told(decision=decision)
    assert "None" not in told(decision=decision, language="en")


def test_a_message_that_was_cut_off_is_not_confirmed_as_accepted() -> None:
    """The citizen knows that the rest is missing."""
    assert "已受理" not in told(draft=True)
    assert "cut off" in told(draft=True, language="en")


def test_every_service_has_a_name_in_both_languages() -> None:
    """Pages and answers name services as people do."""
    for service in Service:
        assert service_label(service) not in ("", service.value)
        assert service_label(service, "en") not in ("", service_label(service))


def test_a_desk_of_the_sites_own_keeps_its_name() -> None:
    """What is no service of ours is called as it is."""
    assert service_label("harbour") == "harbour"
