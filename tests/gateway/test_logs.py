"""Structured logs: one JSON object a line, and nothing of a citizen's in it."""

import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from gateway import logs

WORDS = "我叫某某，电话13800138000，家住汴河路88号"
ID_CARD = "11010519491231002X"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Send every record of the test to a stream, and put the handlers back afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    out = io.StringIO()
    logs.configure(out)
    yield out
    root.handlers[:] = before
    root.setLevel(level)
    logging.getLogger("aiohttp.access").disabled = False


def line(stream: io.StringIO) -> dict[str, Any]:
    """Return the one line that was logged."""
    text = stream.getvalue()
    assert text.endswith("\n")
    assert text.count("\n") == 1
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_line_names_event_place_level_and_time(stream: io.StringIO) -> None:
    """A machine can read every line without guessing."""
    logging.getLogger("gateway.accept").info("ticket.accepted", extra={"number": "n", "count": 3})
    found = line(stream)
    assert found["event"] == "ticket.accepted"
    assert found["logger"] == "gateway.accept"
    assert found["level"] == "info"
    assert datetime.fromisoformat(found["at"]).utcoffset() is not None
    assert (found["number"], found["count"]) == ("n", 3)


def test_chinese_stays_readable(stream: io.StringIO) -> None:
    """An operator reads names of units and streets as they are."""
    logging.getLogger("gateway").info("x", extra={"unit": "市城管局"})
    assert "市城管局" in stream.getvalue()


def test_numbers_of_citizens_are_masked_wherever_they_stand(stream: io.StringIO) -> None:
    """A field that holds a telephone or identity number by mistake does not give it away."""
    logging.getLogger("gateway").warning("x", extra={"why": f"{WORDS} {ID_CARD} 皖L12345"})
    text = stream.getvalue()
    assert "13800138000" not in text
    assert ID_CARD not in text
    assert "皖L12345" not in text


def test_values_that_are_no_text_are_masked_too(stream: io.StringIO) -> None:
    """A list or an object is shown as text, with its numbers masked."""
    logging.getLogger("gateway").warning(
        "x", extra={"seen": ["13800138000"], "who": {"p": "+8613800138000"}}
    )
    assert "13800138000" not in stream.getvalue()


def test_an_errors_words_are_not_logged(stream: io.StringIO) -> None:
    """An exception may quote a citizen: its type and place are enough."""

    def read() -> None:
        raise ValueError(f"cannot read {WORDS}") from LookupError(WORDS)

    try:
        read()
    except ValueError:
        logging.getLogger("gateway.http").exception("http.failed")
    text = stream.getvalue()
    found = line(stream)
    assert found["error"] == "ValueError"
    assert re.fullmatch(r"(\w+/)?test_logs\.py:\d+ read", found["trace"][-1])
    for secret in ("某某", "汴河路", "138", "cannot read"):
        assert secret not in text


def test_a_deep_trace_is_cut_to_its_inner_end(stream: io.StringIO) -> None:
    """The frames nearest to the fault are those that help."""

    def down(n: int) -> None:
        if n == 0:
            raise RuntimeError
        down(n - 1)

    try:
        down(40)
    except RuntimeError:
        logging.getLogger("gateway").exception("x")
    trace = line(stream)["trace"]
    assert len(trace) == 8
    assert all(frame.endswith(" down") for frame in trace)


def test_line_breaks_cannot_forge_a_line(stream: io.StringIO) -> None:
    """Whoever writes a log's field cannot write a second line."""
    logging.getLogger("gateway").info("x", extra={"why": 'a\n{"event": "forged"}'})
    assert line(stream)["why"] == 'a\n{"event": "forged"}'


def test_configuring_replaces_every_other_handler(stream: io.StringIO) -> None:
    """No library's handler writes a second, unmasked copy; requests are not logged one by one."""
    second = io.StringIO()
    logs.configure(second)
    logging.getLogger("gateway").info("x")
    assert stream.getvalue() == ""
    assert json.loads(second.getvalue())["event"] == "x"
    assert logging.getLogger("aiohttp.access").disabled


def test_details_for_programmers_are_left_out(stream: io.StringIO) -> None:
    """Below the level nothing is written."""
    logging.getLogger("gateway").debug("x", extra={"text": WORDS})
    assert stream.getvalue() == ""
