"""Reading a form from a request: fields into memory, files into the blob store as they arrive."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Protocol
from urllib.parse import parse_qsl

from aiohttp import web

from channels.web.multipart import Begin, Data, End, Event, Multipart, boundary_of, known
from gateway.ids import new_id
from gateway.media import HEAD, media_type, safe_name
from normalizer.errors import Malformed, Oversized
from normalizer.schema import Attachment

#: Contract section 4.
FILE_LIMIT = 10
FILE_BYTES = 10 << 20
#: 20,000 characters of four octets, and room for their line ends.
FIELD_BYTES = 128 << 10
#: A form without files: percent-encoding makes up to twelve octets of a character.
URLENCODED_BYTES = 512 << 10
TOTAL_BYTES = FILE_LIMIT * FILE_BYTES + (2 << 20)
FIELD_LIMIT = 64
NAME_LIMIT = 64
#: Seconds without a single octet after which a sender is given up.
STALL_S = 60.0


class Sink(Protocol):
    """Where files go; `gateway.blobs.Blobs` is one."""

    async def write(self, chunks: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        """Keep the octets and return their SHA-256 in hex and their number."""
        ...


class NoFiles:
    """The sink of addresses that take no files."""

    async def write(self, chunks: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        """Raise `Malformed`."""
        raise Malformed("files", "this address takes no files")


async def read_form(
    request: web.Request, blobs: Sink, fields: dict[str, str] | None = None
) -> tuple[dict[str, str], tuple[Attachment, ...]]:
    """Return the fields and the files of a form, urlencoded or multipart.

    Args:
        request: A request whose body was not touched yet.
        blobs: Where the files go.
        fields: Filled and returned; a caller that gives it keeps what was read before an error.

    Raises:
        Malformed: The form or one of its fields cannot be read; names the field or ``body``.
        Oversized: A limit is exceeded; names the field, ``files`` for their number, or ``body``.
    """
    fields = {} if fields is None else fields
    if request.content_type == "application/x-www-form-urlencoded":
        await _read_urlencoded(request, fields)
        return fields, ()
    if request.content_type != "multipart/form-data":
        raise Malformed("body", "it is neither multipart/form-data nor a urlencoded form")
    parser = Multipart(boundary_of(request.headers.get("Content-Type", "")))
    form = _Form(blobs, fields, parser)
    async with aclosing(_events(request, parser)) as events:
        async for event in events:
            if isinstance(event, Begin):
                await form.take(event, events)
    return fields, tuple(form.attachments)


async def read_body(request: web.Request, limit: int) -> bytes:
    """Return a body that is no form. Raises `Malformed` or `Oversized` naming ``body``."""
    # A small body mostly comes with its head; a timer for what is here already would be in vain.
    if request.content.is_eof() and request.content.exception() is None:
        body = request.content.read_nowait()
        if len(body) > limit:
            raise _too_long(limit)
        return body
    return b"".join([chunk async for chunk in _body(request, limit)])


async def drain(request: web.Request) -> None:
    """Take the rest of a body and forget it, so that a browser reads the answer.

    Browsers send the whole form before they look at what came back, and show a broken connection
    when it is closed under them.
    """
    with suppress(Malformed, Oversized):
        async for _ in _body(request, TOTAL_BYTES):
            pass


class _Form:
    """A multipart form as far as it was read."""

    def __init__(self, blobs: Sink, fields: dict[str, str], parser: Multipart) -> None:
        self._parser = parser
        self._blobs = blobs
        self.fields = fields
        self.attachments: list[Attachment] = []

    async def take(self, part: Begin, events: AsyncIterator[Event]) -> None:
        """Read one part to its end."""
        if len(part.name) > NAME_LIMIT:
            raise Malformed("body", f"a field's name has more than {NAME_LIMIT} characters")
        if part.filename is None:
            await self._field(part, events)
        else:
            await self._file(part, part.filename, events)

    async def _field(self, part: Begin, events: AsyncIterator[Event]) -> None:
        octets = bytearray()
        async for chunk in _content(events, part.name, FIELD_BYTES):
            octets += chunk
        if part.name in self.fields:
            raise Malformed(part.name, "it is given more than once")
        charset = part.charset or self._parser.charset
        try:
            value = octets.decode(charset)
        except UnicodeDecodeError:
            raise Malformed(part.name, f"it is not {charset.upper()}") from None
        if part.name == "_charset_":
            self._parser.charset = _known_charset(value)
        else:
            self.fields[part.name] = value

    async def _file(self, part: Begin, filename: str, events: AsyncIterator[Event]) -> None:
        content = _content(events, part.name, FILE_BYTES)
        head = bytearray()
        async for chunk in content:
            head += chunk
            if len(head) >= HEAD:
                break
        if not filename and not head:
            return  # a file input that was left empty
        if len(self.attachments) == FILE_LIMIT:
            raise Oversized("files", f"there are more than {FILE_LIMIT} files")
        name = safe_name(filename)
        sha256, size = await self._blobs.write(_joined(bytes(head), content), FILE_BYTES)
        self.attachments.append(
            Attachment(
                id=new_id(),
                name=name,
                media_type=media_type(bytes(head[:HEAD]), name),
                bytes=size,
                sha256=sha256,
            )
        )


async def _content(events: AsyncIterator[Event], name: str, limit: int) -> AsyncIterator[bytes]:
    """Yield the octets of the part that has begun. Raises `Oversized` naming the field."""
    size = 0
    async for event in events:
        if isinstance(event, End):
            return
        if isinstance(event, Data):
            size += len(event.data)
            if size > limit:
                raise Oversized(name, f"it has more than {limit} bytes")
            yield event.data


async def _joined(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in rest:
        yield chunk


async def _events(request: web.Request, parser: Multipart) -> AsyncGenerator[Event, None]:
    async for chunk in _body(request, TOTAL_BYTES):
        for event in parser.feed(chunk):
            yield event
    parser.close()


async def _body(request: web.Request, limit: int) -> AsyncIterator[bytes]:
    """Yield the body as it arrives."""
    size = 0
    while True:
        try:
            async with asyncio.timeout(STALL_S):
                chunk = await request.content.readany()
        except TimeoutError:
            raise Malformed("body", f"nothing arrived for {STALL_S:.0f} seconds") from None
        except web.RequestPayloadError:
            raise Malformed("body", "its transfer or content encoding is broken") from None
        except ConnectionError:
            raise Malformed("body", "the sender went away before its end") from None
        if not chunk:
            return
        size += len(chunk)
        if size > limit:
            raise _too_long(limit)
        yield chunk


def _too_long(limit: int) -> Oversized:
    return Oversized("body", f"it has more than {limit} bytes")


async def _read_urlencoded(request: web.Request, fields: dict[str, str]) -> None:
    body = b"".join([chunk async for chunk in _body(request, URLENCODED_BYTES)])
    fill(fields, body)


def fill(fields: dict[str, str], body: bytes) -> None:
    """Add the fields of a urlencoded form; those before a wrong one stay.

    Raises:
        Malformed: It cannot be read; names the field or ``body``.
        Oversized: It has too many fields.
    """
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=FIELD_LIMIT
        )
    except UnicodeDecodeError:
        raise Malformed("body", "it is not UTF-8") from None
    except ValueError:
        raise Oversized("body", f"the form has more than {FIELD_LIMIT} fields") from None
    for name, value in pairs:
        if name in fields:
            raise Malformed(name[:NAME_LIMIT], "it is given more than once")
        fields[name] = value


def _known_charset(value: str) -> str:
    """Return the charset that a ``_charset_`` field names (RFC 7578 §4.6)."""
    charset = known(value.strip())
    if charset is None:
        raise Malformed("_charset_", "it is not a charset that we know; use UTF-8")
    return charset
