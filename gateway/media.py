"""What a citizen's file is, by its first octets; and a name for it that is safe anywhere.

A sender's word about the type is not believed: a page that calls itself a photograph would be
shown as a page. Formats that a browser could run (HTML, SVG) are left as octet streams.
"""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

import msgspec

from normalizer.schema import Attachment

#: Octets that `media_type` wants to see.
HEAD = 512
UNKNOWN = "application/octet-stream"
#: Octets of a name in UTF-8: file systems take 255, and an index may be put behind it.
NAME_BYTES = 200

#: (offset, octets, type); the first match counts. Sources: the formats' specifications, by way of
#: https://www.iana.org/assignments/media-types and https://mimesniff.spec.whatwg.org §6.
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBPVP", "image/webp"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"#!AMR-WB\n", "audio/amr-wb"),
    (0, b"#!AMR\n", "audio/amr"),
    (0, b"#!SILK_V3", "audio/silk"),
    (1, b"#!SILK_V3", "audio/silk"),  # WeChat puts an octet 2 before it
    (8, b"WAVEfmt ", "audio/wav"),
    (8, b"AVI LIST", "video/x-msvideo"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"{\\rtf", "application/rtf"),
)

#: The major brand of an ISO base media file, ISO/IEC 14496-12 §4.3; others are taken for video.
_BRANDS = {
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"avif": "image/avif",
    b"M4A ": "audio/mp4",
    b"qt  ": "video/quicktime",
    b"3gp4": "video/3gpp",
    b"3gp5": "video/3gpp",
    b"3gp6": "video/3gpp",
}

_OFFICE = "application/vnd.openxmlformats-officedocument."
#: A ZIP archive that begins like an Office document is what its name says.
_OOXML = {
    ".docx": _OFFICE + "wordprocessingml.document",
    ".xlsx": _OFFICE + "spreadsheetml.sheet",
    ".pptx": _OFFICE + "presentationml.presentation",
}
_OOXML_ENTRIES = (b"[Content_Types].xml", b"_rels/", b"docProps/", b"word/", b"xl/", b"ppt/")
_OLE = {
    ".doc": "application/msword",
    ".xls": "application/vnd.ms-excel",
    ".ppt": "application/vnd.ms-powerpoint",
    ".wps": "application/vnd.ms-works",
}

#: A media type without parameters. Source: RFC 6838 §4.2.
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
#: What a browser runs, or may take for it. Source: https://mimesniff.spec.whatwg.org §4.6.
_ACTIVE = re.compile(r"text/html|image/svg|.*[/+]xml|.*(?:java|ecma|live|j)script.*|text/css")

_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def media_type(head: bytes, name: str) -> str:
    """Return the media type of a file.

    Args:
        head: Its first `HEAD` octets, or all of it.
        name: Its name, which tells kinds of office documents apart and nothing else.
    """
    for offset, magic, kind in _MAGIC:
        if head.startswith(magic, offset):
            return kind
    suffix = PurePosixPath(name).suffix.lower()
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head.startswith(b"PK\x03\x04"):
        office = head[30:].startswith(_OOXML_ENTRIES)  # APPNOTE.TXT §4.3.7: the name is at 30
        return _OOXML.get(suffix, "application/zip") if office else "application/zip"
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _OLE.get(suffix, "application/x-ole-storage")
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    return _audio_frame(head) or _plain(head, suffix) or UNKNOWN


def _audio_frame(head: bytes) -> str | None:
    """Return the type of a raw stream of MPEG audio frames, which has no header of its own."""
    if len(head) < 4 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:  # ISO/IEC 13818-7 §6.2: sync word, layer always 0
        return "audio/aac"
    layer, bitrate, rate = head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    known = head[1] & 0xE0 == 0xE0 and layer != 0 and bitrate != 15 and rate != 3
    return "audio/mpeg" if known else None


def _plain(head: bytes, suffix: str) -> str | None:
    """Return text/plain for what is called so and holds no octet that text does not."""
    binary = any(octet < 9 or 14 <= octet < 27 for octet in head)
    return "text/plain" if suffix == ".txt" and head and not binary else None


def declared(media_type: str) -> str:
    """Return a type that a carrier told, as an octet stream if it is none or could be run."""
    kind = media_type.partition(";")[0].strip().lower()
    return UNKNOWN if _ACTIVE.match(kind) or not _TYPE.fullmatch(kind) else kind


def tidied(attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    """Return attachments whose names and types do no harm where they are read."""
    return tuple(
        msgspec.structs.replace(a, name=safe_name(a.name), media_type=declared(a.media_type))
        for a in attachments
    )


def safe_name(name: str) -> str:
    """Return a file's name without path, invisible characters and what file systems refuse.

    The ending is kept when the name is cut. Bidirectional controls go: they make ``gpj.exe`` look
    like ``exe.jpg``.
    """
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(c for c in name if unicodedata.category(c) not in _UNSEEN)
    name = _FORBIDDEN.sub("_", name).strip(". ")
    suffix = PurePosixPath(name).suffix
    if len(suffix.encode()) > 20:
        suffix = ""
    stem = name[: len(name) - len(suffix)] if suffix else name
    room = NAME_BYTES - len(suffix.encode())
    stem = stem.encode()[:room].decode(errors="ignore")
    return stem + suffix or "file"
