"""The multipart reader: whole, byte by byte, cut off, hostile."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.web.multipart import (
    HEADER_LIMIT,
    PART_LIMIT,
    Begin,
    Data,
    End,
    Multipart,
    boundary_of,
)
from normalizer.errors import ChannelError, Malformed, Oversized

BOUNDARY = b"----WebKitFormBoundaryq7Z"
#: As Chromium sends a form with a text and two files, the second input left empty.
#: Source: HTML, "multipart/form-data encoding algorithm"; written by hand after it.
FORM = (
    b"--"
    + BOUNDARY
    + b'\r\nContent-Disposition: form-data; name="text"\r\n\r\n'
    + "路灯坏了\r\n请维修".encode()
    + b"\r\n--"
    + BOUNDARY
    + b'\r\nContent-Disposition: form-data; name="files"; filename="'
    + "照片 1.jpg".encode()
    + b'"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\r\n--\r\n\x00'
    + b"\r\n--"
    + BOUNDARY
    + b'\r\nContent-Disposition: form-data; name="files"; filename=""\r\n'
    + b"Content-Type: application/octet-stream\r\n\r\n"
    + b"\r\n--"
    + BOUNDARY
    + b"--\r\n"
)
EXPECTED = [
    ("text", None, "路灯坏了\r\n请维修".encode()),
    ("files", "照片 1.jpg", b"\xff\xd8\xff\r\n--\r\n\x00"),
    ("files", "", b""),
]


def read(*pieces: bytes, boundary: bytes = BOUNDARY) -> list[tuple[str, str | None, bytes]]:
    parser = Multipart(boundary)
    parts: list[tuple[str, str | None, bytes]] = []
    begun: Begin | None = None
    content = b""
    for piece in pieces:
        for event in parser.feed(piece):
            if isinstance(event, Begin):
                assert begun is None
                begun, content = event, b""
            elif isinstance(event, Data):
                assert begun is not None
                assert event.data
                content += event.data
            else:
                assert isinstance(event, End)
                assert begun is not None
                parts.append((begun.name, begun.filename, content))
                begun = None
    parser.close()
    return parts


def part(disposition: bytes, content: bytes = b"x", *headers: bytes) -> bytes:
    lines = b"\r\n".join([b"Content-Disposition: " + disposition, *headers])
    return b"--B\r\n" + lines + b"\r\n\r\n" + content + b"\r\n--B--\r\n"


def test_a_whole_form() -> None:
    """The parts of a form arrive with their names and octets."""
    assert read(FORM) == EXPECTED


def test_a_form_byte_by_byte() -> None:
    """Where the network cuts a form makes no difference."""
    assert read(*(FORM[i : i + 1] for i in range(len(FORM)))) == EXPECTED


@given(st.lists(st.integers(0, len(FORM)), max_size=6))
def test_a_form_cut_anywhere(cuts: list[int]) -> None:
    """Nor does any other way of cutting it."""
    edges = [0, *sorted(cuts), len(FORM)]
    assert read(*(FORM[a:b] for a, b in itertools.pairwise(edges))) == EXPECTED


def test_what_surrounds_the_parts_is_passed_over() -> None:
    """Preamble and epilogue say nothing (RFC 2046 §5.1.1), nor does padding behind a boundary."""
    form = b"a preamble\r\n" + FORM.replace(BOUNDARY + b"\r\n", BOUNDARY + b" \t\r\n", 1)
    assert read(form + b"an epilogue --" + BOUNDARY) == EXPECTED


@given(st.integers(0, len(FORM) - 5))
def test_a_form_cut_off_is_malformed(size: int) -> None:
    """A form whose closing boundary did not arrive is never taken for a whole one."""
    with pytest.raises(Malformed) as caught:
        read(FORM[:size])
    assert caught.value.field == "body"


@given(st.binary(max_size=200), st.sampled_from([b"", b"--B\r\n", b"--B\r\nContent-Disposition: "]))
def test_random_bytes_raise_declared_errors_only(tail: bytes, head: bytes) -> None:
    """No bytes make the reader raise anything but our errors."""
    with contextlib.suppress(ChannelError):
        read(head + tail, boundary=b"B")


@pytest.mark.parametrize(
    ("disposition", "name", "filename"),
    [
        (b'form-data; name="files"; filename="a.jpg"', "files", "a.jpg"),
        (b"form-data; name=files; filename=a.jpg", "files", "a.jpg"),
        (b'FORM-DATA ; NAME = "files" ; FileName="a.jpg";', "files", "a.jpg"),
        (b'form-data; name="files"; filename="C:\\dir\\a.jpg"', "files", "C:\\dir\\a.jpg"),
        (b'form-data; name="files"; filename="a%22b.jpg"', "files", 'a"b.jpg'),
        (b'form-data; name="files"; filename="a\\"b.jpg"', "files", 'a"b.jpg'),
        (b'form-data; name="files"; filename="a;b.jpg"', "files", "a;b.jpg"),
        (b'form-data; name="files"; filename="100% x.jpg"', "files", "100% x.jpg"),
        ('form-data; name="files"; filename="现场照片.jpg"'.encode(), "files", "现场照片.jpg"),
        ('form-data; name="files"; filename="现场照片.jpg"'.encode("gbk"), "files", "现场照片.jpg"),
        # 乗 ends in the octet of a backslash in GBK, right before the closing quote
        ('form-data; name="files"; filename="乗"'.encode("gbk"), "files", "乗"),
        (
            b'form-data; name="files"; filename="x.jpg"; filename*=UTF-8\'\'%e7%85%a7.jpg',
            "files",
            "照.jpg",
        ),
        (b"form-data; name=files; filename*=gbk'zh'%d5%d5.jpg", "files", "照.jpg"),
        (b"form-data; name=files; filename*=nonsense''%e7%85%a7.jpg", "files", "照.jpg"),
        (b'form-data; name="files"; filename="%E7%85%A7.jpg"', "files", "照.jpg"),
        (b'form-data; name="files"; filename="%D5%D5.jpg"', "files", "%D5%D5.jpg"),
        (b'form-data; name="a"; name="b"', "a", None),
    ],
)
def test_names_as_clients_write_them(disposition: bytes, name: str, filename: str | None) -> None:
    """Names are read as browsers, curl and old Windows programs write them."""
    assert read(part(disposition), boundary=b"B") == [(name, filename, b"x")]


def test_a_parts_charset_is_told() -> None:
    """A part that says its charset is believed if we know it."""
    events = list(
        Multipart(b"B").feed(
            part(b"form-data; name=a", b"x", b"Content-Type: text/plain; charset=GBK")
        )
    )
    assert events[0] == Begin(name="a", filename=None, charset="gbk")
    events = list(
        Multipart(b"B").feed(part(b"form-data; name=a", b"x", b"Content-Type: a/b; charset=utf-7"))
    )
    assert events[0] == Begin(name="a", filename=None, charset=None)


@pytest.mark.parametrize(
    "form",
    [
        b"--B\r\n\r\nx\r\n--B--",
        b"--Bx\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--B--",
        part(b"form-data"),
        part(b'attachment; name="a"'),
        part(b'form-data; name="a'),
        part(b'form-data; name="a" b'),
        part(b'form-data; name="a"', b"x", b"no colon"),
        part(b'form-data; name="a"', b"x", b" folded: line"),
        part(b'form-data; name="a"', b"eA==", b"Content-Transfer-Encoding: base64"),
    ],
)
def test_other_parts_are_malformed(form: bytes) -> None:
    """What RFC 7578 does not know is refused, not guessed at."""
    with pytest.raises(Malformed) as caught:
        read(form, boundary=b"B")
    assert caught.value.field == "body"


def test_a_part_without_a_body_line_is_empty() -> None:
    """A delimiter right behind the header is a part without octets."""
    form = b"--B\r\nContent-Disposition: form-data; name=a\r\n\r\n--B--"
    assert read(form, boundary=b"B") == [("a", None, b"")]


def test_too_large_a_header_is_oversized() -> None:
    """A header without end is given up at the limit, not at the end of memory."""
    parser = Multipart(b"B")
    with pytest.raises(Oversized):
        list(parser.feed(b"--B\r\nA: " + b"x" * HEADER_LIMIT))


def test_too_many_parts_are_oversized() -> None:
    """The number of parts is bounded."""
    one = b"--B\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n"
    assert len(read(one * PART_LIMIT + b"--B--", boundary=b"B")) == PART_LIMIT
    with pytest.raises(Oversized):
        read(one * (PART_LIMIT + 1) + b"--B--", boundary=b"B")


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; charset=utf-8; Boundary="a b"', b"a b"),
        ("multipart/form-data;boundary=" + "x" * 70, b"x" * 70),
    ],
)
def test_the_boundary_is_found(content_type: str, boundary: bytes) -> None:
    """The boundary is read with and without quotes."""
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="é"',
        "multipart/form-data; boundary=" + "x" * 71,
    ],
)
def test_no_usable_boundary_is_malformed(content_type: str) -> None:
    """Without a boundary as RFC 2046 §5.1.1 wants it the form cannot be read."""
    with pytest.raises(Malformed):
        boundary_of(content_type)
