"""CMPP 2.0 and 3.0 on the wire. Sans-io: octets in, values out.

Source: 中国移动通信互联网短信网关接口协议 (China Mobile Peer to Peer, CMPP) V2.0, April 2002; section
and page are cited at each structure. V3.0 (2003) widens telephone numbers to 32 octets, adds types
of numbers and LinkID, and makes status and result four octets; its sections have the same numbers.
Integers are big-endian, strings left-aligned and filled with NUL (V2.0 section 7.1, page 12).
"""

import hashlib
import struct
from collections.abc import Iterator
from datetime import datetime
from enum import Enum, IntEnum

from channels.sms.stream import Reader, Stream
from normalizer.errors import Malformed
from normalizer.schema import Value

_HEAD = struct.Struct(">III")  # section 7.3, page 13: length, command, sequence
#: Octets of a message at most: a 3.0 SUBMIT to 100 numbers has 3,491.
LONGEST = 4096
RESPONSE = 0x8000_0000


class Version(Enum):
    """Which protocol is spoken."""

    V2 = "2.0"
    V3 = "3.0"

    @property
    def octet(self) -> int:
        """Section 7.4.1.1, page 13: major version in the high four bits."""
        return 0x20 if self is Version.V2 else 0x30

    @property
    def wide(self) -> bool:
        """Whether fields have the widths of 3.0."""
        return self is Version.V3


class Command(IntEnum):
    """Section 7.6; the response to a request has the top bit set."""

    CONNECT = 0x1
    TERMINATE = 0x2
    SUBMIT = 0x4
    DELIVER = 0x5
    ACTIVE_TEST = 0x8


class Frame(Value, frozen=True, kw_only=True):
    """A message whose body was not looked at yet."""

    command: int
    sequence: int
    body: bytes = b""

    @property
    def octets(self) -> bytes:
        """The message as it goes over the wire."""
        return _HEAD.pack(12 + len(self.body), self.command, self.sequence) + self.body


class Connect(Value, frozen=True, kw_only=True):
    """CMPP_CONNECT: section 7.4.1.1, page 13."""

    source: str
    authenticator: bytes
    version: int
    timestamp: int  #: MMDDHHMMSS as a number


class Connected(Value, frozen=True, kw_only=True):
    """CMPP_CONNECT_RESP: section 7.4.1.2, page 14."""

    status: int
    authenticator: bytes
    version: int


class Deliver(Value, frozen=True, kw_only=True):
    """CMPP_DELIVER: section 7.4.5.1, pages 18 to 20."""

    message_id: int
    destination: str
    source: str
    service: str = ""
    pid: int = 0
    udhi: int = 0
    coding: int = 0
    source_type: int = 0  #: 3.0: 0 a number, 1 a pseudonym
    registered: int = 0  #: 1: a status report
    content: bytes = b""
    link: str = ""  #: 3.0


class Report(Value, frozen=True, kw_only=True):
    """Content of a DELIVER that is a status report: section 7.4.5.1, page 19."""

    message_id: int
    state: str
    submitted: str = ""  #: YYMMDDHHMM
    done: str = ""
    destination: str = ""
    smsc_sequence: int = 0


class Submit(Value, frozen=True, kw_only=True):
    """CMPP_SUBMIT: section 7.4.3.1, pages 15 and 16."""

    source: str  #: Msg_src, the SP's id
    number: str  #: Src_Id, what the telephone shows
    destinations: tuple[str, ...]
    total: int = 1
    place: int = 1
    registered: int = 0
    level: int = 0
    service: str = ""
    fee_user_type: int = 2  #: 2: the SP pays
    fee_number: str = ""
    pid: int = 0
    udhi: int = 0
    coding: int = 8
    fee_type: str = "01"  #: free for whom it is sent to
    fee_code: str = "0"
    validity: str = ""
    at: str = ""
    content: bytes = b""


class Submitted(Value, frozen=True, kw_only=True):
    """CMPP_SUBMIT_RESP: section 7.4.3.2, page 16; also CMPP_DELIVER_RESP, 7.4.5.2, page 20."""

    message_id: int
    result: int = 0


class Frames:
    """Cuts a stream into messages."""

    def __init__(self) -> None:
        self._stream = Stream("Total_Length", _HEAD.size, LONGEST)

    def feed(self, octets: bytes) -> Iterator[Frame]:
        """Yield every message that is whole now.

        Raises:
            Malformed: A length that cannot be; nothing behind it can be found any more.
        """
        for message in self._stream.feed(octets):
            _, command, sequence = _HEAD.unpack_from(message)
            yield Frame(command=command, sequence=sequence, body=message[_HEAD.size :])


