"""The routing table: first match wins, and says why."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from config.load import load_pack
from config.settings import Route, Send, When
from gateway.route import Router, short_number
from normalizer.errors import ConfigError
from normalizer.schema import ChannelRef, Domain, Judged, Place, Requester, RequestType, Urgency
from normalizer.text import fold, normalize_text

ZONE = ZoneInfo("Asia/Shanghai")
SUZHOU, SANMENXIA, CHONGQING, NINGXIA = map(
    load_pack, ("suzhou", "sanmenxia", "chongqing", "ningxia")
)


def taken(when: dict[str, Any] | None, pack: Any = SUZHOU, **facts: Any) -> tuple[str, str]:
    """Return name and why of the route that a ticket takes: ``special`` or ``rest``."""
    routes = [
        Route(name="special", when=When.model_validate(when), send=Send(to="office", unit="a")),
        Route(name="rest", send=Send(to="office", unit="b")),
    ]
    found = planned(routes if when is not None else routes[1:], pack, **facts)
    return found.name, found.why


def planned(routes: list[Route], pack: Any = SUZHOU, **facts: Any) -> Any:
    given: dict[str, Any] = {
        "kind": "web",
        "account": "portal",
        "called": None,
        "requester": "person",
        "place": Place(),
        "type": RequestType.COMPLAINT,
        "domain": Domain.OTHER,
        "urgency": Urgency.NORMAL,
        "text": "楼道的灯坏了",
        "at": "2026-11-20 10:00",
        **facts,
    }
    return Router(routes, pack).plan(
        channel=ChannelRef(
            kind=given["kind"],
            account=given["account"],
            message_id="m",
            called=given["called"],
        ),
        requester=Requester(kind=given["requester"]),
        place=given["place"],
        judged=Judged(type=given["type"], domain=given["domain"], urgency=given["urgency"]),
        folded=fold(normalize_text(given["text"])),
        received_at=datetime.fromisoformat(given["at"]).replace(tzinfo=ZONE),
    )


YONGQIAO = Place(
    province="安徽省", city="宿州市", district="埇桥区", adcode="341302", text="汇源大道12号"
)


@pytest.mark.parametrize(
    ("when", "facts", "why"),
    [
        ({"channel": "sms"}, {"kind": "sms"}, "channel=sms"),
        ({"account": ["a", "mobile"]}, {"account": "mobile"}, "account=mobile"),
        ({"called": ["12315"]}, {"called": "12315"}, "called=12315"),
        ({"called": "12315"}, {"called": "+8655712315"}, "called=12315"),
        ({"called": "12315"}, {"called": "055712315"}, "called=12315"),
        ({"called": "0557-12315"}, {"called": "12315"}, "called=0557-12315"),
        ({"type": "complaint"}, {}, "type=complaint"),
        ({"domain": "market"}, {"domain": Domain.MARKET}, "domain=market"),
        ({"urgency": "emergency"}, {"urgency": Urgency.EMERGENCY}, "urgency=emergency"),
        ({"requester": "enterprise"}, {"requester": "enterprise"}, "requester=enterprise"),
        ({"place": "341302"}, {"place": YONGQIAO}, "place=341302"),
        ({"place": "341300"}, {"place": YONGQIAO}, "place=341300"),
        ({"place": "3413"}, {"place": YONGQIAO}, "place=3413"),
        ({"place": "340000"}, {"place": YONGQIAO}, "place=340000"),
        ({"place": "埇桥"}, {"place": YONGQIAO}, "place=埇桥"),
        ({"place": "匯源大道"}, {"place": YONGQIAO}, "place=匯源大道"),
        ({"text": "灯坏了"}, {}, "text=灯坏了"),
        ({"text": "燈壞"}, {}, "text=燈壞"),
        ({"text": "路灯"}, {"text": "路燈壞了"}, "text=路灯"),
        ({"text": "ETC"}, {"text": "ｅｔｃ扣费不对"}, "text=ETC"),
        ({"text": r"/灯.{0,3}坏/"}, {}, r"text=/灯.{0,3}坏/"),
        ({"text": ["没有", "/^楼/"]}, {}, "text=/^楼/"),
        ({"hours": "08:00-18:00"}, {"at": "2026-11-20 08:00"}, "hours=08:00-18:00"),
        ({"hours": "18:00-08:00"}, {"at": "2026-11-20 23:59"}, "hours=18:00-08:00"),
        ({"hours": "18:00-08:00"}, {"at": "2026-11-20 07:59"}, "hours=18:00-08:00"),
        ({"hours": "18:00-24:00"}, {"at": "2026-11-20 23:59"}, "hours=18:00-24:00"),
        ({"hours": "workdays"}, {"at": "2026-10-10 10:00"}, "hours=workdays"),
        ({"hours": "holidays"}, {"at": "2026-10-07 10:00"}, "hours=holidays"),
        (
            {"hours": "workdays 08:00-18:00"},
            {"at": "2026-11-20 17:59"},
            "hours=workdays 08:00-18:00",
        ),
        (
            {"channel": ["sms", "phone"], "called": ["12345", "12315"], "urgency": "normal"},
            {"kind": "phone", "called": "12315"},
            "channel=phone, called=12315, urgency=normal",
        ),
    ],
)
def test_a_route_whose_conditions_hold_is_taken_and_says_why(
    when: dict[str, Any], facts: dict[str, Any], why: str
) -> None:
    """The values as they are written in the configuration."""
    assert taken(when, **facts) == ("special", why)


@pytest.mark.parametrize(
    ("when", "facts"),
    [
        ({"channel": "sms"}, {}),
        ({"called": "12315"}, {}),
        ({"called": "12315"}, {"called": "12345"}),
        ({"called": "12315"}, {"called": "+8601012315"}),
        ({"place": "341302"}, {"place": Place(adcode="341300")}),
        ({"place": "341302"}, {}),
        ({"place": "埇桥"}, {"place": Place(district="灵璧县", adcode="341323")}),
        ({"text": "/^灯/"}, {}),
        ({"hours": "08:00-18:00"}, {"at": "2026-11-20 18:00"}),
        ({"hours": "18:00-08:00"}, {"at": "2026-11-20 08:00"}),
        ({"hours": "workdays"}, {"at": "2026-11-21 10:00"}),
        ({"hours": "holidays"}, {"at": "2026-10-10 10:00"}),
        ({"hours": "workdays 08:00-18:00"}, {"at": "2026-11-21 10:00"}),
        ({"hours": "workdays 08:00-18:00"}, {"at": "2026-11-20 19:00"}),
        ({"channel": "web", "called": "12315"}, {}),
        ({"type": "complaint", "domain": "market"}, {}),
    ],
)
def test_a_route_with_a_condition_that_fails_is_passed_over(
    when: dict[str, Any], facts: dict[str, Any]
) -> None:
    """All that are named must hold."""
    assert taken(when, **facts) == ("rest", "default")


def test_the_first_of_several_that_hold_is_taken() -> None:
    """Order is the operator's."""
    routes = [
        Route(name=name, when=When(type=("complaint",)), send=Send(to=name)) for name in "abc"
    ]
    assert planned(routes).name == "a"


