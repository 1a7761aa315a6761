"""What the gateway and the telephone worker tell each other over their local socket.

Frames of MessagePack behind a length of four octets, big-endian. Every message is a value; what a
later version adds is passed over. The worker connects and keeps every finished call on its disk
until the gateway said `Filed`: a message that is lost with a connection is sent again.
"""

import hashlib
import struct

import msgspec

from normalizer.schema import Value

_LENGTH = struct.Struct(">I")
#: Octets of one frame; a second of sound has 8,000.
MOST_OCTETS = 1 << 20


class Hello(Value, frozen=True, kw_only=True, tag=True):
    """The worker's first words on a connection."""

    pid: int
    settings: str = ""  #: `digest` of what it works with
    spool: str = ""  #: folder of its calls


class LineState(Value, frozen=True, kw_only=True, tag=True):
    """Whether calls can come in."""

    up: bool
    why: str | None = None
    calls: int = 0  #: going on
    most: int = 0  #: that may go on at once
    answered: int = 0  #: since the worker began
    refused: int = 0  #: for want of room
    waiting: int = 0  #: finished calls that the gateway has not taken yet


class CallBegan(Value, frozen=True, kw_only=True, tag=True):
    """A call was answered."""

    id: str
    call_id: str
    from_tag: str
    caller: str | None
    called: str | None
    at: float  #: seconds since 1970
    number: str = ""  #: of the ticket that we called about


def began(call: "Call") -> CallBegan:
    """Return what is told of a call that was answered."""
    return CallBegan(
        id=call.id,
        call_id=call.call_id,
        from_tag=call.from_tag,
        caller=call.caller,
        called=call.called,
        at=call.answered_at,
        number=call.number,
    )


class Heard(Value, frozen=True, kw_only=True, tag=True):
    """What the caller said since the last message: A-law, 8,000 samples a second."""

    id: str
    sound: bytes


class Urgent(Value, frozen=True, kw_only=True, tag=True):
    """The caller asks for help at once, by a key: a human must look."""

    id: str
    call: "Call"


class Side(Value, frozen=True, kw_only=True):
    """The recording of somebody whom the caller was put through to."""

    to: str  #: ``seats``, or a desk
    begins: int = 0  #: samples of the caller's recording before it
    octets: int = 0


class Call(Value, frozen=True, kw_only=True, tag=True):
    """A call as it stands, on the disk and on the wire."""

    id: str  #: the worker's name of it, safe as a file name
    call_id: str
    from_tag: str
    caller: str | None
    called: str | None
    again: bool = False  #: another call that was answered has the same Call-ID and tag
    withheld: bool = False
    task: str = ""  #: by which we called; empty: they called us
    purpose: str = ""
    number: str = ""  #: of the ticket that we called about
    diverted_by: str = ""
    answered_at: float = 0.0  #: seconds since 1970
    ended_at: float = 0.0
    how: str = ""  #: what ended it: said, caller, no_ack, no_media, longest, crash, stopped …
    state: str = ""  #: of the dialogue in the end
    keys: str = ""  #: pressed, in their order
    spoke: bool = False  #: something like speech was heard
    reported: bool = False  #: a key asked for help at once
    octets: int = 0  #: of the recording: samples of A-law
    lost: int = 0  #: samples of it that are silence because nothing came for them
    sides: tuple[Side, ...] = ()  #: who talked with the caller by us


class PuttingThrough(Value, frozen=True, kw_only=True, tag=True):
    """A call is about to ring elsewhere: it is to be shown there first."""

    id: str
    call: "Call"
    to: str  #: ``seats``, or a desk


class Shown(Value, frozen=True, kw_only=True, tag=True):
    """It is."""

    id: str


class Dial(Value, frozen=True, kw_only=True, tag=True):
    """Somebody is to be called."""

    id: str  #: of the task
    to: str  #: as it is dialled
    purpose: str  #: rating, broken_off or alarm: tells where the dialogue begins
    number: str = ""  #: of the ticket
    scale: tuple[str, ...] = ()  #: of ratings, best first
    said: str = ""  #: prompt of what is to be told
    ring_s: float = 40.0


class Missed(Value, frozen=True, kw_only=True, tag=True):
    """Nobody was reached."""

    id: str  #: of the task
    why: str
    rang: bool = True  #: else nobody was disturbed, and it counts for nothing


class Filed(Value, frozen=True, kw_only=True, tag=True):
    """The ticket of a call is durable: the worker forgets the call."""

    id: str
    number: str = ""
    advice: tuple[str, ...] = ()  #: services that the caller should dial now


class Alarmed(Value, frozen=True, kw_only=True, tag=True):
    """The words so far raised an emergency; the call goes on."""

    id: str
    number: str
    advice: tuple[str, ...] = ()


class Stop(Value, frozen=True, kw_only=True, tag=True):
    """End calls, keep what was recorded, and exit."""


class Ping(Value, frozen=True, kw_only=True, tag=True):
    """Ask for a `LineState` now."""


Said = (
    Hello | LineState | CallBegan | Heard | Urgent | Call | PuttingThrough | Shown | Dial | Missed
    | Filed | Alarmed | Stop | Ping
)  # fmt: skip

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Said)


class BadFrame(ValueError):
    """Octets that are no message: the connection is of no use any more."""


def encode(message: Said) -> bytes:
    """Return the frame of a message."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Makes messages of octets, however they arrive."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, octets: bytes) -> list[Said]:
        """Return the messages that are whole now.

        Raises:
            BadFrame: The octets are none.
        """
        self._held += octets
        messages: list[Said] = []
        while len(self._held) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._held)
            if length > MOST_OCTETS:
                raise BadFrame("a frame beyond its limit")
            ends = _LENGTH.size + length
            if len(self._held) < ends:
                break
            body = bytes(self._held[_LENGTH.size : ends])
            del self._held[:ends]
            try:
                messages.append(_decoder.decode(body))
            except msgspec.MsgspecError as error:
                raise BadFrame("a frame that is no message") from error
        return messages


class WorkerSettings(Value, frozen=True, kw_only=True):
    """What a worker is told on its standard input when it is started, as JSON."""

    server: str
    port: int
    user: str
    password: str
    register: bool
    expires_s: int
    local_host: str
    local_port: int
    rtp_ports: tuple[int, int]
    allow: tuple[str, ...]  #: networks that may send SIP to us
    places: dict[str, str]  #: URIs of ``seats`` and of desks
    put_through: str  #: auto, refer or bridge
    max_calls: int
    ring_s: float
    longest_s: float
    no_media_s: float
    loud: int  #: of 255, from where sound counts as speech
    spool: str  #: folder
    socket: str  #: where the gateway listens
    prompts: str  #: folder
    dialogue: str  #: the table, as YAML
    alone_s: float  #: how long a worker without gateway and calls goes on
    priority: float = (
        1.0  #: of our contact among those of the account, 0 to 1 (RFC 3261 section 20.10)
    )


def digest(settings: WorkerSettings) -> str:
    """Return what tells whether a worker works with these settings."""
    return hashlib.sha256(msgspec.json.encode(settings)).hexdigest()
