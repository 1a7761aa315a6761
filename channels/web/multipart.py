"""Reading ``multipart/form-data`` piece by piece: bytes in, events out, nothing else.

Written for this gateway because a citizen's old telephone or a partner's home-made client sends
names in GBK, and because every limit has to be ours. Source: RFC 7578, RFC 2046 §5.1, and HTML
"multipart/form-data encoding algorithm" for how browsers write names.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from normalizer.errors import Malformed, Oversized
from normalizer.schema import Value

#: Octets of one part's header fields.
HEADER_LIMIT = 8192
#: Parts of one form.
PART_LIMIT = 64
#: RFC 2046 §5.1.1.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]\Z")
_BOUNDARY_PARAMETER = re.compile(r';\s*boundary\s*=\s*(?:"([^"]*)"|([^\s;"]+))', re.IGNORECASE)
#: One ``; name=value``. A quoted value ends at the quote that a semicolon or the end follows: a
#: GBK character may hold the octet of a backslash, and Windows paths hold real ones.
_PARAMETER = re.compile(
    rb'\s*;\s*([!#$&+\-.^_`|~0-9A-Za-z]+\*?)\s*=\s*(?:"(.*?)"(?=\s*(?:;|\Z))|([^\s;"]*))', re.DOTALL
)
_CHARSETS: Final = frozenset({"utf-8", "ascii", "gbk", "gb2312", "gb18030", "big5", "iso8859-1"})


class Begin(Value, frozen=True, kw_only=True):
    """A part begins."""

    name: str
    filename: str | None  #: as sent; None: the part is a field
    charset: str | None  #: that the part says it is in, in Python's spelling


class Data(Value, frozen=True, kw_only=True):
    """Some octets of the part that began last."""

    data: bytes


class End(Value, frozen=True, kw_only=True):
    """The part that began last is complete."""


Event = Begin | Data | End


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a ``Content-Type`` names.

    Raises:
        Malformed: It names none, or one that RFC 2046 forbids.
    """
    found = _BOUNDARY_PARAMETER.search(content_type)
    boundary = (found[1] or found[2] or "") if found else ""
    if not _BOUNDARY.match(boundary):
        raise Malformed("body", "the Content-Type of the form has no usable boundary")
    return boundary.encode("ascii")


