"""The citizen's number and its check digit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normalizer.number import check_digit, is_number, make, parse


@pytest.mark.parametrize(
    ("digits", "check"),
    [("7992739871", "3"), ("1789372997", "4"), ("0", "0"), ("18", "2"), ("", "0")],
)
def test_the_luhn_digit(digits: str, check: str) -> None:
    """The check digit is that of the formula's published examples."""
    assert check_digit(digits) == check


@pytest.mark.parametrize(
    ("count", "number"),
    [
        (1, "20261122-000001-2"),
        (123, "20261122-000123-4"),
        (999_999, "20261122-999999-0"),
        (1_000_000, "20261122-1000000-5"),
        (12_345_678, "20261122-12345678-6"),
    ],
)
def test_numbers_are_made(count: int, number: str) -> None:
    """A number has the day, at least six digits of the count, and the check digit of both."""
    assert make("20261122", count) == number
    day, middle, check = number.split("-")
    assert check_digit(day + middle) == check
    assert parse(number) == ("20261122", count)


@given(st.dates(), st.integers(1, 9_999_999_999))
def test_every_number_is_read_back(day: object, count: int) -> None:
    """What was made is well-formed and says the day and the count."""
    written = f"{day}".replace("-", "")
    assert parse(make(written, count)) == (written, count)


@given(st.integers(1, 9_999_999), st.data())
def test_a_wrong_digit_shows(count: int, data: st.DataObject) -> None:
    """Changing any single digit makes a number malformed."""
    number = make("20261122", count)
    places = [i for i, c in enumerate(number) if c != "-"]
    place = data.draw(st.sampled_from(places))
    other = data.draw(st.sampled_from([c for c in "0123456789" if c != number[place]]))
    assert not is_number(number[:place] + other + number[place + 1 :])


@pytest.mark.parametrize(
    "number",
    [
        "",
        "20261122",
        "20261122-000123",
        "20261122-000123-5",
        "20261122-000123-4 ",
        " 20261122-000123-4",
        "20261122-000123-4\n",
        "20261122–000123–4",
        "20261122 000123 4",
        "202611220001234",
        "2０261122-000123-4",
        "٢٠٢٦1122-000123-4",
        f"20261122-00123-{check_digit('2026112200123')}",
        f"20261122-0000123-{check_digit('202611220000123')}",
        f"20261122-000000-{check_digit('20261122000000')}",
        f"20261322-000123-{check_digit('20261322000123')}",
        f"20260230-000123-{check_digit('20260230000123')}",
        f"00000101-000123-{check_digit('00000101000123')}",
        f"20261122-{'9' * 11}-{check_digit('20261122' + '9' * 11)}",
        "20261122-" + "1" * 10_000 + "-1",
        "20261122-'; DROP TABLE tickets; --",
    ],
)
def test_malformed_numbers(number: str) -> None:
    """What is no number in exactly the published form is malformed."""
    assert not is_number(number)
    assert parse(number) is None
