"""SMPP 3.4 on the wire. Sans-io: octets in, values out.

Source: Short Message Peer to Peer Protocol Specification v3.4, Issue 1.2; sections are cited at
each structure.
"""

import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import TypeAlias

from channels.sms.stream import Reader, Stream
from normalizer.errors import Malformed
from normalizer.schema import Value

_HEAD = struct.Struct(">IIII")  # section 3.2: length, id, status, sequence number
#: Octets of a PDU at most; `message_payload` alone may have 64 KiB.
LONGEST = 128 * 1024
RESPONSE = 0x8000_0000
VERSION = 0x34


class Command(IntEnum):
    """Section 5.1.2.1; the response to a request has the top bit set."""

    BIND_RECEIVER = 0x1
    BIND_TRANSMITTER = 0x2
    QUERY_SM = 0x3
    SUBMIT_SM = 0x4
    DELIVER_SM = 0x5
    UNBIND = 0x6
    BIND_TRANSCEIVER = 0x9
    OUTBIND = 0xB
    ENQUIRE_LINK = 0x15
    ALERT_NOTIFICATION = 0x102
    DATA_SM = 0x103


class Status(IntEnum):
    """Section 5.1.3, those that we say or act upon."""

    OK = 0x0
    INVALID_LENGTH = 0x2
    INVALID_COMMAND = 0x3
    ALREADY_BOUND = 0x5
    SYSTEM_ERROR = 0x8
    INVALID_SOURCE = 0xA
    INVALID_DESTINATION = 0xB
    BIND_FAILED = 0xD
    INVALID_PASSWORD = 0xE
    INVALID_SYSTEM_ID = 0xF
    QUEUE_FULL = 0x14
    INVALID_DEST_TON = 0x50
    INVALID_DEST_NPI = 0x51
    THROTTLED = 0x58
    RECEIVER_TEMPORARY = 0x64
    RECEIVER_PERMANENT = 0x65


class Tag(IntEnum):
    """Section 5.3.2, the optional parameters that we read."""

    RECEIPTED_MESSAGE_ID = 0x001E
    SAR_REFERENCE = 0x020C
    SAR_TOTAL = 0x020E
    SAR_PLACE = 0x020F
    MESSAGE_PAYLOAD = 0x0424
    MESSAGE_STATE = 0x0427


#: Section 5.2.28: states of a message, as words of appendix B.
STATES: Mapping[int, str] = MappingProxyType(
    {
        1: "ENROUTE",
        2: "DELIVRD",
        3: "EXPIRED",
        4: "DELETED",
        5: "UNDELIV",
        6: "ACCEPTD",
        7: "UNKNOWN",
        8: "REJECTD",
    }
)
UDHI = 0x40  # section 5.2.12, esm_class
_RECEIPT_BITS = 0x3C
_RECEIPT_KINDS = (0x04, 0x20)  # final and intermediate


class Frame(Value, frozen=True, kw_only=True):
    """A PDU whose body was not looked at yet."""

    command: int
    status: int
    sequence: int
    body: bytes

    @property
    def octets(self) -> bytes:
        """The PDU as it goes over the wire."""
        head = _HEAD.pack(16 + len(self.body), self.command, self.status, self.sequence)
        return head + self.body


class Login(Value, frozen=True, kw_only=True):
    """Body of the bind requests, section 4.1.1, 4.1.3 and 4.1.5."""

    system_id: str
    password: str
    system_type: str = ""
    version: int = VERSION
    ton: int = 0
    npi: int = 0
    address_range: str = ""


class ShortMessage(Value, frozen=True, kw_only=True):
    """Body of submit_sm and deliver_sm (sections 4.4.1, 4.6.1), and of data_sm (4.7.1)."""

    source: str
    destination: str
    service_type: str = ""
    source_ton: int = 0
    source_npi: int = 0
    destination_ton: int = 0
    destination_npi: int = 0
    esm_class: int = 0
    protocol_id: int = 0
    priority: int = 0
    schedule: str = ""
    validity: str = ""
    registered: int = 0
    replace: int = 0
    coding: int = 0
    default_message: int = 0
    octets: bytes = b""
    parameters: tuple[tuple[int, bytes], ...] = ()

    def parameter(self, tag: int) -> bytes | None:
        """Return an optional parameter's value."""
        return next((value for each, value in self.parameters if each == tag), None)

    @property
    def content(self) -> bytes:
        """The message, wherever it stands: a payload counts where short_message is empty."""
        return self.octets or self.parameter(Tag.MESSAGE_PAYLOAD) or b""

    @property
    def is_receipt(self) -> bool:
        """Whether it tells of a message that we sent; some centres tell by the parameter alone."""
        kind = self.esm_class & _RECEIPT_BITS
        return kind in _RECEIPT_KINDS or self.parameter(Tag.RECEIPTED_MESSAGE_ID) is not None


Body: TypeAlias = Login | ShortMessage | str | None


class Frames:
    """Cuts a stream into PDUs."""

    def __init__(self) -> None:
        self._stream = Stream("command_length", _HEAD.size, LONGEST)

    def feed(self, octets: bytes) -> Iterator[Frame]:
        """Yield every PDU that is whole now.

        Raises:
            Malformed: A length that cannot be; nothing behind it can be found any more.
        """
        for message in self._stream.feed(octets):
            _, command, status, sequence = _HEAD.unpack_from(message)
            yield Frame(
                command=command, status=status, sequence=sequence, body=message[_HEAD.size :]
            )


