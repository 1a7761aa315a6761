"""The judge's model: one linear scorer over character n-grams and the cues of the lexicon.

A text's grams (`grams`) are found by one pass of an automaton. Each gram's weights, for every label
of every head, stand in one whole number, 32 bits a label, so that one sum in C serves all heads;
the first field is the gram's share in the text's norm. For a label::

    logit = sum of t · weight / sqrt(sum of t² · norm) + bias + cues · weights

over the grams present; t is 1 for an emergency, which is told once, else by how often the gram occurs
(`TIMES`). Training (`gateway.judge.train`) counts alike and writes the artefact with `dump`;
nothing here needs its libraries.
"""

import math
import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from heapq import nlargest
from operator import mul
from pathlib import Path
from typing import Any

import msgspec

from gateway.judge.automaton import automaton
from normalizer.errors import ConfigError
from normalizer.schema import Value

#: Lengths of the grams in characters. A fourth adds nothing measurable and a third more time.
SHORTEST, LONGEST = 1, 3
#: Of a text longer than both, so many characters at its start and at its end are read, and so many
#: on each side of the strongest hit of the lexicon.
FIRST, LAST, AROUND = 400, 200, 60
#: Most grams that a text read so can hold; bounds the sums.
_MOST = (FIRST + LAST + 2 * AROUND + 4) * LONGEST
#: Thirds that a gram counts, by how often it occurs, the last for all beyond: 1 + ln(times) in
#: whole numbers. Once or often is a difference to the domain: a letter repeats what it is about.
TIMES = (0, 3, 5, 6, 7, 8)
_FORMAT = 2
_HALF = 1 << 31
_FIELD = (1 << 32) - 1
#: Finest step of a stored weight, as a power of two.
_FINEST = 16
#: What stands for one space, and the numbers that stand for one digit.
_BLANK = re.compile("[^0-9a-z\u3400-\u9fff\U0001f000-\U0001faff]+")
_NUMBER = re.compile("[0-9]+")
_KEPT = frozenset({"110", "119", "120", "122", "12345"})


class Head(Value, frozen=True, kw_only=True):
    """One question to the text and its answers."""

    name: str  #: emergency, service, domain or type
    labels: tuple[str, ...]
    bias: tuple[float, ...]  #: by label
    cues: tuple[tuple[float, ...], ...] = ()  #: by label, the weights of the cues, in their order
    slope: float = 1.0  #: Platt's calibration: p = 1 / (1 + exp(-(slope * logit + offset)))
    offset: float = 0.0


class Artefact(Value, frozen=True, kw_only=True):
    """What training hands over; `dump` makes the file of it."""

    card: Mapping[str, Any]  #: data, date, figures, and ``version``
    heads: tuple[Head, ...]
    grams: Sequence[str]
    norms: Sequence[float]  #: by gram: what it adds to the squared norm of a text that holds it
    weights: Sequence[Sequence[float]]  #: by gram, then by label over all heads in their order


class Scores(Value, frozen=True, kw_only=True):
    """What the model makes of one text; `Model.logits` reads the other answers off it."""

    emergency: float  #: calibrated probability
    sums: tuple[int, ...]  #: by field, over the grams found, in thirds
    factor: float  #: one over the text's norm, and a third


class _Numbers(Value, frozen=True, kw_only=True):
    """One head's packed numbers: of each its size in bytes, then all, little-endian, signed."""

    sizes: bytes
    packed: bytes


class _File(Value, frozen=True, kw_only=True):
    """The artefact as written: MessagePack, then zlib."""

    format: int
    card: dict[str, Any]
    heads: tuple[Head, ...]
    scales: tuple[float, ...]  #: by field; a stored number is the weight times this
    grams: str  #: joined by line feeds
    norms: bytes  #: 32 bits a gram, little-endian
    emergency: bytes  #: likewise, its weight
    numbers: dict[str, _Numbers]  #: by other head


def view(folded: str, centre: int = 0) -> str:
    """Return what of a folded text the model reads: bounded, marks and numbers made alike.

    Args:
        folded: The matching form of title and text.
        centre: Offset of the strongest hit of the lexicon; matters in long texts alone.
    """
    if len(folded) > FIRST + LAST:
        low = max(FIRST, min(centre - AROUND, len(folded) - LAST))
        high = max(low, min(centre + AROUND, len(folded) - LAST))
        folded = f"{folded[:FIRST]} {folded[low:high]} {folded[-LAST:]}"
    return _BLANK.sub(" ", _NUMBER.sub(_digit, folded))


