"""Characters of text messages: every coding in, segments out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.sms.segments import count, segments
from channels.sms.text import charset_of, decode, gsm7_text

LAMP = "汴河路的路灯不亮"


@pytest.mark.parametrize(
    ("octets", "coding", "text", "sure"),
    [
        (b"\x00Hi \x1be\x1b<x\x1b>\x10", 0, "@Hi €[x]Δ", True),
        (b"A\x1bA\x1b\x1bB", 0, "AA B", True),  # an escape before nothing
        (b"Hi @", 1, "Hi @", True),
        ("fenêtre".encode("latin-1"), 3, "fenêtre", True),
        (LAMP.encode(), 4, LAMP, False),
        (LAMP.encode("gb18030"), 4, LAMP, False),
        (LAMP.encode("utf-16-be"), 8, LAMP, True),
        ("😱路".encode("utf-16-be"), 8, "😱路", True),
        (LAMP.encode("utf-16-be") + b"\x4e", 8, LAMP, True),  # an odd octet
        (b"\xd8\x3d" + "路".encode("utf-16-be"), 8, "\ufffd路", True),  # half an emoji
        ((LAMP + "喆镕").encode("gb18030"), 15, LAMP + "喆镕", True),
        (LAMP.encode("utf-16-be"), 0x18, LAMP, True),
        (LAMP.encode("utf-16-be"), 0x1B, LAMP, True),
        (LAMP.encode("gb18030"), 0xF5, LAMP, False),
        (b"hello", 0xF1, "hello", True),
        (LAMP.encode("utf-16-be"), 0xE5, LAMP, True),
        (LAMP.encode("gb18030"), 0x9A, LAMP, False),  # reserved
        (LAMP.encode("gb18030"), 0, LAMP, False),  # lies about its coding
        (b"\x80\x81\xff\x00\x01", 4, "80 81 ff 00 01", False),
        (b"", 4, "", True),
    ],
)
def test_every_coding(octets: bytes, coding: int, text: str, sure: bool) -> None:
    """What is known is decoded, what is not is guessed and marked; nothing is dropped."""
    decoded = decode(octets, coding)
    assert (decoded.text, decoded.sure) == (text, sure)


def test_the_default_alphabet_is_the_accounts() -> None:
    """Data coding 0 means what the account agreed on with its carrier."""
    assert decode(b"\x00@", 0, "ascii").text == "\x00@"
    assert decode(b"\xe9", 0, "latin1").text == "é"
    assert charset_of(0, "latin1") == "latin1"


@given(st.binary(max_size=200), st.integers(0, 255), st.sampled_from(["gsm7", "ascii", "latin1"]))
def test_no_octets_raise(octets: bytes, coding: int, alphabet: str) -> None:
    """Any octets in any coding are a text that can be stored."""
    decoded = decode(octets, coding, alphabet)  # type: ignore[arg-type]  # one of three words
    decoded.text.encode()
    assert decoded.text or len(octets) < 2


def joined(text: str, alphabet: str = "gsm7", most: int = 255) -> str:
    whole = segments(text, 7, alphabet=alphabet, most=most)  # type: ignore[arg-type]  # one of three
    out = []
    for n, segment in enumerate(whole, 1):
        octets = segment.octets
        if segment.udhi:
            assert octets[:6] == bytes([5, 0, 3, 7, len(whole), n])
            assert len(octets) <= (159 if segment.coding == 0 else 140)
            octets = octets[6:]
        piece = decode(octets, segment.coding, alphabet)  # type: ignore[arg-type]  # one of three
        assert "\ufffd" not in piece.text, "cut inside a character"
        out.append(piece.text)
    return "".join(out)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
def test_texts_are_cut_between_characters(text: str) -> None:
    """Each segment is readable by itself, and all of them are the text."""
    text = text.replace("\x1b", "")
    assert joined(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("[" * 80, 1),
        ("[" * 81, 2), ("路" * 70, 1), ("路" * 71, 2), ("路" * 134, 2), ("路" * 135, 3),
        ("😱" * 35, 1), ("😱" * 36, 2), ("", 1),
    ],
)  # fmt: skip
def test_segments_are_counted_as_carriers_do(text: str, expected: int) -> None:
    """160 and 153 septets, 70 and 67 units; an extension is two septets, an emoji two units."""
    assert count(text) == expected


@settings(max_examples=20)  # each draws hundreds of characters
@given(st.text(st.sampled_from("路灯😱a["), min_size=300, max_size=900), st.integers(1, 4))
def test_a_text_that_is_too_long_ends_with_an_ellipsis(text: str, most: int) -> None:
    """No more segments than allowed; the beginning is kept and the end says that there was more."""
    kept = joined(text, most=most)
    if count(text) <= most:
        assert kept == text
    else:
        end = "…" if kept.endswith("…") else "..."  # the default alphabet has no ellipsis
        assert kept.endswith(end)
        assert text.startswith(kept.removesuffix(end))
        assert count(kept) == most


def test_gsm7_has_no_eighth_bit() -> None:
    """An octet beyond the alphabet is none of its characters."""
    assert gsm7_text(b"a\x80") is None
