"""What a file is and what it may be called."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media import HEAD, NAME_BYTES, media_type, safe_name


def office(name: str) -> bytes:
    """Return a document as office programs pack it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, "x")
    return packed.getvalue()[:HEAD]


@pytest.mark.parametrize(
    ("head", "name", "expected"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\x00", "a.jpg", "image/png"),
        (b"GIF89a\x01", "a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "a", "image/webp"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "a", "audio/wav"),
        (b"\x00\x00\x00\x18ftypheic", "a", "image/heic"),
        (b"\x00\x00\x00\x18ftypisom", "a", "video/mp4"),
        (b"\x00\x00\x00\x18ftypM4A ", "a", "audio/mp4"),
        (b"\x00\x00\x00\x14ftypqt  ", "a", "video/quicktime"),
        (b"%PDF-1.7", "a.txt", "application/pdf"),
        (b"#!AMR\n\x3c", "a", "audio/amr"),
        (b"\x02#!SILK_V3", "a", "audio/silk"),
        (b"ID3\x03\x00", "a", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "a", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "a", "audio/aac"),
        (b"\x1a\x45\xdf\xa3\x01\x00\x00\x00\x42\x82\x84webm", "a", "video/webm"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "通知.DOC", "application/msword"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a.jpg", "application/x-ole-storage"),
        (
            office("[Content_Types].xml"),
            "通知.docx",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        (office("[Content_Types].xml"), "a.zip", "application/zip"),
        (office("evil.exe"), "a.docx", "application/zip"),
        ("说明".encode(), "a.txt", "text/plain"),
        ("说明".encode("gbk"), "A.TXT", "text/plain"),
        (b"\x00\x01", "a.txt", "application/octet-stream"),
        (b"<html><script>", "a.jpg", "application/octet-stream"),
        (b"<svg xmlns=", "a.svg", "application/octet-stream"),
        (b"MZ\x90\x00", "a.png", "application/octet-stream"),
        (b"", "a.png", "application/octet-stream"),
    ],
)
def test_a_file_is_what_its_octets_say(head: bytes, name: str, expected: str) -> None:
    """The type follows from the content; the name only tells office documents apart."""
    assert media_type(head, name) == expected


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("照片 1.jpg", "照片 1.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\照片.jpg", "照片.jpg"),
        ("a\r\nSet-Cookie: x.jpg", "aSet-Cookie_ x.jpg"),
        ("a\x00.jpg", "a.jpg"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("..", "file"),
        ("", "file"),
        ("/", "file"),
        ('<img src=x onerror="1">.png', "_img src=x onerror=_1__.png"),
        (".htaccess", "htaccess"),
        ("a. ", "a"),
        ("字" * 300 + ".jpg", "字" * 65 + ".jpg"),
        ("x." + "y" * 300, ("x." + "y" * 300)[:NAME_BYTES]),
    ],
)
def test_a_name_is_safe_anywhere(sent: str, kept: str) -> None:
    """Paths, controls and tricks go; the words and the ending stay."""
    assert safe_name(sent) == kept


@given(st.text(max_size=120))
def test_any_name_becomes_a_file_name(sent: str) -> None:
    """No name leads out of a folder, is empty or too long for a file system."""
    kept = safe_name(sent)
    assert kept
    assert not {"/", "\\", "\0", "\n", "\r"} & set(kept)
    assert kept not in (".", "..")
    assert len(kept.encode()) <= NAME_BYTES


@given(st.binary(max_size=HEAD), st.text(max_size=10))
def test_any_octets_have_a_type(head: bytes, name: str) -> None:
    """No octets make the sniffer fail, and nothing that a browser runs comes out."""
    kind = media_type(head, name)
    assert kind.count("/") == 1
    assert kind not in ("text/html", "image/svg+xml", "application/xhtml+xml")
