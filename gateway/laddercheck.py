"""What is wrong with the rungs by which people outside are called: desks' ladders, and alarms."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import ValidationError

from config.document import Problem, ValuePath
from config.load import Loaded
from config.settings import AlarmRung, Rung
from gateway.alarms.ways import posting

#: What a rung must say.
_TARGETS: Mapping[str, tuple[str, ...]] = {
    "sms": ("number",),
    "phone": ("number",),
    "email": ("address",),
    "webhook": ("url", "secret"),
}
#: What only some rungs say.
_SAID = ("number", "address", "url", "secret")
#: What a channel needs to call anybody, and what is said where none has it.
_SPEAKS: Mapping[str, tuple[str, str]] = {
    "phone": ("call_back", "no line makes calls: give one call_back"),
    "email": ("outgoing", "no mailbox sends: give one outgoing"),
}


def ladder(loaded: Loaded, path: ValuePath, rungs: Sequence[Rung | AlarmRung]) -> Iterator[Problem]:
    """Yield what is wrong with the rungs that stand at ``path``."""
    for at, rung in enumerate(rungs):
        yield from _rung(loaded, (*path, at), rung)
        if at and rung.after < rungs[at - 1].after:
            message = "comes before the rung above it: a ladder is climbed in the order of time"
            yield loaded.problem((*path, at, "after"), message)


def _rung(loaded: Loaded, path: ValuePath, rung: Rung | AlarmRung) -> Iterator[Problem]:
    targets = _TARGETS.get(rung.to, ())
    for key in targets:
        if getattr(rung, key) is None:
            yield loaded.problem(path, f"a rung to {rung.to} needs {key}")
    if targets and rung.to != "webhook":
        yield from _channel(loaded, path, rung.to)
    for key in _SAID:
        if key not in targets and getattr(rung, key, None) is not None:
            yield loaded.problem((*path, key), f"a rung to {rung.to} takes no {key}")


def _channel(loaded: Loaded, path: ValuePath, kind: str) -> Iterator[Problem]:
    channels = [each for each in loaded.settings.channels if each.get("kind") == kind]
    if not channels:
        yield loaded.problem((*path, "to"), f"there is no channel of kind {kind}")
    elif kind in _SPEAKS and not any(each.get(_SPEAKS[kind][0]) is not None for each in channels):
        yield loaded.problem((*path, "to"), _SPEAKS[kind][1])


def alarms(loaded: Loaded) -> Iterator[Problem]:
    """Yield what is wrong with the operators' alarms."""
    settings = loaded.settings.alarms
    if settings is None:
        return
    yield from ladder(loaded, ("alarms", "ladder"), settings.ladder)
    for at, rung in enumerate(settings.ladder):
        if rung.to == "webhook" and rung.url is not None and rung.secret is not None:
            yield from _webhook(loaded, ("alarms", "ladder", at), rung)


def _webhook(loaded: Loaded, path: ValuePath, rung: AlarmRung) -> Iterator[Problem]:
    """Yield why nothing could be posted."""
    try:
        posting(rung)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            said = each.get("ctx", {}).get("error", each["msg"])
            yield loaded.problem((*path, str(each["loc"][0])), str(said))
