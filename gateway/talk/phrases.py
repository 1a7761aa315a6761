"""Commands that a citizen can send as text: ask for progress, rate an answer, want no more notices.

Source: contract section 5. A message is a command only as a whole: words beside it may tell of
something that a human must read.
"""

import re
from typing import TypeAlias

from normalizer.schema import Value

_NUMBER = r"[0-9]{8}-?[0-9]{6,12}-?[0-9]"
_ASK = re.compile(
    rf"(?:查询|查詢|查一?下|进度|進度)(?:工单|工單|进度|進度|编号|編號|号码)*[\s::,，#]*"
    rf"(?:(?P<number>{_NUMBER})(?:[\s,，]+(?P<code>[A-Za-z0-9]{{8}}))?)?[\s。.!！?？]*",
)
_GRADE = re.compile(r"(?:评价|評價)?[\s::]*(?P<grade>[1-5])[\s。.!！分]*")
_STOP = re.compile(r"(?:T|TD|N|退订|退訂|取消订阅)[\s。.!！]*", re.IGNORECASE)
_IN_WORDS = re.compile(r"(?:评价|評價)?[\s::]*(?P<word>[\u4e00-\u9fff]{2,5})[\s。.!！]*")
#: A grade in words; with its synonyms in traditional writing.
_WORDS = {
    "非常满意": "very_satisfied",
    "非常滿意": "very_satisfied",
    "满意": "satisfied",
    "滿意": "satisfied",
    "基本满意": "basically_satisfied",
    "基本滿意": "basically_satisfied",
    "不满意": "dissatisfied",
    "不滿意": "dissatisfied",
    "非常不满意": "very_dissatisfied",
    "非常不滿意": "very_dissatisfied",
}


class Ask(Value, frozen=True, kw_only=True):
    """Where does my matter stand?"""

    number: str | None = None  #: None: the newest of this conversation
    code: str | None = None  #: opens a ticket of another conversation


class Rate(Value, frozen=True, kw_only=True):
    """How content the citizen is with the answer."""

    place: int | None = None  #: on the region's scale, the best is 1
    rating: str | None = None  #: in words


class Stop(Value, frozen=True, kw_only=True):
    """No notices any more, please."""


Command: TypeAlias = Ask | Rate | Stop


def command_of(text: str) -> Command | None:
    """Return the command that a whole message is; None for everything else.

    Args:
        text: Normalized (`normalizer.text.normalize_text`), so full-width digits are plain.
    """
    text = text.strip()
    if found := _ASK.fullmatch(text):
        number = found["number"]
        return Ask(number=_hyphened(number) if number else None, code=found["code"])
    if found := _GRADE.fullmatch(text):
        return Rate(place=int(found["grade"]))
    if (found := _IN_WORDS.fullmatch(text)) and found["word"] in _WORDS:
        return Rate(rating=_WORDS[found["word"]])
    return Stop() if _STOP.fullmatch(text) else None


def _hyphened(number: str) -> str:
    """Return a number with its hyphens, which are hard to type on some telephones."""
    digits = number.replace("-", "")
    return f"{digits[:8]}-{digits[8:-1]}-{digits[-1]}"
