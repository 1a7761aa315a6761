"""Reading forms from real requests: files are streamed, limits hold, fields are named."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession, FormData, web

from gateway.blobs import Blobs
from gateway.forms import FILE_BYTES, Sink, read_form
from normalizer.errors import FieldError
from tests.pages.fakes import MemorySink, served

MULTIPART = {"Content-Type": "multipart/form-data; boundary=B"}


class Reader:
    """A server that reads forms and keeps what came of it."""

    def __init__(self) -> None:
        self.sink: Sink = MemorySink()
        self.names: list[tuple[str, str, int]] = []
        self.errors: asyncio.Queue[FieldError] = asyncio.Queue()
        self.begun = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        """Read the form and answer with its fields, or with the error."""
        partial: dict[str, str] = {}
        self.begun.set()
        try:
            fields, attachments = await read_form(request, self.sink, partial)
        except FieldError as error:
            self.errors.put_nowait(error)
            said = {"code": error.code, "field": error.field, "read": sorted(partial)}
            return web.json_response(said, status=400)
        self.names = [(a.name, a.media_type, a.bytes) for a in attachments]
        if isinstance(self.sink, MemorySink):
            assert {a.sha256 for a in attachments} <= set(self.sink.kept)
        assert len({a.id for a in attachments}) == len(attachments)
        return web.json_response(fields)


@pytest.fixture
def reader() -> Reader:
    """Return a fresh reader."""
    return Reader()


@pytest.fixture
async def post(reader: Reader) -> AsyncIterator[ClientSession]:
    """Yield a client of a server on loopback."""
    app = web.Application()
    app.router.add_post("/", reader.handle)
    async with served(app) as address, ClientSession(address) as session:
        yield session


def part(disposition: str, content: bytes, *headers: str, charset: str = "utf-8") -> bytes:
    head = "\r\n".join([f"Content-Disposition: form-data; {disposition}", *headers])
    return b"--B\r\n" + head.encode(charset) + b"\r\n\r\n" + content + b"\r\n"


async def test_fields_and_files_of_a_form(reader: Reader, post: ClientSession) -> None:
    """A client's form arrives with fields decoded and files kept under their digest."""
    form = FormData()
    form.add_field("text", "路灯坏了")  # aiohttp sends names percent-encoded
    form.add_field("files", b"\xff\xd8\xff" + b"x" * 5000, filename="照片.JPG", content_type="a/b")
    form.add_field("files", b"<html>", filename="page.jpg", content_type="image/jpeg")
    async with post.post("", data=form) as answer:
        assert await answer.json() == {"text": "路灯坏了"}
    assert reader.names == [
        ("照片.JPG", "image/jpeg", 5003),
        ("page.jpg", "application/octet-stream", 6),
    ]
    assert isinstance(reader.sink, MemorySink)
    assert b"<html>" in reader.sink.kept.values()


async def test_an_urlencoded_form(post: ClientSession) -> None:
    """A form without files may be urlencoded."""
    fields = {"text": "路灯坏了 & 井盖", "anonymous": "on", "title": ""}
    async with post.post("", data=fields) as answer:
        assert await answer.json() == fields


async def test_ten_files_are_taken_and_the_eleventh_is_named(
    reader: Reader, post: ClientSession
) -> None:
    """Ten files pass; the eleventh is refused as ``files``; inputs left empty do not count."""
    empty = part('name="files"; filename=""', b"", "Content-Type: application/octet-stream")
    one = part('name="files"; filename="a.txt"', b"a")
    async with post.post("", data=one * 10 + empty + b"--B--", headers=MULTIPART) as answer:
        assert answer.status == 200
    assert len(reader.names) == 10
    form = part('name="text"', b"x") + one * 11
    async with post.post("", data=form + b"--B--", headers=MULTIPART) as answer:
        assert await answer.json() == {"code": "oversized", "field": "files", "read": ["text"]}


async def test_a_file_of_ten_mebibytes_is_taken_and_one_byte_more_is_named(
    reader: Reader, post: ClientSession
) -> None:
    """The limit of a file is exact, and the error names the field of that file."""
    whole = part('name="photo"; filename="a.bin"', bytes(FILE_BYTES))
    async with post.post("", data=BytesIO(whole + b"--B--"), headers=MULTIPART) as answer:
        assert answer.status == 200
    assert reader.names == [("a.bin", "application/octet-stream", FILE_BYTES)]
    more = part('name="photo"; filename="a.bin"', bytes(FILE_BYTES + 1))
    async with post.post("", data=BytesIO(more + b"--B--"), headers=MULTIPART) as answer:
        assert await answer.json() == {"code": "oversized", "field": "photo", "read": []}


@pytest.mark.parametrize(
    ("form", "code", "field"),
    [
        (b"", "malformed", "body"),
        (b"no form at all", "malformed", "body"),
        (part('name="text"', b"x"), "malformed", "body"),
        (part('name="text"', b"\xff\xfe") + b"--B--", "malformed", "text"),
        (part('name="title"', b"a") * 2 + b"--B--", "malformed", "title"),
        (part('name="text"', b"x" * 131_073) + b"--B--", "oversized", "text"),
        (part(f'name="{"n" * 65}"', b"x") + b"--B--", "malformed", "body"),
        (part('name="a"', b"x") * 65 + b"--B--", "malformed", "a"),
        (part('name="_charset_"', b"klingon") + b"--B--", "malformed", "_charset_"),
    ],
)
async def test_a_wrong_form_names_the_field(
    post: ClientSession, form: bytes, code: str, field: str
) -> None:
    """Whatever is wrong with a form is one of our errors and names the field."""
    async with post.post("", data=form, headers=MULTIPART) as answer:
        said = await answer.json()
    assert (said["code"], said["field"]) == (code, field)


