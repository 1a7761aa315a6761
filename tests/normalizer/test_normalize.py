"""The whole way from what a channel saw to what the ticket holds."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normalizer.normalize import Context, Normalized, normalize
from normalizer.place import Gazetteer
from normalizer.schema import Inbound, Place, Requester
from normalizer.text import fold, normalize_text

HOME = "341300"  # 宿州
CONTEXT = Context(home=HOME, area_code="0557")
GAZETTEER = Gazetteer.load(HOME)
RECEIVED = datetime(2026, 11, 22, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))


def normalized(
    text: str,
    *,
    title: str | None = None,
    requester: Requester | None = None,
    place: Place | None = None,
    occurred_at: datetime | None = None,
    undecodable: bool = False,
) -> Normalized:
    inbound = Inbound(
        channel="web",
        account="portal",
        message_id=None,
        text=text,
        received_at=RECEIVED,
        raw=b"",
        raw_type="text/plain",
        title=title,
        requester=requester or Requester(),
        place=place or Place(),
        occurred_at=occurred_at,
        undecodable=undecodable,
    )
    return normalize(inbound, CONTEXT, GAZETTEER)


def test_a_plain_request() -> None:
    """Text, title, elements, place, time and language come out of one message."""
    original = "您好！昨晚八点左右，埇桥区淮海路幸福小区楼下電動車著火了，三人受傷"
    seen = normalized(original)
    assert seen.content.original == original
    assert seen.content.text == "您好!昨晚八点左右,埇桥区淮海路幸福小区楼下電動車著火了,三人受傷"
    assert seen.folded == "您好!昨晚八点左右,埇桥区淮海路幸福小区楼下电动车着火了,三人受伤"
    assert seen.content.title == "昨晚八点左右,埇桥区淮海路幸福小区楼下電動車著火了,三人受傷"
    assert (seen.place.city, seen.place.district) == ("宿州市", "埇桥区")
    assert seen.place.adcode == "341302"
    assert seen.occurred_at == datetime(2026, 11, 21, 20, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert "昨晚八点" in (seen.content.elements.time or "")
    assert "淮海路" in (seen.content.elements.place or "")
    assert seen.content.elements.people == "三人"
    assert seen.requester.language == "zh-Hans"


@pytest.mark.parametrize("text", ["", "   \n", "\x00", "\u200b"])
@pytest.mark.parametrize("undecodable", [False, True])
def test_nothing_said_is_nothing_claimed(text: str, undecodable: bool) -> None:
    """An empty or unreadable message becomes an empty text with every finding unknown."""
    seen = normalized(text, undecodable=undecodable)
    assert seen.content.original == text
    assert (seen.content.text, seen.content.title, seen.folded) == ("", None, "")
    assert seen.place == Place()
    assert seen.occurred_at is None
    assert seen.requester == Requester()


def test_half_a_surrogate_pair_can_be_stored() -> None:
    """The original keeps every character that UTF-8 can hold."""
    seen = normalized("着火，\ud83d 快\u200b来")
    assert seen.content.original == "着火，\ufffd 快\u200b来"
    assert seen.content.text == "着火,\ufffd 快来"


@pytest.mark.parametrize(
    ("given_title", "title"),
    [
        ("关于　路灯\n不亮", "关于 路灯 不亮"),
        (" ", "路灯坏了"),
        (None, "路灯坏了"),
        ("长" * 60, "长" * 60),
    ],
)
def test_the_citizens_own_title_wins(given_title: str | None, title: str) -> None:
    """A given title is put on one line and never cut; a blank one is none."""
    assert normalized("你好，路灯坏了", title=given_title).content.title == title


@pytest.mark.parametrize(
    ("phone", "number"),
    [
        ("138 0013 8000", "+8613800138000"),
        ("3021234", "+865573021234"),
        ("+852 9123 4567", "+85291234567"),
    ],
)
def test_the_phone_becomes_e164(phone: str, number: str) -> None:
    """A local number takes the instance's area code."""
    seen = normalized("路灯坏了", requester=Requester(phone=phone))
    assert seen.requester.phone == number
    assert seen.content.elements.people is None


@pytest.mark.parametrize("phone", ["1380013800", "12345", "找我儿子要"])
def test_an_unreadable_phone_is_kept_in_the_elements(phone: str) -> None:
    """What is no E.164 number is unknown in the field and literal beside the people."""
    seen = normalized("三人受伤", requester=Requester(phone=phone))
    assert seen.requester.phone is None
    assert seen.content.elements.people == f"三人、联系电话(未能识别): {phone}"
    alone = normalized("路灯坏了", requester=Requester(phone=phone))
    assert alone.content.elements.people == f"联系电话(未能识别): {phone}"


