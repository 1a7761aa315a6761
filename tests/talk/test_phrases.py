"""Commands that a citizen sends as text."""

import pytest

from gateway.talk.phrases import Ask, Command, Rate, Stop, command_of
from normalizer.text import normalize_text

NUMBER = "20261122-000001-3"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"查询 {NUMBER}", Ask(number=NUMBER)),
        (f"查询{NUMBER}。", Ask(number=NUMBER)),
        ("查询202611220000013", Ask(number=NUMBER)),
        (f"查詢:{NUMBER} AB2CD3EF", Ask(number=NUMBER, code="AB2CD3EF")),
        ("查询工单编号：２０２６１１２２－０００００１－３", Ask(number=NUMBER)),
        ("查询", Ask()),
        ("进度?", Ask()),
        ("1", Rate(place=1)),
        (" 5。", Rate(place=5)),
        ("５", Rate(place=5)),
        ("评价 3分", Rate(place=3)),
        ("非常满意", Rate(rating="very_satisfied")),
        ("評價：不滿意", Rate(rating="dissatisfied")),
        ("t", Stop()),
        ("TD", Stop()),
        ("退订", Stop()),
    ],
)
def test_a_command_is_understood(text: str, expected: Command) -> None:
    """Full-width signs, missing hyphens, traditional characters and a full stop do no harm."""
    assert command_of(normalize_text(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "6",
        "0",
        "12",
        "1楼着火了",
        "查询一下我家什么时候来电",
        f"查询 {NUMBER} 怎么还没人来，家里进水了",
        "我非常不满意，你们派来的人把墙砸了",
        "退订不了怎么办",
        "T恤掉色",
        "满意个鬼",
    ],
)
def test_words_beside_it_make_a_message(text: str) -> None:
    """Whatever a human might have to read is no command."""
    assert command_of(normalize_text(text)) is None