async def test_fields_in_gbk_are_read(reader: Reader, post: ClientSession) -> None:
    """A part's charset and the form's ``_charset_`` are believed; file names may be GBK."""
    form = part('name="a"', "停电".encode("gbk"), "Content-Type: text/plain; charset=gb2312")
    form += part('name="_charset_"', b"GBK") + part('name="b"', "停水".encode("gbk"))
    # In GBK 停水 is four octets that UTF-8 would take for two Greek letters.
    form += part('name="f"; filename="停水.jpg"', b"\xff\xd8\xff", charset="gbk") + b"--B--"
    async with post.post("", data=form, headers=MULTIPART) as answer:
        assert await answer.json() == {"a": "停电", "b": "停水"}
    assert reader.names == [("停水.jpg", "image/jpeg", 3)]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"text=%ff%fe", "malformed", "body"),
        (b"text=\xff", "malformed", "body"),
        (b"text=a&text=b", "malformed", "text"),
        ("&".join(f"f{n}=x" for n in range(65)).encode(), "oversized", "body"),
        (b"text=" + b"x" * (512 << 10), "oversized", "body"),
    ],
)
async def test_a_wrong_urlencoded_form_names_the_field(
    post: ClientSession, body: bytes, code: str, field: str
) -> None:
    """The same for the other encoding."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with post.post("", data=body, headers=headers) as answer:
        said = await answer.json()
    assert (said["code"], said["field"]) == (code, field)


async def test_another_content_type_is_malformed(post: ClientSession) -> None:
    """What is no form is not read as one."""
    async with post.post("", data=b"{}", headers={"Content-Type": "text/plain"}) as answer:
        assert (await answer.json())["field"] == "body"


async def test_the_longest_text_fits_an_urlencoded_form(post: ClientSession) -> None:
    """20,000 characters of four octets each pass, percent-encoded."""
    text = "😀" * 20_000
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with post.post("", data=urlencode({"text": text}), headers=headers) as answer:
        assert await answer.json() == {"text": text}


async def raw(post: ClientSession, request: bytes) -> bytes:
    """Send octets over a socket of their own and return the answer."""
    base = post._base_url
    assert base is not None
    stream, out = await asyncio.open_connection(base.host, base.port)
    out.write(request)
    answer = await stream.read()
    out.close()
    await out.wait_closed()
    return answer


async def test_a_sender_who_goes_away_leaves_nothing(reader: Reader, post: ClientSession) -> None:
    """A connection that breaks within a file is a malformed form, not a failure of the store."""
    base = post._base_url
    assert base is not None
    _, out = await asyncio.open_connection(base.host, base.port)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n"
    head += b"Content-Type: multipart/form-data; boundary=B\r\n\r\n"
    out.write(head + part('name="f"; filename="a.txt"', b"x" * 5000))
    async with asyncio.timeout(5):
        await reader.begun.wait()
        out.close()
        error = await reader.errors.get()
    assert (error.code, error.field) == ("malformed", "body")


async def test_files_reach_the_disk(tmp_path: Path, reader: Reader, post: ClientSession) -> None:
    """The real store of attachments takes what the form reader gives it."""
    blobs = Blobs(tmp_path)
    await blobs.open()
    reader.sink = blobs
    form = part('name="f"; filename="a.txt"', b"hello" * 1000) + b"--B--"
    async with post.post("", data=form, headers=MULTIPART) as answer:
        assert answer.status == 200
    assert blobs.path(sha256(b"hello" * 1000).hexdigest()).read_bytes() == b"hello" * 1000


async def test_a_body_whose_encoding_breaks_is_malformed(post: ClientSession) -> None:
    """A damaged gzip stream is the sender's error, not ours."""
    squeezed = bytearray(gzip.compress(part('name="text"', b"x" * 1000) + b"--B--"))
    squeezed[20:30] = b"\xff" * 10
    head = (
        b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: gzip\r\n"
        b"Content-Type: multipart/form-data; boundary=B\r\n"
        b"Content-Length: %d\r\n\r\n" % len(squeezed)
    )
    answer = await raw(post, head + bytes(squeezed))
    assert answer.startswith(b"HTTP/1.1 400")


async def test_a_form_that_arrives_byte_by_byte(reader: Reader, post: ClientSession) -> None:
    """A slow sender's form is the same form, its files recognised all the same."""
    form = part('name="text"', "慢".encode())
    form += part('name="f"; filename="a.png"', b"\x89PNG\r\n\x1a\n" + b"x" * 20) + b"--B--"

    async def slowly() -> AsyncIterator[bytes]:
        for octet in form:
            yield bytes((octet,))
            await asyncio.sleep(0)

    async with post.post("", data=slowly(), headers=MULTIPART) as answer:
        assert await answer.json() == {"text": "慢"}
    assert reader.names == [("a.png", "image/png", 28)]
