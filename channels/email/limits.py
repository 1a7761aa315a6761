"""How often one sender is answered by machine: what keeps two robots from talking for ever.

Source: contract section 5: at most three an hour and then one an hour; RFC 3834 §2 and §6.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence

from normalizer.schema import Value

_HOUR = 3600.0
#: Senders that are remembered.
_KEPT = 100_000
#: Answers at once to one sender, and to strangers of one domain who cite what is not theirs.
SENDER = 3
#: The same to any senders of one domain who all write the same but for digits.
TEMPLATE = 10
_CHANGING = re.compile(r"[\d\W_]+")


class Key(Value, frozen=True, kw_only=True):
    """What answers are counted by."""

    name: str
    most: int


class AnswerLimits:
    """Counts answers: a bucket of a few, filled again by one an hour.

    Args:
        monotonic: Seconds that only grow.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._began = monotonic()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, keys: Sequence[Key]) -> bool:
        """Return whether one more answer is allowed by every key, and count it if it is."""
        now = self._monotonic()
        left = [self._left(key, now) for key in keys]
        if any(each < 1 for each in left):
            return False
        for key, each in zip(keys, left, strict=True):
            self._put(key.name, each - 1, now)
        return True

    def forgot(self, sender: str) -> bool:
        """Return whether a sender may have been answered before this process began."""
        return self._monotonic() - self._began < _HOUR and _name_of(sender) not in self._buckets

    def recall(self, sender: str, answered: int) -> None:
        """Count what a sender was answered in the last hour, unless it is known meanwhile."""
        if self.forgot(sender):
            self._put(_name_of(sender), float(max(0, SENDER - answered)), self._monotonic())

    def give_back(self, keys: Sequence[Key]) -> None:
        """Uncount an answer that was not given."""
        now = self._monotonic()
        for key in keys:
            self._put(key.name, min(float(key.most), self._left(key, now) + 1), now)

    def _left(self, key: Key, now: float) -> float:
        left, at = self._buckets.get(key.name, (float(key.most), now))
        return min(float(key.most), left + (now - at) / _HOUR)

    def _put(self, name: str, left: float, now: float) -> None:
        self._buckets[name] = (left, now)
        self._buckets.move_to_end(name)
        if len(self._buckets) > _KEPT:
            self._buckets.popitem(last=False)


def _name_of(sender: str) -> str:
    return f"sender:{sender}"


def keys_of(sender: str, text: str, *, stranger: bool) -> tuple[Key, ...]:
    """Return what an answer to a sender is counted by.

    Args:
        sender: The address that the answer goes to.
        text: Of the mail: a robot's is the same each time but for its numbers, whatever address
            it takes for each answer.
        stranger: It cites a ticket of somebody else.
    """
    domain = sender.rpartition("@")[2]
    form = hashlib.sha256(_CHANGING.sub("", text)[:4000].encode("utf-8", "replace")).hexdigest()
    keys = [
        Key(name=_name_of(sender), most=SENDER),
        Key(name=f"form:{domain}:{form[:24]}", most=TEMPLATE),
    ]
    if stranger:
        keys.append(Key(name=f"stranger:{domain}", most=SENDER))
    return tuple(keys)
