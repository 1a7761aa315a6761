"""Outlook's winmail.dat: what is inside comes out, and no octets hurt."""

import random
import subprocess
from pathlib import Path

from channels.email.tnef import hidden, is_tnef
from tests.channels.email.outlook import properties, winmail

_FILES = (("积水照片.jpg", b"\xff\xd8\xff\xe0 picture"), ("b.txt", b"words"))


def test_files_come_out_with_their_long_names() -> None:
    """In their order."""
    assert hidden(winmail(*_FILES)).files == list(_FILES)


def test_an_independent_reader_finds_the_same(tmp_path: Path) -> None:
    """Debian's program tnef, on what our builder made: it is no form of our own."""
    (tmp_path / "winmail.dat").write_bytes(winmail(*_FILES))
    done = subprocess.run(
        ["tnef", "--file", "winmail.dat"], cwd=tmp_path, capture_output=True, timeout=20, check=True
    )
    assert done.stderr == b""
    found = {path.read_bytes() for path in tmp_path.iterdir() if path.name != "winmail.dat"}
    assert found == {content for _, content in _FILES}


def test_the_text_is_read_where_it_is_nowhere_else() -> None:
    """As text of either width, as a page, or said to be in RTF."""
    text = "家里进水了"
    wide = winmail(mail=properties((0x1F, 0x1000, text.encode("utf-16-le") + b"\0\0")))
    narrow = winmail(mail=properties((0x1E, 0x1000, text.encode("gbk") + b"\0")))
    page = winmail(mail=properties((0x102, 0x1013, text.encode()), (0x102, 0x1009, b"rtf")))
    assert hidden(wide).text == hidden(narrow).text == text
    assert hidden(page).page.decode() == text
    assert hidden(page).rich


def test_what_is_cut_off_or_bent_raises_nothing() -> None:
    """What stands before the damage is kept."""
    whole = winmail(*_FILES, mail=properties((0x1F, 0x1000, "灯".encode("utf-16-le"))))
    for end in range(len(whole)):
        hidden(whole[:end])
    assert hidden(whole[: whole.rindex(b"words")]).files == [_FILES[0]]
    chooser = random.Random(7)  # noqa: S311 - which octets to bend
    for _ in range(2000):
        bent = bytearray(whole)
        for _ in range(4):
            bent[chooser.randrange(4, len(bent))] = chooser.randrange(256)
        hidden(bytes(bent))
    assert not is_tnef(b"PK\3\4")