class Multipart:
    """A form as it arrives."""

    def __init__(self, boundary: bytes) -> None:
        #: What names are in; set it once a ``_charset_`` field was read (RFC 7578 §4.6).
        self.charset = "utf-8"
        self._delimiter = b"\r\n--" + boundary
        # The first delimiter may stand at the very beginning, without a line end before it.
        self._buffer = bytearray(b"\r\n")
        self._step: Callable[[], Event | None] = self._preamble
        self._parts = 0
        self._closed = False

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield what these octets complete. The iterator must be exhausted before the next feed.

        Raises:
            Malformed: The form breaks the format; names ``body``.
            Oversized: A limit of this module is exceeded; names ``body``.
        """
        self._buffer += data
        while True:
            step = self._step
            size = len(self._buffer)
            event = step()
            if event is not None:
                yield event
            elif self._step == step and len(self._buffer) == size:
                return

    def close(self) -> None:
        """Return if the form was complete. Raises `Malformed` if it was cut off."""
        if not self._closed:
            raise Malformed("body", "the form is cut off: its closing boundary is missing")

    def _preamble(self) -> None:
        at = self._buffer.find(self._delimiter)
        if at >= 0:
            del self._buffer[: at + len(self._delimiter)]
            self._step = self._after_delimiter
        else:
            self._keep_tail()

    def _keep_tail(self) -> bytes:
        """Cut off and return what cannot belong to a delimiter any more."""
        size = max(0, len(self._buffer) - len(self._delimiter) + 1)
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _after_delimiter(self) -> None:
        if self._buffer.startswith(b"--"):
            self._closed = True
            self._step = self._epilogue
            return
        at = self._buffer.find(b"\r\n", 0, 256)
        if at < 0 and len(self._buffer) < 256:
            return
        if at < 0 or self._buffer[:at].strip(b" \t"):
            raise Malformed("body", "a boundary of the form is followed by other text")
        # The line end stays: a part without header fields is CR LF CR LF from here.
        del self._buffer[:at]
        self._step = self._headers

    def _headers(self) -> Event | None:
        at = self._buffer.find(b"\r\n\r\n", 0, HEADER_LIMIT)
        if at < 0:
            if len(self._buffer) >= HEADER_LIMIT:
                raise Oversized("body", f"a part's header has more than {HEADER_LIMIT} bytes")
            return None
        self._parts += 1
        if self._parts > PART_LIMIT:
            raise Oversized("body", f"the form has more than {PART_LIMIT} parts")
        begin = _begin(bytes(self._buffer[2:at]), self.charset)
        # Again the last line end stays: the delimiter of an empty part may follow at once.
        del self._buffer[: at + 2]
        self._step = self._body_start
        return begin

    def _body_start(self) -> None:
        if len(self._buffer) < 2 + len(self._delimiter):
            return
        if not self._buffer.startswith(self._delimiter):
            del self._buffer[:2]
        self._step = self._body

    def _body(self) -> Event | None:
        at = self._buffer.find(self._delimiter)
        if at < 0:
            data = self._keep_tail()
            return Data(data=data) if data else None
        if at > 0:
            data = bytes(self._buffer[:at])
            del self._buffer[:at]
            return Data(data=data)
        del self._buffer[: len(self._delimiter)]
        self._step = self._after_delimiter
        return End()

    def _epilogue(self) -> None:
        self._buffer.clear()


def _begin(header: bytes, names_in: str) -> Begin:
    """Return the start of the part with these header fields, names being in ``names_in``."""
    fields: dict[bytes, bytes] = {}
    for line in header.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon or not name.strip() or name[:1].isspace():
            raise Malformed("body", "a part's header is not made of lines 'Name: value'")
        fields[name.strip().lower()] = value.strip()
    if fields.get(b"content-transfer-encoding", b"binary").lower() not in (
        b"binary",
        b"8bit",
        b"7bit",
    ):
        # RFC 7578 §4.7 deprecates it; nothing that browsers send has it.
        raise Malformed("body", "a part has a Content-Transfer-Encoding; send it as it is")
    kind, parameters = _disposition(fields.get(b"content-disposition", b""))
    if kind != b"form-data" or b"name" not in parameters:
        raise Malformed("body", "a part's Content-Disposition is not form-data with a name")
    return Begin(
        name=_decoded(_unescaped(parameters[b"name"]), names_in),
        filename=_filename(parameters, names_in),
        charset=_charset(fields.get(b"content-type", b"")),
    )


def _disposition(value: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    kind, _, _ = value.partition(b";")
    at = len(kind)
    parameters: dict[bytes, bytes] = {}
    while found := _PARAMETER.match(value, at):
        parameters.setdefault(found[1].lower(), found[2] if found[2] is not None else found[3])
        at = found.end()
    if value[at:].strip(b" \t;"):
        raise Malformed("body", "a part's Content-Disposition cannot be read")
    return kind.strip().lower(), parameters


def _unescaped(value: bytes) -> bytes:
    """Undo how clients write what a quoted name cannot hold.

    Browsers write a quotation mark as %22, older curl puts a backslash before it, and aiohttp
    percent-encodes everything: undone if that makes UTF-8 of what was ASCII.
    """
    value = value.replace(b'\\"', b'"').replace(b"%22", b'"')
    if b"%" in value and value.isascii():
        plain = unquote_to_bytes(value)
        if not plain.isascii() and _is_utf8(plain):
            return plain
    return value


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _filename(parameters: dict[bytes, bytes], names_in: str) -> str | None:
    extended = parameters.get(b"filename*")
    if extended is not None:
        # RFC 8187 §3.2: charset'language'percent-encoded
        charset, _, rest = extended.partition(b"'")
        _, quote, encoded = rest.partition(b"'")
        if quote:
            name_in = known(charset.decode("ascii", "replace")) or names_in
            return _decoded(unquote_to_bytes(encoded), name_in)
    plain = parameters.get(b"filename")
    return None if plain is None else _decoded(_unescaped(plain), names_in)


def _decoded(value: bytes, charset: str) -> str:
    """Return a name as text: in what it should be in, else in the GBK of old Windows."""
    for candidate in (charset, "gb18030"):
        try:
            return value.decode(candidate)
        except UnicodeDecodeError:
            continue
    return value.decode("utf-8", "replace")


def _charset(content_type: bytes) -> str | None:
    found = re.search(rb';\s*charset\s*=\s*"?([^\s;"]+)', content_type, re.IGNORECASE)
    return known(found[1].decode("ascii", "replace")) if found else None


def known(charset: str) -> str | None:
    """Return Python's name of a charset that citizens' clients use, None for any other."""
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        return None
    return name if name in _CHARSETS else None
