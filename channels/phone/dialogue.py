"""The dialogue of a call: a table that a site may change, and one pure step through it.

No audio, no SIP, no clock: what happens to a call comes in as an event, what is to be done goes
out as actions. The table says which state follows; this module says what a state means.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Literal, Self

import msgspec
import yaml
from pydantic import Field, ValidationError, model_validator

from channels.phone.dtmf import KEYS
from config.settings import Duration, Section
from normalizer.errors import ConfigError
from normalizer.schema import Value

#: Pieces that are made, not rendered: a beep, a short silence, and five seconds of ringing.
TONE, GAP, RING = "tone", "gap", "ring"
_MADE = frozenset({TONE, GAP, RING})
#: Where callers are put through to unless a state says otherwise.
SEATS = "seats"
#: Placeholders in ``say``.
_NUMBER, _ADVICE, _SCALE, _SAID = "{number}", "{advice}", "{scale}", "{said}"
#: What we call somebody for.
PURPOSES = frozenset({"rating", "broken_off", "alarm"})
#: Prompts that the placeholder of the scale needs.
_RATED = ("press", "very_satisfied", "satisfied", "basically_satisfied", "dissatisfied",
          "very_dissatisfied")  # fmt: skip
#: Services whose number a caller is told to dial.
ADVISED = ("110", "119", "120", "122")

Outcome = Literal["said", "heard", "unheard", "filed", "unfiled", "refused"]


class Listening(Section):
    """How long a caller is listened to."""

    begin: Duration = timedelta(seconds=8)
    pause: Duration = timedelta(seconds=4)
    most: Duration = timedelta(minutes=5)


class State(Section):
    """One row of the table."""

    say: tuple[str, ...] = ()
    listen: Listening | None = None
    wait: Duration | None = None  #: after all was said
    do: Literal["report", "transfer", "file", "end"] | None = None
    to: str = SEATS  #: of a transfer: the seats, or a desk by its number
    keys: Mapping[str, str] = {}
    next: Mapping[Outcome, str] = {}
    last: bool = False  #: the matter is filed or given up: keys that work anywhere do not here

    def ways(self) -> Iterator[str]:
        """Yield every state that can follow."""
        yield from self.keys.values()
        yield from self.next.values()

    def lacking(self) -> Iterator[str]:
        """Yield the outcomes that can happen here and lead nowhere."""
        wanted: list[Outcome] = []
        if self.listen is not None:
            wanted += ["heard", "unheard"]
        elif self.do == "file":
            wanted += ["filed", "unfiled"]
        elif self.do == "transfer":
            wanted += ["refused"]
        elif self.do != "end":
            wanted += ["said"]
        yield from (outcome for outcome in wanted if outcome not in self.next)


class Dialogue(Section):
    """The whole table."""

    version: str
    begins: str
    #: Where calls begin that we make, by what they are for.
    outgoing: Mapping[Literal["rating", "broken_off", "alarm"], str] = {}
    anywhere: Mapping[str, str] = {}
    states: Mapping[str, State]
    prompts: Mapping[str, str] = Field(repr=False)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        problems = [*self._strangers(), *self._unsaid(), *self._dead_ends()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _strangers(self) -> Iterator[str]:
        keyed = {"anywhere": self.anywhere, **{n: s.keys for n, s in self.states.items()}}
        for name, keys in keyed.items():
            yield from (f"{name}: {key!r} is no key" for key in keys if key not in KEYS or not key)
        wanted = {
            "begins": [self.begins],
            "anywhere": self.anywhere.values(),
            "outgoing": self.outgoing.values(),
        }
        for name, targets in {**wanted, **{n: s.ways() for n, s in self.states.items()}}.items():
            yield from (f"{name}: no state {to}" for to in targets if to not in self.states)

    def _unsaid(self) -> Iterator[str]:
        rendered = {*self.prompts, *_MADE, _NUMBER, _ADVICE, _SCALE, _SAID}
        for name, state in self.states.items():
            yield from (
                f"{name}: no prompt {piece}" for piece in state.say if piece not in rendered
            )
        needed = [f"digit_{digit}" for digit in range(10)] + [f"advice_{s}" for s in ADVISED]
        needed += _RATED if any(_SCALE in state.say for state in self.states.values()) else ()
        yield from (f"prompts: {name} is missing" for name in needed if name not in self.prompts)

    def _dead_ends(self) -> Iterator[str]:
        for name, state in self.states.items():
            yield from (f"{name}: what follows when {o}?" for o in state.lacking())
        reached = set[str]()
        ahead = [self.begins, *self.anywhere.values(), *self.outgoing.values()]
        while ahead:
            name = ahead.pop()
            if name in self.states and name not in reached:
                reached.add(name)
                ahead += self.states[name].ways()
        yield from (f"{name}: cannot be reached" for name in self.states if name not in reached)
        if not any(self.states[name].do == "end" for name in reached):
            yield "no state hangs up"
        if not any(self.states[name].do == "file" for name in reached):
            yield "no state makes the ticket"


def load(text: str) -> Dialogue:
    """Return the table that a YAML text holds.

    Raises:
        ConfigError: It is none, or does not hold together; says where.
    """
    try:
        return Dialogue.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ConfigError(f"dialogue: not YAML: {str(error).splitlines()[0]}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"dialogue: {where}: {first['msg']}") from None


class Happened(StrEnum):
    """What can happen to a call."""

    ANSWERED = "answered"
    KEY = "key"
    SAID = "said"  #: all that was to be said, and the wait behind it
    HEARD = "heard"  #: the caller spoke and paused, or spoke as long as they may
    UNHEARD = "unheard"  #: nobody spoke
    FILED = "filed"  #: the ticket is durable
    UNFILED = "unfiled"  #: it is not yet, and the caller should not wait
    REFUSED = "refused"  #: no seat took the call
    TAKEN = "taken"  #: a seat took it
    ALARMED = "alarmed"  #: the words so far tell of an emergency
    HUNG_UP = "hung_up"  #: by the caller, the network or a time-out


class Event(Value, frozen=True, kw_only=True):
    """Something that happened to a call."""

    what: Happened
    key: str = ""
    number: str = ""  #: of the ticket, with FILED
    advice: tuple[str, ...] = ()  #: services to dial now, with FILED and ALARMED


class Say(Value, frozen=True, kw_only=True, tag=True):
    """Play these pieces instead of what is being played; SAID after them and ``wait_s``."""

    pieces: tuple[str, ...]
    wait_s: float = 0.0
    then: bool = True  #: tell when done; a state that listens or files is not asked


class Listen(Value, frozen=True, kw_only=True, tag=True):
    """Once all is said, tell HEARD or UNHEARD."""

    begin_s: float
    pause_s: float
    most_s: float


class Report(Value, frozen=True, kw_only=True, tag=True):
    """Tell the gateway at once that a human must look at this call."""


class Transfer(Value, frozen=True, kw_only=True, tag=True):
    """Put the caller through; REFUSED within the time if nobody takes the call."""

    within_s: float
    to: str = SEATS


class File(Value, frozen=True, kw_only=True, tag=True):
    """Close the recording and hand the call to the gateway; UNFILED within the time if it waits."""

    within_s: float


class HangUp(Value, frozen=True, kw_only=True, tag=True):
    """End the call."""


Action = Say | Listen | Report | Transfer | File | HangUp


class Talk(Value, frozen=True, kw_only=True):
    """Where a call is in the dialogue."""

    state: str
    filed: bool = False  #: handed over, durable or not
    over: bool = False
    number: str = ""
    advice: tuple[str, ...] = ()
    reported: bool = False
    scale: tuple[str, ...] = ()  #: of ratings, best first
    said: str = ""  #: prompt of what somebody is told


def begin(dialogue: Dialogue) -> Talk:
    """Return where a call is before it is answered."""
    return Talk(state=dialogue.begins)


def begin_call(
    dialogue: Dialogue, purpose: str, number: str, scale: tuple[str, ...], said: str
) -> Talk:
    """Return where a call is that we make, before it is answered.

    Raises:
        KeyError: The table has no such calls.
    """
    states: Mapping[str, str] = {str(name): state for name, state in dialogue.outgoing.items()}
    return Talk(state=states[purpose], number=number, scale=scale, said=said)


def step(dialogue: Dialogue, talk: Talk, event: Event) -> tuple[Talk, tuple[Action, ...]]:
    """Return where a call is after an event, and what is to be done; nothing after its end."""
    if talk.over:
        return talk, ()
    if event.what in (Happened.HUNG_UP, Happened.TAKEN):
        ended = msgspec.structs.replace(talk, over=True, filed=True)
        return ended, () if talk.filed else (File(within_s=0.0),)
    if event.what is Happened.ALARMED:
        # Advice breaks no sentence: it is spoken with the number. Pieces would fall into the
        # caller's words and into what the recognizer hears.
        return msgspec.structs.replace(talk, advice=event.advice), ()
    if event.what is Happened.FILED:
        told = {"number": event.number, "advice": event.advice or talk.advice}
        talk = msgspec.structs.replace(talk, **told)
    target = _target(dialogue, talk, event)
    return (talk, ()) if target is None else _enter(dialogue, talk, target)


def _target(dialogue: Dialogue, talk: Talk, event: Event) -> str | None:
    state = dialogue.states[talk.state]
    if event.what is Happened.ANSWERED:
        return talk.state
    if event.what is Happened.KEY:
        anywhere = {} if state.last or talk.filed else dialogue.anywhere
        target = state.keys.get(event.key) or anywhere.get(event.key)
        # Once more the key that led here says nothing new, unless the state asks for it.
        return None if target == talk.state and event.key not in state.keys else target
    outcomes: Mapping[str, str] = {str(name): to for name, to in state.next.items()}
    return outcomes.get(event.what.value)


def _enter(dialogue: Dialogue, talk: Talk, name: str) -> tuple[Talk, tuple[Action, ...]]:
    state = dialogue.states[name]
    talk = msgspec.structs.replace(talk, state=name)
    actions: list[Action] = []
    wait_s = state.wait.total_seconds() if state.wait else 0.0
    if state.do == "report" and not talk.reported:
        actions.append(Report())
        talk = msgspec.structs.replace(talk, reported=True)
    if state.do == "end":
        ended = msgspec.structs.replace(talk, over=True, filed=True)
        return ended, (HangUp(),) if talk.filed else (File(within_s=0.0), HangUp())
    pieces = tuple(_pieces(state, talk))
    waits = state.listen is None and state.do in (None, "report")
    if pieces or waits:
        actions.append(Say(pieces=pieces, wait_s=wait_s if waits else 0.0, then=waits))
    if state.listen is not None:
        actions.append(_listen(state.listen))
    if state.do == "transfer":
        actions.append(Transfer(within_s=wait_s, to=state.to))
    if state.do == "file" and not talk.filed:
        actions.append(File(within_s=wait_s))
        talk = msgspec.structs.replace(talk, filed=True)
    return talk, tuple(actions)


def _pieces(state: State, talk: Talk) -> Iterator[str]:
    for piece in state.say:
        if piece == _NUMBER:
            yield from number_pieces(talk.number)
        elif piece == _ADVICE:
            yield from (f"advice_{s}" for s in talk.advice if s in ADVISED)
        elif piece == _SCALE:
            for place, rating in enumerate(talk.scale, start=1):
                yield from (rating, "press", f"digit_{place}")
        elif piece == _SAID:
            yield talk.said
        else:
            yield piece


def number_pieces(number: str) -> Iterator[str]:
    """Yield the pieces that speak a ticket's number; a hyphen is a short silence."""
    for char in number:
        yield GAP if not char.isdigit() else f"digit_{char}"


def _listen(times: Listening) -> Listen:
    return Listen(
        begin_s=times.begin.total_seconds(),
        pause_s=times.pause.total_seconds(),
        most_s=times.most.total_seconds(),
    )
