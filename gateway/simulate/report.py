"""What became of a simulation, counted a target."""

import statistics
from collections.abc import Iterable, Iterator, Sequence

from gateway.simulate.run import Sending
from normalizer.schema import Value


class Counts(Value, frozen=True, kw_only=True):
    """The messages of one target, or of all."""

    target: str
    sent: int  #: messages, repeats included: the sum of the five below
    accepted: int  #: acts that were answered as taken
    duplicate: int  #: repeats that were answered as such: no other ticket was told
    doubled: int  #: repeats that were told another ticket: one act, two tickets
    refused: int  #: messages refused for what they say
    failed: int  #: messages that an error, or nothing, answered
    lost: int  #: accepted acts whose ticket their number and query code do not open
    unchecked: int  #: accepted acts whose answer told no number and code, or nobody could look
    p50_ms: float | None  #: from sending to the answer, of messages that were taken
    p99_ms: float | None

    @property
    def good(self) -> bool:
        """Whether something was taken, nothing was lost or doubled, and all was answered."""
        return bool(self.accepted) and not (self.lost or self.doubled or self.failed)


class Report(Value, frozen=True, kw_only=True):
    """All of it."""

    seed: int
    seconds: float  #: from the first message to the last answer
    total: Counts
    targets: tuple[Counts, ...]


def report(sendings: Sequence[Sending], names: Iterable[str], seconds: float, seed: int) -> Report:
    """Return the counts of a simulation, targets in the order of their names."""
    targets = tuple(
        _counts(name, [s for s in sendings if s.end.name == name]) for name in dict.fromkeys(names)
    )
    total = _counts("all", sendings)
    return Report(seed=seed, seconds=round(seconds, 3), total=total, targets=targets)


def _counts(target: str, sendings: Sequence[Sending]) -> Counts:
    states = [outcome.state for sending in sendings for outcome in sending.outcomes]
    taken = [sending for sending in sendings if sending.first is not None]
    doubled = sum(_doubled(sending) for sending in taken)
    times = sorted(_times(sendings))
    return Counts(
        target=target,
        sent=len(states),
        accepted=len(taken),
        duplicate=states.count("accepted") - len(taken) - doubled,
        doubled=doubled,
        refused=states.count("refused"),
        failed=states.count("failed"),
        lost=sum(sending.found is False for sending in taken),
        unchecked=sum(sending.found is None for sending in taken),
        p50_ms=statistics.median(times) if times else None,
        p99_ms=times[int(0.99 * len(times))] if times else None,
    )


def _doubled(sending: Sending) -> int:
    """Return how many repeats were told of another ticket than the first time."""
    numbers = [o.number for o in sending.outcomes if o.state == "accepted" and o.number]
    return sum(number != numbers[0] for number in numbers[1:])


def _times(sendings: Sequence[Sending]) -> Iterator[float]:
    for sending in sendings:
        for outcome in sending.outcomes:
            if outcome.state == "accepted":
                yield round(outcome.seconds * 1000, 3)


def table(found: Report) -> str:
    """Return a report for people, a line a target."""
    columns = [name for name in Counts.__struct_fields__ if name != "target"]
    head = ["target", *(name.replace("_", " ") for name in columns)]
    rows = [head] + [
        [counts.target, *(_cell(getattr(counts, name)) for name in columns)]
        for counts in (*found.targets, found.total)
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]
    return "\n".join([*lines, "", f"seed {found.seed}, {found.seconds:.1f} s"])


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.0f}"
