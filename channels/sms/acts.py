"""Which deliveries are one act of a citizen: parts joined, repeats told from second messages.

Pure: time comes as seconds since 1970. A carrier that repeats a message (its answer was lost with
the link, or came late) gives no id of its own in SMPP. Two deliveries of the same content are one
act if the carrier cannot know yet that the first was taken, or within a minute; else the citizen
sent the same words again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from channels.sms.journal import Line
from channels.sms.pieces import Piece

#: The same content so soon is the carrier's repeat, even if it had our answer.
SAME_WITHIN_S = 60.0
#: How long the same content is taken for the repeat of a message whose answer may have been lost.
LIFE_S = 6 * 3600.0


@dataclass(slots=True)
class Group:
    """The parts of one message that have come."""

    slot: str
    pieces: dict[int, Piece] = field(default_factory=dict)  #: by place
    at: dict[int, float] = field(default_factory=dict)
    heard_s: float = 0.0  #: when the last part came, or we were started

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        part = next(iter(self.pieces.values())).part
        return part is not None and len(self.pieces) == part.total

    @property
    def ordered(self) -> list[Piece]:
        """The parts by place."""
        return [self.pieces[place] for place in sorted(self.pieces)]


@dataclass(slots=True)
class Act:
    """A message that was, or is about to be, accepted."""

    slot: str
    key: str  #: empty: the store was found to hold it already
    message_id: str
    digests: tuple[str, ...]
    at_s: float  #: when it came last
    sure: set[str] = field(default_factory=set)  #: pieces that the carrier knows we have

    @property
    def is_sure(self) -> bool:
        """Whether the carrier knows of every piece that we have it."""
        return self.sure.issuperset(self.digests)

    @property
    def line(self) -> Line:
        """The act as a line of the journal."""
        return Line(
            op="act",
            slot=self.slot,
            at=self.at_s,
            key=self.key,
            message_id=self.message_id,
            digests=self.digests,
        )


def slot_of(piece: Piece) -> str:
    """Return what the pieces of a message have in common, and its repeats too."""
    return piece.group or f"={piece.digest}"


class Acts:
    """What is known of the messages of one account."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}
        self._acts: dict[str, Act] = {}
        self._slots: dict[str, str] = {}  #: of each piece of an act, by its digest

    def load(self, lines: Iterable[Line], now_s: float) -> None:
        """Take in what the journal holds; parts have their whole time-out again."""
        for line in lines:
            if line.op == "part" and line.piece is not None:
                self.add(line.piece, line.at)
            elif line.op == "act":
                self.keep(
                    Act(
                        slot=line.slot,
                        key=line.key,
                        message_id=line.message_id,
                        digests=line.digests,
                        at_s=line.at,
                    )
                )
            elif line.op == "whole":
                self.groups.pop(line.slot, None)
            elif line.op == "sure":
                self.sure(line.digests)
        for group in self.groups.values():
            group.heard_s = now_s

    def lines(self) -> Iterator[Line]:
        """Yield what must be known after a crash."""
        for group in self.groups.values():
            for place, piece in group.pieces.items():
                yield Line(op="part", slot=group.slot, at=group.at[place], piece=piece)
        for act in self._acts.values():
            yield act.line
            if act.is_sure:
                yield Line(op="sure", digests=act.digests)

    def add(self, piece: Piece, now_s: float) -> tuple[Group, Line | None]:
        """Put a part to its group; the line to keep it by, None for one that is there already.

        A part with other words than the one at its place belongs to another message, whose
        reference came round again: `clashes` finds the group, which must be finished before.
        """
        slot, place = slot_of(piece), piece.part.place if piece.part else 1
        group = self.groups.get(slot)
        if group is None:
            group = self.groups[slot] = Group(slot=slot)
        group.heard_s = now_s
        if place in group.pieces:
            return group, None
        group.pieces[place], group.at[place] = piece, now_s
        return group, Line(op="part", slot=slot, at=now_s, piece=piece)

    def clashes(self, piece: Piece) -> Group | None:
        """Return the unfinished group whose part at this place has other words."""
        group = self.groups.get(slot_of(piece))
        if group is None or piece.part is None:
            return None
        there = group.pieces.get(piece.part.place)
        return group if there is not None and there.digest != piece.digest else None

    def known(
        self, slot: str, digests: tuple[str, ...], now_s: float, *, named: bool
    ) -> Act | None:
        """Return the act of which a message is the carrier's repeat.

        Args:
            slot: Of the message.
            digests: Of its pieces by place.
            now_s: Our clock.
            named: The carrier gives ids, so that the same one is surely a repeat.
        """
        act = self._acts.get(slot)
        if act is None or act.digests != digests:
            return None
        soon = now_s - act.at_s < SAME_WITHIN_S
        return act if named or soon or not act.is_sure else None

    def has(self, slot: str) -> bool:
        """Return whether something of this slot was accepted lately."""
        return slot in self._acts

    def told_already(self, group: Group) -> bool:
        """Return whether every part of an unfinished group is of a message that was accepted."""
        act = self._acts.get(group.slot)
        return act is not None and {p.digest for p in group.ordered} <= set(act.digests)

    def keep(self, act: Act) -> None:
        """Remember an act; it takes the place of an earlier one in its slot."""
        self._acts[act.slot] = act
        for digest in act.digests:
            self._slots[digest] = act.slot

    def sure(self, digests: Iterable[str]) -> Line | None:
        """Note that the carrier knows that we have these pieces; return what the journal should know.

        One line for all of them: a busy carrier learns of thousands with a heartbeat.
        """
        new = []
        for digest in digests:
            act = self._acts.get(self._slots.get(digest, ""))
            if act is not None and digest not in act.sure:
                act.sure.add(digest)
                new.append(digest)
        return Line(op="sure", digests=tuple(new)) if new else None

    def forget(self, now_s: float) -> None:
        """Let go of acts whose repeats are not to be expected any more."""
        for slot, act in list(self._acts.items()):
            age = now_s - act.at_s
            if age >= LIFE_S or (act.is_sure and age >= SAME_WITHIN_S):
                del self._acts[slot]
                for digest in act.digests:
                    if self._slots.get(digest) == slot:
                        del self._slots[digest]

    def __len__(self) -> int:
        return len(self._acts)
