"""Plates, cards, and the form of a text that logs may hold."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normalizer.identity import (
    check_digit,
    find_id_cards,
    find_identities,
    find_plates,
    for_the_public,
    mask,
)
from normalizer.number import make

#: The specimen of GB 11643-1999.
SPECIMEN = "11010519491231002X"


@pytest.mark.parametrize(
    ("text", "plate"),
    [
        ("皖L12345违停", "皖L12345"),
        ("皖L·12345", "皖L12345"),
        ("皖 l-12345 停车", "皖L12345"),
        ("蘇E·12345", "苏E12345"),
        ("京A1234警", "京A1234警"),
        ("皖L1234挂超载", "皖L1234挂"),
        ("沪A1234学", "沪A1234学"),
        ("粤Z1234港", "粤Z1234港"),
        ("粤Z·A123澳", "粤ZA123澳"),
        ("苏AD12345", "苏AD12345"),
        ("粤B12345D", "粤B12345D"),
        ("冀A·F1234", "冀AF1234"),
        ("WJ皖12345", "WJ皖12345"),
        ("使014001", "使014001"),
    ],
)
def test_plates(text: str, plate: str) -> None:
    """Cars, new-energy cars and lorries, trailers, police, coaches and both regions' plates."""
    (found,) = find_plates(text)
    assert (found.kind, found.value) == ("plate", plate)
    assert text[found.start : found.end] == found.text


@pytest.mark.parametrize(
    "text", ["新A座12345", "京A123456", "云南A12345", "川A楼", "皖LABCDE", "苏E1234"]
)
def test_what_is_no_plate(text: str) -> None:
    """Buildings, too many or too few characters and letters alone are none."""
    assert find_plates(text) == ()


@pytest.mark.parametrize("number", [SPECIMEN, "110105 19491231 002x", "110105491231002"])
def test_id_cards(number: str) -> None:
    """Eighteen digits with the right check digit, grouped or not, and the old fifteen."""
    (found,) = find_id_cards(f"身份证{number},谢谢")
    assert found.value == number.replace(" ", "").upper()
    assert found.text == number


@pytest.mark.parametrize(
    "number",
    [
        "110105194912310021",  # check digit
        "110105194913310027",  # month
        "110105194902300028",  # day
        "990105194912310027",  # province
        "110105179912310020",  # century
        "1101054912310021",  # length
        "990105491231002",
    ],
)
def test_what_is_no_id_card(number: str) -> None:
    """A wrong check digit, date, province or length is none."""
    assert find_id_cards(f"号码{number}") == ()


def test_check_digit_follows_the_standard() -> None:
    """ISO 7064 MOD 11-2 gives X for ten."""
    assert check_digit("11010519491231002") == "X"
    assert check_digit("34130219900101123") == "8"


def test_all_kinds_in_order() -> None:
    """Plates, cards and passports of one text come in order of place."""
    text = f"护照E12345678,车牌皖L12345,证件{SPECIMEN}"
    assert [found.kind for found in find_identities(text)] == ["passport", "plate", "id_card"]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("电话１３８００１３８０００", "电话138****8000"),
        ("138 0013 8000", "138****8000"),
        ("+86-138-0013-8000", "+138****8000"),
        ("1\u200b3800138000", "138****8000"),
        ("0557-3021234", "055****"),
        (SPECIMEN, "110105************"),
        ("卡6222 0213 8001 3800 000", "卡****0000"),
        ("一三八零零一三八零零零", "一三八****"),
        ("138零零一三八000", "138****"),
        ("皖L·12345", "皖L*****"),
        ("皖L幺二三四五", "皖L*****"),
        ("粤Z·1234港", "粤Z*****"),
        ("车牌号码:AB1234", "车牌号码:*****"),
        ("zhang.san@qq.com 你好", "z***@qq.com 你好"),
        ("13800138000@qq.com", "1***@qq.com"),
        ("护照E12345678", "护照E123****"),
        ("QQ:12345", "QQ:*****"),
        ("oABCDEFGHIJKLMNOPQRSTUVWXYZ1", "o***"),
        ("༡༣༨༠༠༡༣༨༠༠༠", "༡༣༨****"),
        ("19:30在3栋2单元501", "19:30在3栋2单元501"),
    ],
)
def test_mask_hides_who_it_is(text: str, masked: str) -> None:
    """Phones, cards, plates, addresses of e-mail and WeChat ids keep only what operators need."""
    assert mask(text) == masked


def test_mask_keeps_our_own_ids() -> None:
    """Ticket numbers, UUIDs and digests stay; a number with a wrong check digit is a stranger's."""
    number = make("20261122", 123)
    kept = f"{number} 019ab123-4567-7abc-8def-123456789012 {'0a' * 32}"
    assert mask(kept) == kept
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert mask(wrong) != wrong
    assert "0" * 20 not in mask("0" * 64)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(
    st.text(max_size=10),
    st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
    st.sampled_from(["", " ", "-", ".", "  "]),
    st.text(max_size=10),
)
def test_no_mobile_number_gets_through(before: str, number: str, gap: str, after: str) -> None:
    """In any surroundings the middle four digits are gone."""
    written = gap.join((number[:3], number[3:7], number[7:]))
    assert not re.search(
        gap.join(("", number[3:7], number[7:])), mask(f"{before} {written} {after}")
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("埇桥区汴河中路18号3单元502室", "埇桥区汴河中路18号**"),
        ("幸福家园3栋2-501漏水", "幸福家园3栋*漏水"),
        ("我叫王小明，路灯坏了", "我叫**,路灯坏了"),
        ("联系人：欧阳娜娜 13800138000", "联系人:** 138****8000"),
        ("王小明反映路灯坏了", "**反映路灯坏了"),
        ("三户人家没有户口", "*人家没有户口"),
        ("2路公交车3天没来，5楼有人看见", "2路公交车3天没来,5楼有人看见"),
    ],
)
def test_the_public_reads_of_no_home_and_no_name(text: str, shown: str) -> None:
    """What tells one home from others, and who speaks, is hidden beside what `mask` hides."""
    assert for_the_public(text, "王小明") == shown
