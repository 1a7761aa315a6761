"""SIP messages: read with distrust, written with care. No socket, no clock.

Source: RFC 3261 sections 7 (messages), 17.2.3 (matching), 20 (headers); compact names from 7.3.3.
What a datagram has that no message may have makes it `NotSip`, and nobody answers it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from normalizer.schema import Value

#: Octets of a datagram that is looked at: larger ones are no call of a telephone network.
MOST_OCTETS = 16_384
_MOST_HEADERS = 128
_MOST_LINE = 8_192

_COMPACT: Mapping[str, str] = MappingProxyType(
    {
        "i": "call-id",
        "m": "contact",
        "e": "content-encoding",
        "l": "content-length",
        "c": "content-type",
        "f": "from",
        "s": "subject",
        "k": "supported",
        "t": "to",
        "v": "via",
        "o": "event",
        "r": "refer-to",
        "b": "referred-by",
        "x": "session-expires",
    }
)
#: Without these no answer finds its way. Source: RFC 3261 section 8.1.1.
_NEEDED = ("via", "from", "to", "call-id", "cseq")
#: Headers of which one line may hold several values.
_LISTS = frozenset({"via", "record-route", "route", "contact", "diversion", "history-info"})

_REQUEST = re.compile(r"([A-Z]{2,16}) (\S+) SIP/2\.0")
_STATUS = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?")
_NAME = re.compile(r"[A-Za-z0-9!%*_+`'~.-]{1,64}")
_CSEQ = re.compile(r"([0-9]{1,10})\s+([A-Z]{2,16})")
_TAG = re.compile(r";\s*tag\s*=\s*([^\s;>,]+)")
_BRANCH = re.compile(r";\s*branch\s*=\s*([^\s;,]+)", re.IGNORECASE)

REASONS: Mapping[int, str] = MappingProxyType(
    {
        100: "Trying",
        180: "Ringing",
        200: "OK",
        400: "Bad Request",
        405: "Method Not Allowed",
        415: "Unsupported Media Type",
        420: "Bad Extension",
        481: "Call/Transaction Does Not Exist",
        482: "Loop Detected",
        486: "Busy Here",
        487: "Request Terminated",
        488: "Not Acceptable Here",
        491: "Request Pending",
        500: "Server Internal Error",
        501: "Not Implemented",
        503: "Service Unavailable",
    }
)


class NotSip(ValueError):
    """A datagram that is no SIP message, or one that cannot be answered."""


class SipMessage(Value, frozen=True, kw_only=True):
    """A request or a response."""

    method: str  #: of a response: the method of its CSeq
    uri: str = ""  #: of a request
    status: int = 0  #: of a response; 0: a request
    headers: Sequence[tuple[str, str]]  #: names in lower case and in full, in their order
    body: bytes = b""
    sequence: int
    call_id: str
    from_tag: str
    to_tag: str
    branch: str  #: of the topmost Via

    def get(self, name: str) -> str | None:
        """Return the first value of a header, named in lower case."""
        return next((value for key, value in self.headers if key == name), None)

    def all(self, name: str) -> list[str]:
        """Return every value of a header in its order, lists taken apart."""
        return [value for key, value in self.headers if key == name]


def parse(data: bytes) -> SipMessage:
    """Return the message of a datagram.

    Raises:
        NotSip: It is none, or lacks what an answer needs.
    """
    if len(data) > MOST_OCTETS:
        raise NotSip("too large")
    head, body = _halves(data)
    lines = _unfolded(head)
    headers = _headers(lines[1:])
    first = dict(reversed(headers))
    if missing := [name for name in _NEEDED if not first.get(name)]:
        raise NotSip(f"without {missing[0]}")
    sequence = _CSEQ.fullmatch(first["cseq"])
    if sequence is None or int(sequence[1]) >= 1 << 31:
        raise NotSip("CSeq")
    method, uri, status = _first_line(lines[0], sequence[2])
    return SipMessage(
        method=method,
        uri=uri,
        status=status,
        headers=headers,
        body=_sized(body, first.get("content-length")),
        sequence=int(sequence[1]),
        call_id=first["call-id"],
        from_tag=_found(_TAG, first["from"]),
        to_tag=_found(_TAG, first["to"]),
        branch=_found(_BRANCH, first["via"]),
    )


def _halves(data: bytes) -> tuple[str, bytes]:
    """Return head and body; senders that end lines by LF alone are understood."""
    head, gap, body = data.partition(b"\r\n\r\n")
    if not gap or b"\n\n" in head:
        head, gap, body = data.partition(b"\n\n")
    if not gap:
        raise NotSip("no end of headers")
    if b"\0" in head:
        raise NotSip("NUL in a header")
    return head.decode("utf-8", "replace"), body


def _unfolded(head: str) -> list[str]:
    lines: list[str] = []
    for line in head.replace("\r\n", "\n").split("\n"):
        if line[:1] in (" ", "\t") and lines:
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
        if len(lines[-1]) > _MOST_LINE:
            raise NotSip("a line too long")
    return lines


def _headers(lines: Iterable[str]) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not colon or _NAME.fullmatch(name) is None or "\r" in value:
            raise NotSip("a header line")
        name = _COMPACT.get(name, name)
        values = split_list(value) if name in _LISTS else [value.strip()]
        headers += [(name, each) for each in values]
        if len(headers) > _MOST_HEADERS:
            raise NotSip("too many headers")
    return headers


def _first_line(line: str, method: str) -> tuple[str, str, int]:
    if (request := _REQUEST.fullmatch(line)) is not None:
        if request[1] != method:
            raise NotSip("CSeq of another method")
        return method, request[2], 0
    if (status := _STATUS.fullmatch(line)) is not None:
        return method, "", int(status[1])
    raise NotSip("first line")


def _sized(body: bytes, length: str | None) -> bytes:
    """Return the body without what the datagram carries behind it (RFC 3261 section 18.3)."""
    if length is None:
        return body
    if not re.fullmatch(r"[0-9]{1,6}", length) or int(length) > len(body):
        raise NotSip("Content-Length")
    return body[: int(length)]


def _found(pattern: re.Pattern[str], value: str) -> str:
    found = pattern.search(value)
    return found[1] if found else ""


def split_list(value: str) -> list[str]:
    """Return the values of a list header: commas in quotes and brackets part nothing."""
    parts, begins, quoted, depth = [], 0, False, 0
    for at, char in enumerate(value):
        if char == '"' and value[at - 1 : at] != "\\":
            quoted = not quoted
        elif not quoted and char in "<>":
            depth = char == "<"
        elif char == "," and not quoted and not depth:
            parts.append(value[begins:at])
            begins = at + 1
    parts.append(value[begins:])
    return [part.strip() for part in parts if part.strip()]


def address_of(value: str) -> str:
    """Return the URI of a From, To, Contact or Refer-To value, without what stands around it."""
    bracketed = re.search(r"<([^<>]*)>", value)
    return bracketed[1].strip() if bracketed else value.split(";", maxsplit=1)[0].strip()


def response(  # noqa: PLR0913 - what a response is made of
    request: SipMessage,
    status: int,
    *,
    tag: str = "",
    contact: str = "",
    extra: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    body_type: str = "application/sdp",
    received: tuple[str, int] | None = None,
) -> bytes:
    """Return the datagram that answers a request.

    Args:
        request: What is answered.
        status: The code; its words are the RFC's.
        tag: Ours, put on the To header of all but 100 where it has none.
        contact: Our URI; none is sent if empty.
        extra: More headers.
        body: Its content.
        body_type: Its media type.
        received: Where the request came from, for the topmost Via (RFC 3581).
    """
    to = request.get("to") or ""
    if tag and not request.to_tag and status != 100:
        to += f";tag={tag}"
    vias = request.all("via")
    if received is not None:
        vias[0] = _marked(vias[0], received)
    lines = [f"SIP/2.0 {status} {REASONS.get(status, 'Answer')}"]
    lines += [f"Via: {via}" for via in vias]
    if request.method == "INVITE":  # RFC 3261 section 12.1.1
        lines += [f"Record-Route: {route}" for route in request.all("record-route")]
    lines += [f"From: {request.get('from')}", f"To: {to}", f"Call-ID: {request.call_id}"]
    lines += [f"CSeq: {request.sequence} {request.method}"]
    lines += [f"Contact: <{contact}>"] if contact else []
    lines += [f"{name}: {value}" for name, value in extra]
    return finish(lines, body, body_type)


def finish(lines: Sequence[str], body: bytes = b"", body_type: str = "application/sdp") -> bytes:
    """Return the datagram of a first line, headers and a body."""
    kind = [f"Content-Type: {body_type}"] if body else []
    whole = [*lines, *kind, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(whole).encode("utf-8") + body


def _marked(via: str, received: tuple[str, int]) -> str:
    """Return a Via with the address that its request came from (RFC 3581 section 4)."""
    host, port = received
    via, asked = re.subn(r";\s*rport(?!\s*=)", f";rport={port}", via, count=1)
    sent_by = re.search(r"\s(\[[^\]]+\]|[^\s:;]+)", via)
    if asked or (sent_by is not None and sent_by[1] != host):
        via = re.sub(r";\s*received=[^;]*", "", via) + f";received={host}"
    return via


class Peer(Value, frozen=True, kw_only=True):
    """The other side of a call, as requests within it need it (RFC 3261 section 12)."""

    call_id: str
    local: str  #: our From value, with our tag
    remote: str  #: our To value, with the peer's tag
    target: str  #: the peer's Contact
    routes: tuple[str, ...] = ()


def within(
    peer: Peer,
    method: str,
    sequence: int,
    *,
    via: str,
    contact: str = "",
    extra: Sequence[tuple[str, str]] = (),
) -> bytes:
    """Return a request within a call, by loose routes.

    Args:
        peer: The call's other side.
        method: The method.
        sequence: Its CSeq.
        via: Our host, port and branch: ``host:port;branch=z9hG4bK…``.
        contact: Our URI; none is sent if empty.
        extra: More headers.
    """
    lines = [f"{method} {peer.target} SIP/2.0", f"Via: SIP/2.0/UDP {via};rport"]
    lines += [f"Route: {route}" for route in peer.routes]
    lines += [f"From: {peer.local}", f"To: {peer.remote}", f"Call-ID: {peer.call_id}"]
    lines += [f"CSeq: {sequence} {method}", "Max-Forwards: 70"]
    lines += [f"Contact: <{contact}>"] if contact else []
    lines += [f"{name}: {value}" for name, value in extra]
    return finish(lines)