def grams(seen: str) -> Iterator[str]:
    """Yield every run of 1 to 3 characters of a `view`, repeats included."""
    for length in range(SHORTEST, LONGEST + 1):
        for start in range(len(seen) - length + 1):
            yield seen[start : start + length]


def dump(artefact: Artefact) -> bytes:
    """Return the file of an artefact. Weights are rounded to what 32 bits a label hold.

    Common grams, whose norm is low, stand first: what a text needs lies close together in memory.
    """
    order = sorted(range(len(artefact.grams)), key=artefact.norms.__getitem__)
    rows = [(artefact.norms[at], *artefact.weights[at]) for at in order]
    columns = [list(column) for column in zip(*rows, strict=True)]
    scales = tuple(_scale(column) for column in columns)
    fields = [
        [round(one * scale) for one in column]
        for column, scale in zip(columns, scales, strict=True)
    ]
    numbers = {}
    places = _places(artefact.heads)
    for head in artefact.heads:
        place = places[head.name]
        numbered = zip(*fields[place : place + len(head.labels)], strict=True)
        if head.name != "emergency":
            packed = [_packed(row) for row in numbered]
            numbers[head.name] = _Numbers(sizes=bytes(map(len, packed)), packed=b"".join(packed))
    file = _File(
        format=_FORMAT,
        card=dict(artefact.card),
        heads=artefact.heads,
        scales=scales,
        grams="\n".join(artefact.grams[at] for at in order),
        norms=struct.pack(f"<{len(fields[0])}i", *fields[0]),
        emergency=struct.pack(f"<{len(fields[0])}i", *fields[places["emergency"]]),
        numbers=numbers,
    )
    return zlib.compress(msgspec.msgpack.encode(file), 9)


def save(artefact: Artefact, path: Path) -> None:
    """Write the artefact's file."""
    path.write_bytes(dump(artefact))


class Model:
    """A loaded artefact; never changes.

    A gram's fields stand in one whole number, the norm lowest: a sum in C over the grams of a text
    answers all questions at once. The automaton returns the very strings that are the keys, which
    costs nothing but a reference a gram.
    """

    def __init__(self, file: _File) -> None:
        self.card = file.card
        self.version = str(file.card.get("version", ""))
        self.heads = {head.name: head for head in file.heads}
        self._places = _places(file.heads)
        self._steps = tuple(1.0 / scale for scale in file.scales)
        grams = file.grams.split("\n")
        self._numbers = dict(zip(grams, _joined(file, len(grams)), strict=True))
        self._automaton = automaton(grams, stored=True)

    def taught_by_site(self, head: str) -> bool:
        """Return whether a site's own labels taught a head borders that the lexicon's phrases do not know."""
        weights = self.card.get("lexicon_weight", {})
        return float(weights.get(head, 1.0)) == 0.0

    def score(self, folded: str, cues: Sequence[float] = (), centre: int = 0) -> Scores:
        """Return what the model makes of a folded text with the lexicon's cues for it."""
        found = self._automaton.find_matches_as_strings(view(folded, centre), overlapping=True)
        counts = Counter(found)
        total = sum(map(self._numbers.__getitem__, counts))
        head = self.heads["emergency"]
        logit = head.bias[0]
        norm = (total & _FIELD) * self._steps[0]
        if norm:
            place = self._places["emergency"]
            logit += _field(total, place) * self._steps[place] / math.sqrt(norm)
        if head.cues:
            logit += sum(map(mul, head.cues[0], cues))
        chance = 1.0 / (1.0 + math.exp(-_bounded(head.slope * logit + head.offset)))
        sums, norm = self._counted(total, norm, counts, len(found))
        return Scores(emergency=chance, sums=sums, factor=1.0 / math.sqrt(norm) if norm else 0.0)

    def _counted(
        self, total: int, norm: float, counts: Mapping[str, int], found: int
    ) -> tuple[tuple[int, ...], float]:
        """Return the fields and the squared norm of a text in thirds, its repeats counted.

        Args:
            total: The sum of its grams' numbers, each once.
            norm: The squared norm by them.
            counts: How often each gram stands there.
            found: How often all of them do.
        """
        total, norm = 3 * total, 9 * norm
        if found > len(counts):
            numbers, step = self._numbers, self._steps[0]
            for gram, times in counts.items():
                if times > 1:
                    thirds = TIMES[times] if times < 5 else TIMES[5]
                    number = numbers[gram]
                    total += (thirds - 3) * number
                    norm += (thirds * thirds - 9) * (number & _FIELD) * step
        return _fields(total, len(self._steps)), norm

    def logits(self, name: str, scores: Scores) -> dict[str, float]:
        """Return the logit of each label of a head, empty if the model has no such head."""
        head = self.heads.get(name)
        if head is None:
            return {}
        place, factor = self._places[name], scores.factor
        last = place + len(head.labels)
        rows = zip(scores.sums[place:last], self._steps[place:last], head.bias, strict=True)
        values = [field * step * factor + bias for field, step, bias in rows]
        return dict(zip(head.labels, values, strict=True))

    def reasons(self, folded: str, most: int = 3) -> list[tuple[int, int, float]]:
        """Return the spans whose grams speak most for an emergency: start, end and weight."""
        spans: dict[str, tuple[int, int, float]] = {}
        late = max(FIRST, len(folded) - LAST)
        for low, part in ((0, folded[:FIRST]), (late, folded[late:])):
            found = self._automaton.find_matches_as_indexes(part, overlapping=True)
            for _, start, end in found:
                gram = part[start:end]
                if gram not in spans and (weight := self._weight(gram)) > 0:
                    spans[gram] = (low + start, low + end, weight)
        chosen: list[tuple[int, int, float]] = []
        for start, end, weight in nlargest(most * 8, spans.values(), key=_weight):
            if all(end <= first or last <= start for first, last, _ in chosen):
                chosen.append((start, end, weight))
            if len(chosen) == most:
                break
        return chosen

    def _weight(self, gram: str) -> float:
        """Return a gram's weight for an emergency."""
        place = self._places["emergency"]
        return _field(self._numbers[gram], place) * self._steps[place]


