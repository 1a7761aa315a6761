"""Until when each step is to be done."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from config.load import load_pack
from config.region import LimitRules, Step
from gateway.limits import contact_by, due, limits
from normalizer.schema import RequestType, Service, Urgency

ZONE = ZoneInfo("Asia/Shanghai")
PACKS = {
    name: load_pack(name) for name in ("suzhou", "ningxia", "chongqing", "linzhi", "sanmenxia")
}

Q, H, C, R, S, P = (
    RequestType.CONSULTATION,
    RequestType.HELP,
    RequestType.COMPLAINT,
    RequestType.REPORT,
    RequestType.SUGGESTION,
    RequestType.PRAISE,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def told(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(sep=" ").removesuffix("+08:00")


@pytest.mark.parametrize(
    ("region", "type_", "urgency", "received", "dispatch", "sign", "finish"),
    [
        # Suzhou: signed for within 1 working day, finished by type
        ("suzhou", Q, "normal", "2026-11-20 10:00", None, "11-23", "11-24"),
        ("suzhou", H, "normal", "2026-11-20 10:00", None, "11-23", "11-27"),
        ("suzhou", S, "normal", "2026-11-20 10:00", None, "11-23", "11-27"),
        ("suzhou", C, "normal", "2026-11-20 10:00", None, "11-23", "12-11"),
        ("suzhou", R, "normal", "2026-11-20 10:00", None, "11-23", None),
        ("suzhou", P, "normal", "2026-11-20 10:00", None, "11-23", None),
        # over National Day and its Saturday worked
        ("suzhou", Q, "normal", "2026-09-30 23:59", None, "10-08", "10-09"),
        ("suzhou", H, "normal", "2026-10-02 08:00", None, "10-08", "10-13"),
        # urgent: the same day, and no step before it later than it
        ("suzhou", C, "urgent", "2026-10-03 09:00", None, "10-03", "10-03"),
        ("suzhou", H, "emergency", "2026-11-20 23:58", None, "11-20", "11-20"),
        # Ningxia
        ("ningxia", Q, "normal", "2026-11-20 10:00", "11-23", "11-23", "11-24"),
        ("ningxia", R, "normal", "2026-11-20 10:00", "11-23", "11-23", "11-27"),
        ("ningxia", P, "normal", "2026-11-20 10:00", "11-23", "11-23", None),
        # Chongqing: the source lost the figure for consultations
        ("chongqing", Q, "normal", "2026-11-20 10:00", None, None, None),
        ("chongqing", C, "normal", "2026-11-20 10:00", None, None, "12-11"),
        # Sanmenxia sets no figures
        ("sanmenxia", C, "emergency", "2026-11-20 10:00", None, None, None),
    ],
)
def test_limits_end_with_the_last_working_day(
    region: str,
    type_: RequestType,
    urgency: str,
    received: str,
    dispatch: str | None,
    sign: str | None,
    finish: str | None,
) -> None:
    """The day of receipt does not count; the last day counts whole."""
    found = limits(type_, Urgency(urgency), at(received), PACKS[region])
    steps = (found.dispatch_by, found.sign_by, found.finish_by)
    assert tuple(map(told, steps)) == tuple(
        None if each is None else f"2026-{each} 23:59:59" for each in (dispatch, sign, finish)
    )
    assert found.contact_by is None
    assert found.policy == region


def test_ningxia_acts_on_emergencies_within_two_hours() -> None:
    """And finishes within two days, holidays or not."""
    found = limits(H, Urgency.EMERGENCY, at("2026-10-01 23:30"), PACKS["ningxia"])
    assert told(found.dispatch_by) == told(found.sign_by) == "2026-10-02 01:30:00"
    assert told(found.finish_by) == "2026-10-03 23:59:59"


def test_ningxia_treats_utilities_as_urgent() -> None:
    """An ordinary matter that concerns the waterworks is linked and limited likewise."""
    received = at("2026-11-20 10:00")
    ordinary = limits(C, Urgency.NORMAL, received, PACKS["ningxia"])
    water = limits(C, Urgency.NORMAL, received, PACKS["ningxia"], services=(Service.WATER,))
    assert told(ordinary.finish_by) == "2026-11-27 23:59:59"
    assert told(water.finish_by) == "2026-11-22 23:59:59"


def test_linzhi_gives_enterprises_longer() -> None:
    """15 working days instead of 5; the first contact within the hour for both."""
    received = at("2026-11-20 10:07")
    person = limits(C, Urgency.NORMAL, received, PACKS["linzhi"])
    enterprise = limits(C, Urgency.NORMAL, received, PACKS["linzhi"], requester="enterprise")
    assert told(person.finish_by) == "2026-11-27 23:59:59"
    assert told(enterprise.finish_by) == "2026-12-11 23:59:59"
    assert told(person.contact_by) == told(enterprise.contact_by) == "2026-11-20 11:07:00"


def test_a_limit_from_the_signature_waits_for_it() -> None:
    """Suzhou: whoever signs for a request for help calls within 1 working day."""
    assert told(contact_by(H, at("2026-11-20 16:00"), PACKS["suzhou"])) == "2026-11-23 23:59:59"
    assert contact_by(C, at("2026-11-20 16:00"), PACKS["suzhou"]) is None
    assert contact_by(H, at("2026-11-20 16:00"), PACKS["linzhi"]) is None


def test_the_basis_names_document_and_clauses() -> None:
    """Of the limits that were set, each once."""
    found = limits(C, Urgency.NORMAL, at("2026-11-20 10:00"), PACKS["suzhou"])
    assert found.basis == (
        "《宿州市12345政府热线工作规范》五(六)（超过1个工作日未退回的视同已接受）、五(二)4"
    )
    assert limits(Q, Urgency.NORMAL, at("2026-11-20 10:00"), PACKS["chongqing"]).basis is None


def test_an_estimate_says_so() -> None:
    """A limit that runs into a year without an announced calendar."""
    late = limits(C, Urgency.NORMAL, at("2026-12-28 10:00"), PACKS["chongqing"])
    assert late.basis is not None
    assert late.basis.endswith("；2027年放假安排尚未公布或录入，按周末和法定节假日推算")
    assert told(late.finish_by) == "2027-01-19 23:59:59"
    hours = limits(H, Urgency.EMERGENCY, at("2026-12-31 23:00"), PACKS["ningxia"])
    assert hours.basis is not None
    assert "推算" not in hours.basis


def test_limits_are_in_the_zone_of_receipt() -> None:
    """With its offset, and the day is the day there."""
    urumqi = datetime(2026, 11, 20, 23, 30, tzinfo=ZoneInfo("Asia/Urumqi"))
    found = limits(Q, Urgency.NORMAL, urumqi, PACKS["suzhou"])
    assert found.finish_by is not None
    assert found.finish_by.isoformat() == "2026-11-24T23:59:59+06:00"


def test_hours_are_hours_when_clocks_change() -> None:
    """Two hours over a change to summer time are two hours, not one."""
    start = datetime(2026, 3, 29, 1, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    end = due(Step(hours=2, basis="x"), start, PACKS["suzhou"])
    assert end.astimezone(UTC) - start.astimezone(UTC) == timedelta(hours=2)
    assert end.isoformat() == "2026-03-29T04:30:00+02:00"


def test_asking_again_gives_the_same_and_other_matters_their_own() -> None:
    """What is worked out once is kept apart by everything it depends on."""
    pack = PACKS["suzhou"].model_copy(
        update={
            "limits": LimitRules(
                finish={C: Step(days=3, basis="spec a")}, enterprise=Step(days=9, basis="spec b")
            )
        }
    )
    received = at("2026-11-20 10:00")
    for _ in range(2):
        assert told(limits(C, Urgency.NORMAL, received, pack).finish_by) == "2026-11-23 23:59:59"
        firm = limits(C, Urgency.NORMAL, received, pack, requester="enterprise")
        assert told(firm.finish_by) == "2026-11-29 23:59:59"
        assert limits(Q, Urgency.NORMAL, received, pack).finish_by is None


def test_what_is_kept_for_a_day_is_not_used_on_another() -> None:
    """Nor in another zone, where the same instant may be another day."""
    for received, finish in [
        ("2026-11-20T10:00:00+08:00", "2026-11-24T23:59:59+08:00"),
        ("2026-11-20T23:59:59+08:00", "2026-11-24T23:59:59+08:00"),
        ("2026-11-23T00:00:00+08:00", "2026-11-25T23:59:59+08:00"),
        ("2026-11-20T10:00:00+08:00", "2026-11-24T23:59:59+08:00"),
        ("2026-11-20T10:00:00+06:00", "2026-11-24T23:59:59+06:00"),
    ]:
        at_ = datetime.fromisoformat(received)
        found = limits(Q, Urgency.NORMAL, at_, PACKS["suzhou"]).finish_by
        assert found is not None
        assert found.isoformat() == finish


def test_a_limit_in_hours_is_of_each_minute() -> None:
    """Two calls on one day have two deadlines."""
    for minute in (7, 8):
        received = at(f"2026-11-20 10:{minute:02}")
        found = limits(C, Urgency.NORMAL, received, PACKS["linzhi"])
        assert told(found.contact_by) == f"2026-11-20 11:{minute:02}:00"
