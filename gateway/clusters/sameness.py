"""Whether two ordinary tickets tell of one matter: pure.

Wording alone is not enough: two citizens write of one building site in quite different words, and
two sites are written of alike. So a place that both name decides first, with the field and some
common words; without one it takes a title and words that are nearly the same. Linking hides
nothing, as joining emergencies would: each ticket stays its own.
"""

import re
from datetime import datetime, timedelta
from hashlib import blake2b

from normalizer.likeness import same_place
from normalizer.schema import Domain, Place, Ticket, Value
from normalizer.text import fold

#: How long after a cluster's last report another one joins it.
WINDOW = timedelta(days=30)
#: Likeness from which two tickets are of one matter.
ONE_MATTER = 0.5
#: Share of common trigrams from which two texts are one, whatever they name.
_ONE_TEXT = 0.5
#: Likeness of places from which they are one, and below which they are two: `same_place`.
_ONE_PLACE, _TWO_PLACES = 0.8, 0.3
#: Cosine of the words that two reports of one place and field share at least, and of title and
#: words together where no place speaks for them. Measured: reports of one event in other words have
#: a median of 0.13, and 0.35 of both found the two great events of 4,326 messages.
_ONE_TOPIC, _ONE_WORDING = 0.1, 0.35
#: Trigrams from which a text tells a matter without a place: 路灯不亮 is said of every street.
_TELLING = 20
#: Characters of a text that are compared.
_COMPARED = 400
#: Smallest hashes of a text's trigrams that are kept to find it again: of two texts that share
#: half of their trigrams, all but one in ten million share one of them.
_SKETCH = 24
_PLAIN = re.compile(r"[\W_]+")
#: Pairs of characters that most letters hold.
_POLITE = frozenset(
    [
        "您好",
        "你好",
        "尊敬",
        "领导",
        "市长",
        "书记",
        "工作",
        "人员",
        "希望",
        "请问",
        "感谢",
        "谢谢",
        "反映",
        "投诉",
        "咨询",
        "建议",
        "求助",
        "问题",
        "情况",
        "关于",
        "我们",
        "他们",
        "有关",
        "部门",
        "处理",
        "解决",
        "尽快",
        "市民",
        "来电",
        "热线",
        "能否",
        "是否",
        "可以",
        "现在",
        "一直",
        "没有",
        "这个",
        "什么",
        "怎么",
        "为什",
        "什么",
    ]
)


class Sketch(Value, frozen=True, kw_only=True):
    """What one ticket leaves to be compared with."""

    number: str
    at: datetime
    domain: Domain
    place: Place
    title: frozenset[str]  #: pairs of characters
    words: frozenset[str]  #: likewise, of the text
    trigrams: frozenset[str]
    marks: tuple[int, ...]  #: by which it is found: hashes of trigrams and of the place's pairs
    sender: str | None  #: the same for one citizen's tickets; None: who cannot be told from others


def sketch_of(number: str, ticket: Ticket) -> Sketch:
    """Return what is compared of a ticket."""
    text = _PLAIN.sub("", fold(ticket.content.text))[:_COMPARED]
    trigrams = frozenset(text[at : at + 3] for at in range(len(text) - 2))
    hashes = sorted(_hash(trigram) for trigram in trigrams)[:_SKETCH]
    place = _PLAIN.sub("", fold(ticket.place.text or ""))
    by_place = {_hash(f"@{place[at : at + 3]}") for at in range(len(place) - 2)}
    who, came_by = ticket.requester, ticket.channel
    return Sketch(
        number=number,
        at=ticket.received_at,
        domain=ticket.domain,
        place=ticket.place,
        title=_pairs(_PLAIN.sub("", fold(ticket.content.title or ""))),
        words=_pairs(text),
        trigrams=trigrams,
        marks=(*hashes, *sorted(by_place)[:_SKETCH]),
        sender=who.phone or who.wechat or who.email or came_by.thread,
    )


def likeness(one: Sketch, other: Sketch) -> float:
    """Return how surely two tickets tell of one matter, 0 to 1; from `ONE_MATTER` on they do."""
    if abs(one.at - other.at) > WINDOW:
        return 0.0
    told = bool(one.place.text and other.place.text)
    place = same_place(one.place, other.place) if told else None
    if place is None:
        return _by_words(one, other)
    return 0.0 if place < _TWO_PLACES else _by_place(one, other, place)


def _by_place(one: Sketch, other: Sketch, place: float) -> float:
    """Return the likeness of two tickets whose places may be one."""
    text = _jaccard(one.trigrams, other.trigrams)
    if place < _ONE_PLACE:
        return _by_words(one, other)
    if text >= _ONE_TEXT:
        return text
    same_topic = _one_field(one, other) and _cosine(one.words, other.words) >= _ONE_TOPIC
    return place if same_topic else 0.0


def _by_words(one: Sketch, other: Sketch) -> float:
    """Return the likeness of two tickets that no common place speaks for."""
    if min(len(one.trigrams), len(other.trigrams)) < _TELLING:
        return 0.0
    text = _jaccard(one.trigrams, other.trigrams)
    if text >= _ONE_TEXT or not _one_field(one, other):
        return text if text >= _ONE_TEXT else 0.0
    both = (_cosine(one.words, other.words) + _cosine(one.title, other.title)) / 2
    return max(ONE_MATTER, both) if both >= _ONE_WORDING else 0.0


def _one_field(one: Sketch, other: Sketch) -> bool:
    return one.domain is other.domain and one.domain is not Domain.OTHER


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    shared = len(one & other)
    every = len(one) + len(other) - shared
    return shared / every if every else 0.0


def _pairs(text: str) -> frozenset[str]:
    return frozenset(text[at : at + 2] for at in range(len(text) - 1)) - _POLITE


def _cosine(one: frozenset[str], other: frozenset[str]) -> float:
    if not one or not other:
        return 0.0
    return float(len(one & other) / (len(one) * len(other)) ** 0.5)


def _hash(text: str) -> int:
    # The same in every process: a restart must find what it knew.
    return int.from_bytes(blake2b(text.encode(errors="replace"), digest_size=6).digest())
