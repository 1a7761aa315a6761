"""Numbers as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normalizer.numeral import read_numeral


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0", 0),
        ("08", 8),
        ("12", 12),
        ("一", 1),
        ("两", 2),
        ("十", 10),
        ("十二", 12),
        ("二十", 20),
        ("九十九", 99),
        ("廿三", 23),
        ("百", 100),
        ("一百零五", 105),
        ("三百二十一", 321),
        ("两千", 2000),
        ("二〇二六", 2026),
        ("零五", 5),
    ],
)
def test_a_number_is_read(written: str, number: int) -> None:
    """ASCII digits, Chinese numerals and digits in a row."""
    assert read_numeral(written) == number


@pytest.mark.parametrize(
    "written",
    ["", "十几", "两三", "几", "零十", "二十二十", "\u00b2", "1.5", "-1", "1" * 20, "十千"],
)
def test_what_tells_no_one_number_is_none(written: str) -> None:
    """Nothing is guessed."""
    assert read_numeral(written) is None


@given(st.text(alphabet="零〇一二两三四五六七八九十百千廿卅0123456789x", max_size=12))
def test_any_text_is_read(written: str) -> None:
    """No text raises."""
    number = read_numeral(written)
    assert number is None or number >= 0
