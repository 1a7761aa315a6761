"""The clusters of late, found again by what their tickets share: incremental, bounded in memory."""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from weakref import WeakValueDictionary

from gateway.clusters.sameness import ONE_MATTER, Sketch, likeness

#: Tickets that are remembered: about 8 kB each. The oldest go first.
KEPT = 20_000
#: Tickets that are compared with a new one, those that share most marks first.
_COMPARED = 24
#: Numbers of a cluster that are kept, the newest.
_NAMED = 100
#: A mark that so many tickets share tells nothing apart.
_COMMON = 200


class Cluster:
    """Tickets of one matter, named after the number of the first."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.size = 0  #: tickets
        self.numbers: deque[str] = deque(maxlen=_NAMED)  #: the newest of them
        self._senders: set[int] = set()

    def add(self, sketch: Sketch) -> bool:
        """Take a ticket in and return whether it is of one more citizen."""
        before = self.count
        self.size += 1
        self.numbers.append(sketch.number)
        if sketch.sender is not None:
            self._senders.add(hash(sketch.sender))
        return self.count > before

    @property
    def count(self) -> int:
        """How many citizens report the matter, of those who can be told from others."""
        return len(self._senders)


class ClusterIndex:
    """Which cluster a ticket belongs to."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._sketches: OrderedDict[str, Sketch] = OrderedDict()
        self._by_mark: dict[int, list[str]] = {}
        self._of: dict[str, Cluster] = {}
        #: By name, as long as a ticket of it is remembered; its first may be forgotten before.
        self._clusters: WeakValueDictionary[str, Cluster] = WeakValueDictionary()

    def __len__(self) -> int:
        """Return how many tickets are remembered."""
        return len(self._sketches)

    def knows(self, number: str) -> bool:
        """Return whether a ticket was taken in and is not forgotten yet."""
        return number in self._sketches

    def put(self, sketch: Sketch, name: str | None = None) -> tuple[Cluster, bool]:
        """Take a ticket in and return its cluster, which may hold it alone, and whether it grew.

        A cluster grows by citizens: what one of them says again makes it no greater.

        Args:
            sketch: Of the ticket.
            name: Of the cluster that it is known to belong to; None: it is looked for.
        """
        cluster = self._named(name if name is not None else self._found(sketch))
        grew = cluster.add(sketch)
        self._of[sketch.number] = cluster
        self._sketches[sketch.number] = sketch
        for mark in sketch.marks:
            self._by_mark.setdefault(mark, []).append(sketch.number)
        if len(self._sketches) > self._kept:
            self._forget(*self._sketches.popitem(last=False))
        return cluster, grew

    def _named(self, name: str) -> Cluster:
        known = self._clusters.get(name)
        if known is None:
            known = self._clusters[name] = Cluster(name)
        return known

    def _found(self, sketch: Sketch) -> str:
        """Return the name of the cluster that a ticket is most like, its own number if of none."""
        best, found = 0.0, sketch.number
        for other in self._candidates(sketch):
            alike = likeness(sketch, other)
            if alike >= ONE_MATTER and alike > best:
                best, found = alike, self._of[other.number].name
        return found

    def _candidates(self, sketch: Sketch) -> Iterator[Sketch]:
        """Yield the tickets that share most marks, the newer first of equals."""
        shared: Counter[str] = Counter()
        for mark in sketch.marks:
            numbers = self._by_mark.get(mark, ())
            if len(numbers) <= _COMMON:
                shared.update(reversed(numbers))
        for number, _ in shared.most_common(_COMPARED):
            yield self._sketches[number]

    def _forget(self, number: str, sketch: Sketch) -> None:
        del self._of[number]
        for mark in sketch.marks:
            numbers = self._by_mark[mark]
            numbers.remove(number)
            if not numbers:
                del self._by_mark[mark]
