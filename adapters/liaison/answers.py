"""What a desk writes on the stream ``liaison:answers``: bytes in, a value or `Malformed` out."""

from collections.abc import Mapping

from normalizer.errors import Malformed
from normalizer.schema import Value

ACTIONS = ("acknowledge", "return", "close")
#: Longest field in characters.
LIMITS: Mapping[str, int] = {"incident": 64, "action": 16, "by": 100, "note": 1000, "desk": 32}
_REQUIRED = ("incident", "action", "by")


class StreamAnswer(Value, frozen=True, kw_only=True):
    """One entry of the stream."""

    entry: str  #: its id: what a redelivery is known by
    incident: str
    action: str
    by: str
    note: str | None = None
    desk: str | None = None  #: optional, ours: which desk answers


def decode(entry: bytes, fields: Mapping[bytes, bytes]) -> StreamAnswer:
    """Return the answer that an entry holds.

    Raises:
        Malformed: A field is missing, empty, too long, no UTF-8 or no known action.
    """
    texts = {name: _text(name, fields.get(name.encode())) for name in LIMITS}
    for name in _REQUIRED:
        if not texts[name]:
            raise Malformed(name, "the field is missing or empty")
    action = texts["action"] or ""
    if action not in ACTIONS:
        raise Malformed("action", "it must be acknowledge, return or close")
    return StreamAnswer(
        entry=entry.decode("ascii", "replace"),
        incident=texts["incident"] or "",
        action=action,
        by=texts["by"] or "",
        note=texts["note"] or None,
        desk=texts["desk"] or None,
    )


def _text(name: str, value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise Malformed(name, "it is not UTF-8") from None
    if len(text) > LIMITS[name]:
        raise Malformed(name, f"longer than {LIMITS[name]} characters")
    return text.strip()