# Login ----------------------------------------------------------------------------------------


def stamp(now: datetime) -> int:
    """Return a time as CONNECT writes it, MMDDHHMMSS, in the zone of ``now``."""
    return int(now.strftime("%m%d%H%M%S"))


def authenticator(source: str, secret: str, timestamp: int) -> bytes:
    """Return what proves to the gateway who we are (section 7.4.1.1, page 13)."""
    said = source.encode() + bytes(9) + secret.encode() + f"{timestamp:010d}".encode()
    return hashlib.md5(said, usedforsecurity=False).digest()  # the protocol's own, of 2002


def gateway_authenticator(status: bytes, ours: bytes, secret: str) -> bytes:
    """Return what proves to us who the gateway is (section 7.4.1.2, page 14).

    Args:
        status: As it stands in the message, one octet or four.
        ours: What we sent.
        secret: Shared with the gateway.
    """
    return hashlib.md5(status + ours + secret.encode(), usedforsecurity=False).digest()


def connect_body(connect: Connect) -> bytes:
    """Return the body of a CONNECT, 27 octets."""
    head = _fixed(connect.source, 6) + connect.authenticator
    return head + struct.pack(">BI", connect.version, connect.timestamp)


def connect_of(body: bytes) -> Connect:
    """Return the body of a CONNECT. Raises `Malformed`."""
    read = _Reader(body)
    return Connect(
        source=read.text("Source_Addr", 6),
        authenticator=read.octets("AuthenticatorSource", 16),
        version=read.number("Version", 1),
        timestamp=read.number("Timestamp", 4),
    )


def connected_body(connected: Connected, version: Version) -> bytes:
    """Return the body of a CONNECT_RESP."""
    status = connected.status.to_bytes(_result_size(version), "big")
    return status + connected.authenticator + bytes([connected.version])


def connected_of(body: bytes) -> Connected:
    """Return the body of a CONNECT_RESP. Its length tells the version: some servers fall back.

    Raises:
        Malformed: It is neither 18 nor 21 octets long.
    """
    if len(body) not in (18, 21):
        raise Malformed("CMPP_CONNECT_RESP", f"{len(body)} octets; 18 or 21 can be")
    read = _Reader(body)
    return Connected(
        status=read.number("Status", len(body) - 17),
        authenticator=read.octets("AuthenticatorISMG", 16),
        version=read.number("Version", 1),
    )


# Messages -------------------------------------------------------------------------------------


def deliver_of(body: bytes, version: Version) -> Deliver:
    """Return the body of a DELIVER. Raises `Malformed`."""
    read, wide = _Reader(body), version.wide
    head = {
        "message_id": read.number("Msg_Id", 8),
        "destination": read.text("Dest_Id", 21),
        "service": read.text("Service_Id", 10),
        "pid": read.number("TP_pid", 1),
        "udhi": read.number("TP_udhi", 1),
        "coding": read.number("Msg_Fmt", 1),
        "source": read.text("Src_terminal_Id", 32 if wide else 21),
        "source_type": read.number("Src_terminal_type", 1) if wide else 0,
        "registered": read.number("Registered_Delivery", 1),
    }
    content = read.octets("Msg_Content", read.number("Msg_Length", 1))
    # What is reserved behind the content says nothing, and some gateways leave it out.
    return Deliver(**head, content=content, link=read.rest() if wide else "")  # type: ignore[arg-type]  # numbers and texts


def deliver_body(deliver: Deliver, version: Version) -> bytes:
    """Return the body of a DELIVER."""
    wide = version.wide
    parts = [
        deliver.message_id.to_bytes(8, "big"),
        _fixed(deliver.destination, 21),
        _fixed(deliver.service, 10),
        bytes([deliver.pid, deliver.udhi, deliver.coding]),
        _fixed(deliver.source, 32 if wide else 21),
        bytes([deliver.source_type]) if wide else b"",
        bytes([deliver.registered, len(deliver.content)]),
        deliver.content,
        _fixed(deliver.link, 20) if wide else bytes(8),
    ]
    return b"".join(parts)


def report_of(content: bytes) -> Report:
    """Return a status report: 60 octets in 2.0, 71 in 3.0. Raises `Malformed`."""
    if len(content) not in (60, 71):
        raise Malformed("Msg_Content", f"a status report has 60 or 71 octets, not {len(content)}")
    read = _Reader(content)
    return Report(
        message_id=read.number("Msg_Id", 8),
        state=read.text("Stat", 7),
        submitted=read.text("Submit_time", 10),
        done=read.text("Done_time", 10),
        destination=read.text("Dest_terminal_Id", len(content) - 39),
        smsc_sequence=read.number("SMSC_sequence", 4),
    )


