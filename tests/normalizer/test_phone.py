"""Phone numbers as citizens write them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normalizer.phone import find_phones, own_phone, to_e164
from normalizer.text import normalize_text

AREA = "0557"
MOBILE = "+8613800138000"


@pytest.mark.parametrize(
    "raw",
    [
        "13800138000",
        "138 0013 8000",
        "138-0013-8000",
        "1 3 8 0 0 1 3 8 0 0 0",
        "+86 138 0013 8000",
        "+8613800138000",
        "86-13800138000",
        "8613800138000",
        "008613800138000",
        "013800138000",
        "１３８　００１３　８０００",
        "tel:+86-138-0013-8000",
        "一三八零零一三八零零零",
        "幺三八〇〇幺三八〇〇〇",
        " 13800138000 ",
    ],
)
def test_mainland_mobile_in_every_writing(raw: str) -> None:
    """Prefix, grouping and width do not matter."""
    assert to_e164(raw, None) == MOBILE


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("(0557)3021234", "+865573021234"),
        ("0557-3021234", "+865573021234"),
        ("05573021234", "+865573021234"),
        ("0557-3021234转801", "+865573021234"),
        ("0557-3021234-801", "+865573021234"),
        ("0557-3021234 ext. 801", "+865573021234"),
        ("+86 557 302 1234", "+865573021234"),
        ("010-62345678", "+861062345678"),
        ("+86 (0)10 6234 5678", "+861062345678"),
        ("021 6123 4567", "+862161234567"),
        ("0631-3021234", "+866313021234"),
        ("3021234", "+865573021234"),
        ("302-1234", "+865573021234"),
    ],
)
def test_fixed_numbers(raw: str, number: str) -> None:
    """An area code loses its 0, a local number takes the city's, an extension is dropped."""
    assert to_e164(raw, AREA) == number


def test_a_local_number_needs_a_city() -> None:
    """Without an area code of the instance, seven digits say nothing; the 0 may be left out."""
    assert to_e164("3021234", None) is None
    assert to_e164("3021234", "557") == "+865573021234"
    assert to_e164("3021234", "010") is None  # Peking's numbers have eight digits


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("+852 9123 4567", "+85291234567"),
        ("00852-91234567", "+85291234567"),
        ("85291234567", "+85291234567"),
        ("+853 6612 3456", "+85366123456"),
        ("85366123456", "+85366123456"),
        ("+886 912 345 678", "+886912345678"),
        ("+886 0912-345-678", "+886912345678"),
        ("886912345678", "+886912345678"),
        ("+1 650 253 0000", "+16502530000"),
        ("+44 20 7031 3000", "+442070313000"),
    ],
)
def test_numbers_from_elsewhere(raw: str, number: str) -> None:
    """Hong Kong, Macao and Taiwan with or without a plus, all other countries with one."""
    assert to_e164(raw, AREA) == number


@pytest.mark.parametrize(
    "raw",
    [
        *("", "+", "无", "不方便透露", "0" * 30, "1" * 65, "\ud800", "\x00"),
        *("110", "119", "12345", "95588", "10086", "96119", "106912345", "1069123456"),
        *("4008123456", "400-812-3456", "+86 400 812 3456", "04008234567", "8008101234"),
        *("138****8000", "1380013800", "138001380001", "23800138000", "12800138000"),
        *("+852 123", "+99912345678", "٣٠٢١٢٣٤", "3021234abc", "1234567", "0557-1234567"),
    ],
)
def test_what_is_no_citizens_number(raw: str) -> None:
    """Service numbers, masked and mistyped ones and other words have no E.164."""
    assert to_e164(raw, AREA) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("电话13800138000,谢谢", [("13800138000", MOBILE)]),
        ("张三13800138000", [("13800138000", MOBILE)]),
        ("我的电话是138-0013-8000。", [("138-0013-8000", MOBILE)]),
        ("138 0013 8000 2栋", [("138 0013 8000", MOBILE)]),
        ("2026-11-22 13800138000", [("13800138000", MOBILE)]),
        (
            "1.13800138000 2.13900139000",
            [("13800138000", MOBILE), ("13900139000", "+8613900139000")],
        ),
        ("13800138000 13900139000", [("13800138000", MOBILE), ("13900139000", "+8613900139000")]),
        ("120m²13800138000", [("13800138000", MOBILE)]),
        ("138.0013.8000", [("138.0013.8000", MOBILE)]),
        ("tel13800138000", [("13800138000", MOBILE)]),
        ("打一三八零零一三八零零零", [("一三八零零一三八零零零", MOBILE)]),
        ("座机3021234", [("3021234", "+865573021234")]),
        ("电话:(0557)3021234转801或", [("(0557)3021234转801", "+865573021234")]),
        ("香港 +852 9123 4567", [("+852 9123 4567", "+85291234567")]),
    ],
)
def test_phones_in_a_text(text: str, found: list[tuple[str, str]]) -> None:
    """Every phone is found with the span it was written in."""
    phones = find_phones(text, AREA)
    assert [(phone.text, phone.value) for phone in phones] == found
    assert all(text[phone.start : phone.end] == phone.text for phone in phones)
    assert {phone.kind for phone in phones} == {"phone"}


@pytest.mark.parametrize(
    "text",
    [
        "打了110和12345都没人管,10086也是",
        "拨打400-823-4567没人接,拨打400 823 4567",
        "身份证341302199001011238",
        "银行卡6222 0213 8001 3800 000",
        "订单号13800138000",
        "快递单号:13800138000123",
        "欠我13800138000元",
        "欠我3021234元",
        "电话 20261122",
        "13800138000@qq.com",
        "型号abc13800138000",
        "2026年11月22日19:30,3栋2单元501",
        "一二三四五六七八九十一二",
        "1971.12-1972.1在县粮食局",
        "1" * 500,
    ],
)
def test_digits_that_are_no_phone(text: str) -> None:
    """Service numbers, cards, orders, amounts, dates and addresses are not taken for phones."""
    assert find_phones(text, AREA) == ()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("我的电话是13800138000", MOBILE),
        ("请联系我,电话:138 0013 8000", MOBILE),
        ("我电话13800138000,老板电话13900139000", MOBILE),
        ("给我回电0557-3021234", "+865573021234"),
        ("本人手机号码为:一三八零零一三八零零零", MOBILE),
        ("商家电话13800138000", None),
        ("联系电话13800138000", None),
        ("我打电话给老板13900139000", None),
        ("我的手机被偷了,小偷的号码13900139000", None),
        ("我的电话13800138000,我的手机13900139000", None),
        ("我的电话", None),
    ],
)
def test_only_the_first_person_owns_a_number(text: str, number: str | None) -> None:
    """A number is the citizen's where they say so; a shop's is never taken for it."""
    assert own_phone(text, AREA) == number


@settings(derandomize=True, max_examples=150, deadline=None)
@given(
    st.text(
        alphabet=st.one_of(st.characters(), st.sampled_from("0138一幺零 -()+.转元电话")),
        max_size=40,
    )
)
def test_any_text_gives_spans_and_e164(raw: str) -> None:
    """No input fails; what is found lies in order, apart, and in E.164."""
    text = normalize_text(raw)
    phones = find_phones(text, AREA)
    ends = [0, *(phone.end for phone in phones)]
    assert all(phone.start >= end for phone, end in zip(phones, ends, strict=False))
    for value in [to_e164(raw, AREA) or MOBILE, *(phone.value for phone in phones)]:
        assert value.startswith("+")
        assert value[1:].isascii()
        assert value[1:].isdigit()
        assert 8 <= len(value) <= 16