def frame(command: int, sequence: int, body: bytes = b"", status: int = 0) -> Frame:
    """Return a PDU."""
    return Frame(command=command, status=status, sequence=sequence, body=body)


def response(to: Frame, status: int = 0, body: bytes | None = None) -> Frame:
    """Return the answer to a request; deliver_sm_resp has a message id that is empty (4.6.2)."""
    if body is None:
        body = b"\0" if to.command in (Command.DELIVER_SM, Command.DATA_SM) else b""
    return frame(to.command | RESPONSE, to.sequence, body, status)


def nack(sequence: int, status: int = Status.INVALID_COMMAND) -> Frame:
    """Return a generic_nack (section 4.3.1)."""
    return frame(RESPONSE, sequence, b"", status)


# Bodies ---------------------------------------------------------------------------------------


class _Reader(Reader):
    """Reads the fields of SMPP."""

    def text(self, name: str) -> str:
        """Return a C-octet string (section 3.1), of whatever length its field should have."""
        end = self._body.find(b"\0", self._at)
        if end < 0:
            raise Malformed(name, "its end is missing")
        found, self._at = self._body[self._at : end], end + 1
        return found.decode("ascii", "replace")

    def octet(self, name: str) -> int:
        """Return an integer of one octet."""
        if self._at >= len(self._body):
            raise Malformed(name, "the message ends before it")
        self._at += 1
        return self._body[self._at - 1]

    def parameters(self) -> tuple[tuple[int, bytes], ...]:
        """Return the optional parameters (section 3.2.4.1), those before the first broken one."""
        found = []
        while self._at + 4 <= len(self._body):
            tag, size = struct.unpack_from(">HH", self._body, self._at)
            if self._at + 4 + size > len(self._body):
                break
            found.append((tag, self._body[self._at + 4 : self._at + 4 + size]))
            self._at += 4 + size
        return tuple(found)


def login_of(body: bytes) -> Login:
    """Return the body of a bind request. Raises `Malformed`."""
    read = _Reader(body)
    return Login(
        system_id=read.text("system_id"),
        password=read.text("password"),
        system_type=read.text("system_type"),
        version=read.octet("interface_version"),
        ton=read.octet("addr_ton"),
        npi=read.octet("addr_npi"),
        address_range=read.text("address_range"),
    )


def login_body(login: Login) -> bytes:
    """Return the body of a bind request."""
    return b"".join(
        [
            _text(login.system_id),
            _text(login.password),
            _text(login.system_type),
            bytes([login.version, login.ton, login.npi]),
            _text(login.address_range),
        ]
    )


def short_message_of(body: bytes) -> ShortMessage:
    """Return the body of a submit_sm or deliver_sm. Raises `Malformed`."""
    read = _Reader(body)
    fields = {"service_type": read.text("service_type"), **_addresses(read)}
    numbers = {"esm_class": read.octet("esm_class"), "protocol_id": read.octet("protocol_id")}
    numbers["priority"] = read.octet("priority_flag")
    fields["schedule"] = read.text("schedule_delivery_time")
    fields["validity"] = read.text("validity_period")
    for name in ("registered", "replace", "coding", "default_message"):
        numbers[name] = read.octet(name)
    octets = read.octets("short_message", read.octet("sm_length"))
    return ShortMessage(**fields, **numbers, octets=octets, parameters=read.parameters())  # type: ignore[arg-type]  # two groups of fields


def _addresses(read: _Reader) -> dict[str, str | int]:
    return {
        "source_ton": read.octet("source_addr_ton"),
        "source_npi": read.octet("source_addr_npi"),
        "source": read.text("source_addr"),
        "destination_ton": read.octet("dest_addr_ton"),
        "destination_npi": read.octet("dest_addr_npi"),
        "destination": read.text("destination_addr"),
    }


def short_message_body(message: ShortMessage) -> bytes:
    """Return the body of a submit_sm or deliver_sm."""
    return b"".join(
        [
            _text(message.service_type),
            bytes([message.source_ton, message.source_npi]),
            _text(message.source),
            bytes([message.destination_ton, message.destination_npi]),
            _text(message.destination),
            bytes([message.esm_class, message.protocol_id, message.priority]),
            _text(message.schedule),
            _text(message.validity),
            bytes([message.registered, message.replace, message.coding, message.default_message]),
            bytes([len(message.octets)]),
            message.octets,
            *(struct.pack(">HH", tag, len(v)) + v for tag, v in message.parameters),
        ]
    )


def data_message_of(body: bytes) -> ShortMessage:
    """Return the body of a data_sm: its text is a `message_payload`. Raises `Malformed`."""
    read = _Reader(body)
    fields = {"service_type": read.text("service_type"), **_addresses(read)}
    numbers = {name: read.octet(name) for name in ("esm_class", "registered", "coding")}
    return ShortMessage(**fields, **numbers, parameters=read.parameters())  # type: ignore[arg-type]  # two groups of fields


def message_id_of(body: bytes) -> str:
    """Return the message id of a submit_sm_resp (section 4.4.2), empty where the centre gives none."""
    return body.partition(b"\0")[0].decode("ascii", "replace")


def _text(value: str) -> bytes:
    return value.encode("ascii", "replace").replace(b"\0", b"") + b"\0"