def load(path: Path | None) -> Model | None:
    """Return the model of an artefact's file, None for no path or where no file is.

    Raises:
        ConfigError: The file is there but is no artefact of this version.
    """
    if path is None or not path.is_file():
        return None
    try:
        file = msgspec.msgpack.decode(zlib.decompress(path.read_bytes()), type=_File)
    except (zlib.error, msgspec.MsgspecError, OSError) as error:
        raise ConfigError(f"{path}:1: cannot be read as a model: {error}") from error
    if file.format != _FORMAT:
        raise ConfigError(f"{path}:1: model format {file.format}; this version reads {_FORMAT}")
    return Model(file)


def _digit(number: re.Match[str]) -> str:
    return number[0] if number[0] in _KEPT else "0"


def _bounded(logit: float) -> float:
    return max(-60.0, min(60.0, logit))


def _weight(span: tuple[int, int, float]) -> float:
    return span[2]


def _places(heads: Sequence[Head]) -> dict[str, int]:
    """Return the first field of each head; field 0 is the norm."""
    places, place = {}, 1
    for head in heads:
        places[head.name] = place
        place += len(head.labels)
    return places


def _scale(column: Sequence[float]) -> float:
    """Return the largest power of two under which no sum of a text's grams leaves its field."""
    worst = TIMES[-1] * sum(nlargest(_MOST, map(abs, column))) or 1.0
    return math.ldexp(1.0, min(math.floor(math.log2((_HALF - _MOST) / worst)), _FINEST))


def _packed(fields: Sequence[int]) -> bytes:
    number = sum(field << (32 * place) for place, field in enumerate(fields) if field)
    return number.to_bytes((number.bit_length() + 8) // 8, "little", signed=True)


def _unpacked(numbers: _Numbers) -> list[int]:
    unpacked, start, packed = [], 0, numbers.packed
    for size in numbers.sizes:
        unpacked.append(int.from_bytes(packed[start : start + size], "little", signed=True))
        start += size
    return unpacked


def _fields(number: int, count: int) -> tuple[int, ...]:
    """Return the lowest signed fields of 32 bits that a number is the sum of."""
    size = 32 * count
    half = _HALF * (((1 << size) - 1) // _FIELD)
    data = ((number + half & (1 << size) - 1) ^ half).to_bytes(4 * count, "little")
    return struct.unpack(f"<{count}i", data)


def _field(number: int, place: int) -> int:
    """Return the signed field at a place past the first; lower ones may have borrowed from it."""
    rounded = ((number >> 32 * place - 1) + 1) >> 1
    return (rounded + _HALF & _FIELD) - _HALF


def _joined(file: _File, count: int) -> list[int]:
    """Return each gram's fields as one number."""
    places = _places(file.heads)
    fields = struct.Struct(f"<{count}i")
    shift = 32 * places["emergency"]
    numbers = [
        norm + (weight << shift)
        for norm, weight in zip(
            fields.unpack(file.norms), fields.unpack(file.emergency), strict=True
        )
    ]
    for name, packed in file.numbers.items():
        shift = 32 * places[name]
        numbers = [
            number + (more << shift)
            for number, more in zip(numbers, _unpacked(packed), strict=True)
        ]
    return numbers
