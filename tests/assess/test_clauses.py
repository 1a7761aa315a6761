"""Clauses, phrases with an ellipsis, and what a frame reaches."""

from collections.abc import Callable

import pytest

from gateway.judge.assess import assess
from gateway.judge.clauses import read
from gateway.judge.rulebook import Rulebook
from normalizer.schema import Judged, Urgency

Small = Callable[[str], Rulebook]
FRAME = "frames:\n  it: {{against: all, reach: {reach}, phrases: [去年]}}\n"


def verdict(judged: Judged) -> str:
    """Return the urgency in one word."""
    return "shown" if judged.verify else str(judged.urgency)


@pytest.mark.parametrize(
    ("reach", "text", "expected"),
    [
        ("next", "去年着火了", "normal"),
        ("next", "去年楼上着火了", "emergency"),
        ("clause", "着火了去年", "normal"),
        ("clause", "去年修的楼,着火了", "emergency"),
        ("onward", "去年修的楼,着火了", "normal"),
        ("onward", "着火了,去年修的楼", "emergency"),
        ("onward", "去年修的楼。着火了", "emergency"),
        ("sentence", "着火了,去年修的楼", "normal"),
        ("sentence", "着火了。去年修的楼", "emergency"),
        ("text", "着火了。去年修的楼", "shown"),
    ],
)
def test_reach(small: Small, reach: str, text: str, expected: str) -> None:
    """A frame cancels what its reach says; what reaches the whole text only sends it to a human."""
    assert verdict(assess(text, text, small(FRAME.format(reach=reach)))) == expected


def test_a_later_now_ends_an_earlier_frame(small: Small) -> None:
    """What was long ago does not cancel what happens in a later clause opened by 刚才."""
    rulebook = small(FRAME.format(reach="onward"))
    assert verdict(assess("去年反映过刚才着火了", "去年反映过刚才着火了", rulebook)) == "emergency"


def test_now_also_ends_the_reach_of_a_whole_text_frame(small: Small) -> None:
    """刚才 in the happening's own clause outweighs the kind of text it stands in."""
    rulebook = small(FRAME.format(reach="text"))
    assert verdict(assess("去年的事。刚才着火了", "去年的事。刚才着火了", rulebook)) == "emergency"


def test_a_frame_reaches_sixty_characters(small: Small) -> None:
    """Speech recognition leaves no punctuation: a frame far away says nothing."""
    rulebook = small(FRAME.format(reach="sentence"))
    near, far = "去年" + "那" * 50 + "着火了", "去年" + "那" * 80 + "着火了"
    assert verdict(assess(near, near, rulebook)) == "normal"
    # the clause is the same, so only the distance speaks
    assert verdict(assess(far, far, rulebook)) == "emergency"


def test_a_weak_frame_leaves_what_is_certain_to_a_human(small: Small) -> None:
    """Only `against: all` cancels a certain happening."""
    rulebook = small("frames:\n  it: {against: much, reach: clause, phrases: [投诉]}\n")
    assert verdict(assess("投诉着火了", "投诉着火了", rulebook)) == "shown"
    assert verdict(assess("投诉冒烟", "投诉冒烟", rulebook)) == "normal"


def test_a_frame_for_some_kinds_leaves_the_others(small: Small) -> None:
    """A frame with `only` speaks against the kinds it names."""
    rulebook = small(
        "frames:\n  it: {against: all, reach: clause, only: [hurt], phrases: [找到]}\n"
    )
    assert verdict(assess("找到着火了", "找到着火了", rulebook)) == "emergency"
    assert verdict(assess("找到受伤快来", "找到受伤快来", rulebook)) == "normal"


def test_nothing_cancels_always(small: Small) -> None:
    """A cry for help is never cancelled by what stands around it."""
    rulebook = small(FRAME.format(reach="clause"))
    assert verdict(assess("去年救命啊", "去年救命啊", rulebook)) == "emergency"


@pytest.mark.parametrize("text", ["救命啊呀", "好救命啊", "x救命啊呀"])
def test_a_mask_covers_what_it_holds(small: Small, text: str) -> None:
    """A figure of speech hides the phrase inside it, and the one that it cuts."""
    mask = "frames:\n  it: {against: all, reach: phrase, phrases: [救命啊呀, 好救命]}\n"
    assert verdict(assess(text, text, small(mask))) == "normal"


def test_parts_of_a_phrase_stand_near_in_one_sentence(small: Small) -> None:
    """An ellipsis spans some characters, weaker across a comma, never a full stop."""
    rulebook = small("")
    tiers = {
        text: [hit[2].tier for hit in read(text, rulebook).happenings]
        for text in ("点了火", "点了,火", "点了。火", "点" + "那" * 11 + "火")
    }
    assert list(tiers.values()) == [["certain"], ["likely"], [], []]


def test_what_is_told_of_today_is_looked_at(small: Small) -> None:
    """A letter's frame does not silence what happened today in the same sentence; `all` does."""
    rulebook = small(
        "signs:\n  today: {weight: always, today: yes, phrases: [今天]}\n"
        "frames:\n  habit: {against: much, reach: sentence, phrases: [经常]}\n"
        "  maybe: {against: all, reach: sentence, phrases: [如果]}\n"
    )
    assert verdict(assess("经常有人着火", "经常有人着火", rulebook)) == "normal"
    for text, expected in (
        ("今天又着火经常这样", "shown"),
        ("今天开会。又着火经常这样", "normal"),
        ("今天如果着火经常这样", "normal"),
        ("着火经常这样今天说", "normal"),
        ("今天有人受伤经常这样", "shown"),
    ):
        assert verdict(assess(text, text, rulebook)) == expected, text


def test_latin_phrases_are_whole_words(small: Small) -> None:
    """An English word is not found inside another."""
    rulebook = small("happenings:\n  fire: {certain: [fire, on fire]}\n")
    assert verdict(assess("fire!", "fire!", rulebook)) == "emergency"
    for text in ("fired", "sapfire", "fire2"):
        assert verdict(assess(text, text, rulebook)) == "normal"
    assert verdict(assess("有fire快", "有fire快", rulebook)) == "emergency"


def test_a_whole_message_is_compared_without_punctuation(small: Small) -> None:
    """A word that says nothing in a sentence may say everything alone."""
    rulebook = small("")
    assert assess("火警!!", "火警!!", rulebook).urgency is Urgency.EMERGENCY
    assert assess("火警电话是多少", "火警电话是多少", rulebook).urgency is Urgency.NORMAL


def test_many_small_things_make_no_emergency(small: Small) -> None:
    """What is only possible reaches a human however much stands beside it."""
    text = "冒烟冒烟快来刚才冒烟"
    assert verdict(assess(text, text, small(""))) == "shown"


def test_an_urgent_kind_is_never_an_emergency(small: Small) -> None:
    """A burst pipe needs its utility soon, and no desk."""
    judged = assess("爆管快来", "爆管快来", small(""))
    assert (judged.urgency, judged.verify, judged.services) == (Urgency.URGENT, False, ("water",))
