"""The dialogue as a table: every way through it ends, and what it lacks is named."""

from importlib.resources import files

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from channels.phone.dialogue import (
    Dialogue,
    Event,
    File,
    HangUp,
    Happened,
    Listen,
    Report,
    Say,
    Talk,
    Transfer,
    begin,
    load,
    number_pieces,
    step,
)
from normalizer.errors import ConfigError

TEXT = files("channels.phone").joinpath("data/dialogue.yaml").read_text("utf-8")
SHIPPED = load(TEXT)


def walk(*events: Event, dialogue: Dialogue = SHIPPED) -> tuple[Talk, list[object]]:
    """Return where a call is after some events, and all that was to be done."""
    talk, done = begin(dialogue), list[object]()
    for event in events:
        talk, actions = step(dialogue, talk, event)
        done += actions
    return talk, done


def on(what: Happened, **values: str) -> Event:
    """Return an event."""
    return Event(what=what, **values)  # type: ignore[arg-type]  # all of them text


ANSWERED, SAID, HEARD, UNHEARD = map(
    on, (Happened.ANSWERED, Happened.SAID, Happened.HEARD, Happened.UNHEARD)
)
HUNG_UP, REFUSED, TAKEN, UNFILED = map(
    on, (Happened.HUNG_UP, Happened.REFUSED, Happened.TAKEN, Happened.UNFILED)
)


def key(digit: str) -> Event:
    """Return a pressed key."""
    return on(Happened.KEY, key=digit)


def test_a_caller_who_tells_all_hears_number_and_advice() -> None:
    """Greeting, matter, ticket, its number digit by digit after what to dial now; then the end."""
    filed = Event(what=Happened.FILED, number="20261122-000123-7", advice=("119", "gas"))
    talk, done = walk(ANSWERED, SAID, HEARD, filed, SAID)
    assert talk.over
    assert [type(a) for a in done] == [Say, Say, Listen, File, Say, HangUp]
    said = done[4]
    assert isinstance(said, Say)
    assert said.pieces[:4] == ("advice_119", "received", "digit_2", "digit_0")
    assert said.pieces.count("gap") == 2
    assert list(number_pieces("1-0")) == ["digit_1", "gap", "digit_0"]


@pytest.mark.parametrize("state", [(ANSWERED,), (ANSWERED, SAID), (ANSWERED, SAID, UNHEARD)])
def test_zero_and_nine_work_anywhere(state: tuple[Event, ...]) -> None:
    """Before the matter is told, zero leads to a seat and nine to help."""
    talk, done = walk(*state, key("0"))
    assert (talk.state, done[-1]) == ("seat", Transfer(within_s=45.0, to="seats"))
    desk = TEXT.replace("do: transfer", 'do: transfer\n    to: "119"')
    _, done = walk(ANSWERED, key("0"), dialogue=load(desk))
    assert done[-1] == Transfer(within_s=45.0, to="119")
    talk, done = walk(*state, key("9"))
    assert talk.state == "emergency"
    assert sum(isinstance(a, Report) for a in done) == 1
    assert isinstance(done[-1], Listen)


def test_help_is_asked_for_once() -> None:
    """Nine pressed again and again reports one call once, and begins nothing anew."""
    _, done = walk(ANSWERED, key("9"), key("9"), key("0"), REFUSED, key("9"))
    assert sum(isinstance(a, Report) for a in done) == 1


def test_refused_by_the_seats_the_caller_can_still_tell() -> None:
    """Nobody answers: the caller is told and listened to."""
    talk, done = walk(ANSWERED, key("0"), REFUSED)
    assert talk.state == "no_seat"
    assert isinstance(done[-1], Listen)


def test_what_a_gateway_that_is_away_cannot_number_is_promised() -> None:
    """The caller does not wait for a gateway, and hears no number that is none."""
    talk, done = walk(ANSWERED, SAID, HEARD, UNFILED, SAID)
    assert talk.over
    assert Say(pieces=("promise",)) in done
    talk, done = walk(ANSWERED, SAID, UNHEARD, UNHEARD, SAID)
    assert talk.over
    assert done[-2:] == [File(within_s=0.0), HangUp()]


_EVENTS = st.one_of(
    st.sampled_from([SAID, HEARD, UNHEARD, REFUSED, TAKEN, UNFILED, HUNG_UP]),
    st.builds(key, st.sampled_from("0123456789*#AB")),
    st.builds(lambda n: on(Happened.FILED, number=n), st.sampled_from(["20261122-000001-1", ""])),
    st.builds(lambda: Event(what=Happened.ALARMED, number="1", advice=("110",))),
)


@given(st.lists(_EVENTS, max_size=40))
def test_whatever_happens_a_call_is_filed_once_at_most_and_at_its_end(events: list[Event]) -> None:
    """No order of events files a call twice, and none ends one that was not filed."""
    talk, done = walk(ANSWERED, *events, HUNG_UP)
    assert talk.over
    assert sum(isinstance(a, File) for a in done) == 1
    assert walk(ANSWERED, *events, HUNG_UP, *events)[1] == done
    ends = [n for n, a in enumerate(done) if isinstance(a, HangUp)]
    assert ends in ([], [len(done) - 1])


def test_every_state_ends_by_silence_alone() -> None:
    """A caller who does nothing is rid of us from every state."""
    idle = {"said": SAID, "unheard": UNHEARD, "unfiled": UNFILED, "refused": REFUSED}
    for name in SHIPPED.states:
        talk = Talk(state=name)
        for _ in range(10):
            state = SHIPPED.states[talk.state]
            outcome = next((idle[o] for o in idle if o in state.next), SAID)
            talk, _actions = step(SHIPPED, talk, outcome)
            if SHIPPED.states[talk.state].do == "end":
                break
        assert SHIPPED.states[talk.state].do == "end", name


def changed(**values: object) -> str:
    """Return the shipped table with parts replaced, dotted names as double underscores."""
    table = yaml.safe_load(TEXT)
    for name, value in values.items():
        *path, last = name.split("__")
        part = table
        for word in path:
            part = part[word]
        if value is None:
            del part[last]
        else:
            part[last] = value
    return str(yaml.safe_dump(table, allow_unicode=True))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (changed(begins="hello"), "begins: no state hello"),
        (changed(states__greeting__keys={"x": "matter"}), "greeting: 'x' is no key"),
        (changed(states__greeting__keys={"1": "nowhere"}), "greeting: no state nowhere"),
        (changed(states__matter__next={"heard": "filing"}), "matter: what follows when unheard?"),
        (changed(states__greeting__say=["hello"]), "greeting: no prompt hello"),
        (changed(prompts__digit_7=None), "prompts: digit_7 is missing"),
        (changed(anywhere={"0": "seat"}), "emergency: cannot be reached"),
        (changed(states__goodbye__do=None, states__goodbye__say=["tone"]), "goodbye: what follows"),
        (changed(states__matter__listen={"begin": "8 seconds"}), "a duration is a number"),
        (changed(states__greeting__shout=["tone"]), "Extra inputs are not permitted"),
        ("- a list", "valid dictionary"),
        ("a: [", "not YAML"),
    ],
)
def test_what_a_table_lacks_is_named(text: str, problem: str) -> None:
    """A table that does not hold together is refused when it is read."""
    with pytest.raises(ConfigError, match="dialogue: ") as raised:
        load(text)
    assert problem in str(raised.value)