def test_a_phone_in_the_text_is_the_citizens_only_if_they_say_so() -> None:
    """The first person counts, a shop's number and an anonymous citizen's do not."""
    text = "我的电话13800138000，路灯坏了"
    assert normalized(text).requester.phone == "+8613800138000"
    assert normalized("商家电话13800138000").requester.phone is None
    assert normalized(text, requester=Requester(anonymous=True)).requester.phone is None
    given = normalized(text, requester=Requester(phone="13900139000")).requester
    assert given.phone == "+8613900139000"


def test_the_requesters_other_fields() -> None:
    """Fields are trimmed, blanks are unknown, choices and a given language stay."""
    who = Requester(
        kind="enterprise",
        name="　某某　公司\n",
        email=" a@b.example ",
        wechat="openid",
        confidential=True,
        anonymous=True,
        language="bo",
    )
    seen = normalized("路灯坏了", requester=who).requester
    assert (seen.kind, seen.name, seen.email) == ("enterprise", "某某 公司", "a@b.example")
    assert (seen.wechat, seen.confidential, seen.anonymous) == ("openid", True, True)
    assert seen.language == "bo"
    blank = normalized("路灯坏了", requester=Requester(name=" ", email=" ", phone="", language=""))
    assert blank.requester == Requester(language="zh-Hans")


def test_the_citizens_own_place_wins() -> None:
    """A filled-in address is the place, and the text's place only fills what it leaves open."""
    text = "灵璧县人民路的路灯坏了"
    assert normalized(text).place.district == "灵璧县"
    seen = normalized(text, place=Place(text="埇桥区淮海路88号"))
    assert (seen.place.text, seen.place.district) == ("埇桥区淮海路88号", "埇桥区")
    assert seen.content.elements.place == "埇桥区淮海路88号"
    finer = normalized(text, place=Place(text="老年公寓3号楼"))
    assert (finer.place.text, finer.place.district) == ("老年公寓3号楼", "灵璧县")


def test_own_fields_of_a_place() -> None:
    """Names, code and coordinates that a channel gave are not overridden."""
    seen = normalized("路灯坏了", place=Place(district="泗县", street="泗城镇")).place
    assert (seen.city, seen.district, seen.street, seen.adcode) == (
        "宿州市",
        "泗县",
        "泗城镇",
        "341324",
    )
    pin = normalized("埇桥区淮海路", place=Place(latitude=33.6, longitude=116.9)).place
    assert (pin.latitude, pin.longitude, pin.district) == (33.6, 116.9, "埇桥区")
    code = normalized("路灯坏了", place=Place(adcode="999999")).place
    assert code.adcode == "999999"


def test_when_it_happened() -> None:
    """The citizen's own instant wins and is put in the instance's zone; a future one is not past."""
    own = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
    seen = normalized("昨晚八点着火", occurred_at=own)
    assert seen.occurred_at == own
    assert seen.occurred_at.utcoffset() == timedelta(hours=8)
    assert "昨晚八点" in (seen.content.elements.time or "")
    assert normalized("明天上午九点会停水吗").occurred_at is None
    assert normalized("路灯坏了").occurred_at is None


@settings(derandomize=True, max_examples=150, deadline=None)
@given(
    st.text(
        alphabet=st.one_of(
            st.characters(),
            st.sampled_from("昨晚八点在宿州市淮海路88号，着火了。三人我的电话138 \n\u3000"),
        ),
        max_size=60,
    ),
    st.text(max_size=20),
)
def test_any_words_become_a_storable_ticket(text: str, field: str) -> None:
    """No input fails; offsets line up; every string can be written as UTF-8."""
    who = Requester(name=field, phone=field, email=field, wechat=field, language=field)
    seen = normalized(text, title=field, requester=who, place=Place(text=field, city=field))
    assert seen.content.text == normalize_text(text)
    assert seen.folded == fold(seen.content.text)
    assert len(seen.folded) == len(seen.content.text)
    assert msgspec.json.decode(msgspec.json.encode(seen), type=Normalized) == seen


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_the_normalized_text_normalizes_to_itself(text: str) -> None:
    """A text that went through once goes through unchanged, with the same findings."""
    once = normalized(text)
    twice = normalized(once.content.text)
    assert twice.content.text == once.content.text
    assert twice.folded == once.folded
    assert (twice.place, twice.content.elements) == (once.place, once.content.elements)
