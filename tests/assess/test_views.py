"""Words taken apart are read as words, and the evidence quotes what was written."""

import pytest

from gateway.judge.views import joined
from tests.assess.conftest import Judge


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("着 火 了", "着火了"),
        ("救*命*啊!", "救命啊!"),
        ("我家 着 火 了,快来", "我家着火了,快来"),
        ("有人扌丁人", "有人打人"),
    ],
)
def test_what_was_taken_apart_is_put_together(written: str, read: str) -> None:
    """Each character of the result knows where it stood."""
    text, places = joined(written)
    assert text == read
    assert places is not None
    assert len(places) == len(text) + 1
    assert all(text[at] == written[places[at]] for at in range(len(text)) if text[at] != "打")


@pytest.mark.parametrize(
    "text", ["", "你好 我想问一下", "东、西、南、北四个区", "a b c d", "3.5 - 4.5", "住 在 北京"]
)
def test_what_is_whole_stays(text: str) -> None:
    """Lists, sentences and numbers are left alone."""
    assert joined(text) == (text, None)


def test_evidence_quotes_what_was_written(judge: Judge) -> None:
    """The span in the ticket's text holds the signs between the characters too."""
    judged = judge("三楼 着 火 了,里面有人")
    assert judged.urgency == "emergency"
    assert "着 火 了" in {item.text for item in judged.evidence}