def test_the_route_names_adapter_unit_and_assistants() -> None:
    """As they are configured."""
    send = Send(to="office", unit="市城管局", assist=("市公安局",))
    found = planned([Route(name="r", send=send)])
    assert (found.to, found.unit, found.assist) == ("office", "市城管局", ("市公安局",))


@pytest.mark.parametrize(
    ("pack", "facts", "unit"),
    [
        # the merged hotline that was dialled goes before everything
        (SANMENXIA, {"called": "12315", "domain": Domain.LABOUR}, "市市场监管局"),
        (SANMENXIA, {"called": "+8639896119"}, "市消防救援支队"),
        (SANMENXIA, {"called": "12345", "domain": Domain.LABOUR}, "市人力资源社会保障局"),
        (SANMENXIA, {"domain": Domain.AGRICULTURE}, "市12345热线"),
        (SUZHOU, {"domain": Domain.MARKET, "place": YONGQIAO}, "市市场监管局"),
        (SUZHOU, {"domain": Domain.OTHER, "place": YONGQIAO}, "埇桥区人民政府"),
        (SUZHOU, {"domain": Domain.OTHER}, "市长热线办"),
        (SUZHOU, {"called": "12315"}, "市长热线办"),
        # Chongqing puts the territory first
        (
            CHONGQING,
            {"domain": Domain.MARKET, "place": Place(adcode="500103")},
            "渝中区人民政府",
        ),
        (CHONGQING, {"domain": Domain.MARKET}, "市政府总值班室"),
        # a province's source names no units of its cities
        (NINGXIA, {"place": Place(adcode="640104")}, "热线管理机构"),
    ],
)
def test_a_route_without_unit_leaves_it_to_the_regions_rules(
    pack: Any, facts: dict[str, Any], unit: str
) -> None:
    """Number, field, district, default; or the district first."""
    routes = [Route(name="rest", send=Send(to="office"))]
    assert planned(routes, pack, **facts).unit == unit


def test_a_table_without_a_default_is_told_when_nothing_holds() -> None:
    """`gateway check` finds it before."""
    with pytest.raises(ConfigError, match="no when"):
        planned([Route(name="a", when=When(type=("praise",)), send=Send(to="x"))])


@pytest.mark.parametrize("when", [{"hours": "8-18"}, {"text": "/(/"}])
def test_a_condition_that_cannot_be_understood_is_told_with_its_route(when: Any) -> None:
    """Before any ticket comes."""
    with pytest.raises(ConfigError, match="route special"):
        taken(when)


@pytest.mark.parametrize(
    ("number", "short"),
    [
        ("12315", "12315"),
        ("+8655712345", "12345"),
        ("008655712345", "12345"),
        ("0557-12345", "12345"),
        ("0557 3021234", "3021234"),
        ("+8613800138000", "13800138000"),
        ("01012345", "01012345"),
        ("110", "110"),
        ("0557", "0557"),
    ],
)
def test_numbers_are_compared_as_dialled_at_home(number: str, short: str) -> None:
    """Country and own area code make no difference; another city's does."""
    assert short_number(number, "0557") == short
