"""Reading of a form's fields."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.web.submission import Submission, check_form, decode_form
from normalizer.errors import Malformed, Oversized
from normalizer.schema import RequestType

ZONE = ZoneInfo("Asia/Shanghai")
TEXT = "小区停水两天了。"


def test_a_browsers_empty_form_fields_are_unknown() -> None:
    """Inputs left empty are not values."""
    empty = dict.fromkeys(Submission.__struct_fields__, "")
    assert decode_form({**empty, "text": TEXT}, ZONE) == Submission(text=TEXT)


def test_line_ends_of_a_browser_count_once() -> None:
    """CR LF of a form is one line end, so 20,000 typed characters fit."""
    typed = "一\n" * 10_000
    assert decode_form({"text": typed.replace("\n", "\r\n")}).text == typed


@pytest.mark.parametrize("word", ["on", "true", "1", "yes", "TRUE", " on "])
def test_ticked_boxes_are_true(word: str) -> None:
    """What browsers and clients write for a ticked box is true."""
    assert decode_form({"text": TEXT, "anonymous": word}).anonymous


@pytest.mark.parametrize("word", ["off", "false", "0", "no", ""])
def test_other_boxes_are_false(word: str) -> None:
    """What they write for the other case is false."""
    assert not decode_form({"text": TEXT, "anonymous": word}).anonymous


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-11-22T10:00", datetime(2026, 11, 22, 2, 0, tzinfo=UTC)),
        ("2026-11-22 10:00:30", datetime(2026, 11, 22, 2, 0, 30, tzinfo=UTC)),
        ("2026-11-22T10:00:00+09:00", datetime(2026, 11, 22, 1, 0, tzinfo=UTC)),
        ("2026-11-22t02:00:00z", datetime(2026, 11, 22, 2, 0, tzinfo=UTC)),
    ],
)
def test_a_forms_time_is_in_the_zone_unless_it_says_otherwise(
    written: str, instant: datetime
) -> None:
    """A time without an offset is the instance's; one with an offset keeps it."""
    assert decode_form({"text": TEXT, "occurred_at": written}, ZONE).occurred_at == instant


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-22",
        "20261122T1000",
        "2026-W47-7T10:00",
        "2026-13-01T10:00",
        "10:00",
        "0000-01-01T00:00",
    ],
)
def test_other_times_are_malformed(written: str) -> None:
    """Only dates with a time of day in RFC 3339's shape are taken."""
    with pytest.raises(Malformed) as caught:
        decode_form({"text": TEXT, "occurred_at": written}, ZONE)
    assert caught.value.field == "occurred_at"


def test_a_time_without_offset_needs_a_zone() -> None:
    """The API has no page around it that says whose clock is meant."""
    with pytest.raises(Malformed) as caught:
        decode_form({"text": TEXT, "occurred_at": "2026-11-22T10:00"})
    assert caught.value.field == "occurred_at"


@pytest.mark.parametrize(
    "value", ["nan", "inf", "1e3", "1_0", "٣٣", "33.6°", "91", "-90.5", "0x10"]
)
def test_only_plain_degrees_are_a_latitude(value: str) -> None:
    """What float() would take beside decimal degrees is refused."""
    with pytest.raises(Malformed) as caught:
        decode_form({"text": TEXT, "latitude": value, "longitude": "117"})
    assert caught.value.field == "latitude"


def test_coordinates_and_type_are_read() -> None:
    """Degrees and the type arrive as values."""
    got = decode_form({"text": TEXT, "latitude": "33.64", "longitude": "-116.9", "type": "report"})
    assert (got.latitude, got.longitude, got.type) == (33.64, -116.9, RequestType.REPORT)


def test_everything_wrong_is_told_at_once() -> None:
    """A page can show every wrong field, in the order of the form."""
    found = check_form(
        {"text": " ", "title": "x" * 201, "email": "x", "type": "x", "occurred_at": "x"}, ZONE
    )
    assert not isinstance(found, Submission)
    assert [(error.field, type(error)) for error in found] == [
        ("text", Malformed),
        ("title", Oversized),
        ("type", Malformed),
        ("occurred_at", Malformed),
        ("email", Malformed),
    ]


def test_half_a_surrogate_pair_is_refused() -> None:
    """What cannot be written as UTF-8 never reaches the store."""
    with pytest.raises(Malformed) as caught:
        decode_form({"text": "a\ud800"})
    assert caught.value.field == "body"


@given(
    st.dictionaries(
        st.sampled_from(Submission.__struct_fields__) | st.text(max_size=3), st.text(max_size=30)
    )
)
def test_random_fields_raise_declared_errors_only(fields: dict[str, str]) -> None:
    """No field makes the reader raise anything but our errors, and the text stays literal."""
    found = check_form(fields, ZONE)
    if isinstance(found, Submission):
        assert found.text == fields["text"].replace("\r\n", "\n")
    else:
        assert found