def report_content(report: Report, version: Version) -> bytes:
    """Return a status report as the content of a DELIVER."""
    return b"".join(
        [
            report.message_id.to_bytes(8, "big"),
            _fixed(report.state, 7),
            _fixed(report.submitted, 10),
            _fixed(report.done, 10),
            _fixed(report.destination, 32 if version.wide else 21),
            report.smsc_sequence.to_bytes(4, "big"),
        ]
    )


def submit_body(submit: Submit, version: Version) -> bytes:
    """Return the body of a SUBMIT; Msg_Id is the gateway's to fill."""
    wide = version.wide
    number = 32 if wide else 21
    parts = [
        bytes(8),
        bytes([submit.total, submit.place, submit.registered, submit.level]),
        _fixed(submit.service, 10),
        bytes([submit.fee_user_type]),
        _fixed(submit.fee_number, number),
        b"\0" if wide else b"",  # Fee_terminal_type
        bytes([submit.pid, submit.udhi, submit.coding]),
        _fixed(submit.source, 6),
        _fixed(submit.fee_type, 2),
        _fixed(submit.fee_code, 6),
        _fixed(submit.validity, 17),
        _fixed(submit.at, 17),
        _fixed(submit.number, 21),
        bytes([len(submit.destinations)]),
        *(_fixed(each, number) for each in submit.destinations),
        b"\0" if wide else b"",  # Dest_terminal_type
        bytes([len(submit.content)]),
        submit.content,
        bytes(20 if wide else 8),  # LinkID, Reserve
    ]
    return b"".join(parts)


def submit_of(body: bytes, version: Version) -> Submit:
    """Return the body of a SUBMIT. Raises `Malformed`."""
    read, wide = _Reader(body), version.wide
    width = 32 if wide else 21
    read.octets("Msg_Id", 8)
    values: dict[str, object] = {
        name: read.number(name, 1) for name in ("total", "place", "registered", "level")
    }
    values["service"] = read.text("Service_Id", 10)
    values["fee_user_type"] = read.number("Fee_UserType", 1)
    values["fee_number"] = read.text("Fee_terminal_Id", width)
    read.octets("Fee_terminal_type", 1 if wide else 0)
    values |= {name: read.number(name, 1) for name in ("pid", "udhi", "coding")}
    for name, size in (("source", 6), ("fee_type", 2), ("fee_code", 6), ("validity", 17)):
        values[name] = read.text(name, size)
    values["at"], values["number"] = read.text("At_Time", 17), read.text("Src_Id", 21)
    count = read.number("DestUsr_tl", 1)
    values["destinations"] = tuple(read.text("Dest_terminal_Id", width) for _ in range(count))
    read.octets("Dest_terminal_type", 1 if wide else 0)
    values["content"] = read.octets("Msg_Content", read.number("Msg_Length", 1))
    return Submit(**values)  # type: ignore[arg-type]  # read field by field above


def result_body(submitted: Submitted, version: Version) -> bytes:
    """Return the body of a SUBMIT_RESP or DELIVER_RESP, 9 octets or 12."""
    size = _result_size(version)
    return submitted.message_id.to_bytes(8, "big") + submitted.result.to_bytes(size, "big")


def result_of(body: bytes) -> Submitted:
    """Return the body of a SUBMIT_RESP or DELIVER_RESP, of either version. Raises `Malformed`."""
    if len(body) not in (9, 12):
        raise Malformed("Result", f"a response has 9 or 12 octets, not {len(body)}")
    return Submitted(
        message_id=int.from_bytes(body[:8], "big"), result=int.from_bytes(body[8:], "big")
    )


def _result_size(version: Version) -> int:
    return 4 if version.wide else 1


class _Reader(Reader):
    """Reads the fields of CMPP."""

    def number(self, name: str, size: int) -> int:
        """Return an integer."""
        return int.from_bytes(self.octets(name, size), "big")

    def text(self, name: str, size: int) -> str:
        """Return a string up to its first NUL."""
        return self.octets(name, size).partition(b"\0")[0].decode("ascii", "replace").strip()

    def rest(self) -> str:
        """Return what is left as a string."""
        return self._body[self._at :].partition(b"\0")[0].decode("ascii", "replace")


def _fixed(value: str, size: int) -> bytes:
    return value.encode("ascii", "replace")[:size].ljust(size, b"\0")
