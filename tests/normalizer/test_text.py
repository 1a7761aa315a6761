"""The stored form and the matching form of a citizen's words."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normalizer.text import fold, normalize_text, storable

#: What the careful path must get right, mixed with plain Chinese.
TRICKY = st.text(
    alphabet=st.one_of(
        st.characters(),
        st.sampled_from(
            "着火了，。 \t\n\r\x00\u200b\u200c\u200d\ufeff\u202e①²㎡㊙™￣\u0308\u030aÅ"
            "\U0001f469\ufe0f\u20e3\U0001f3f4\U000e0067\uf9dc\U0002f804⻋İẞ臺著瞭\ud83d\ude00ﷺｶﾞ"
        ),
    ),
    max_size=40,
)


@pytest.mark.parametrize(
    ("original", "text"),
    [
        ("我家着火了，快来！（三楼）", "我家着火了,快来!(三楼)"),
        ("ＡＢＣ　１２３：４５", "ABC 123:45"),
        ("等了…三小时；８～９点", "等了...三小时;8~9点"),
        ("室温只有℃", "室温只有°C"),
        ("⼈在⻋里,⻔打不开", "人在车里,门打不开"),
        ("ﻲﺴﺘ", "يست"),
    ],
)
def test_width_and_compatibility_forms_become_plain(original: str, text: str) -> None:
    """Full-width marks, units and radicals out of PDF files read like typed ones."""
    assert normalize_text(original) == text


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 三口人",  # a family, joined
        "救命\U0001f64f\U0001f3fb\U0001f198",  # skin tone
        "1\ufe0f\u20e3 三楼",  # keycap
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # flag of tags
        "㊙️ 举报 \u2122 \u203c\ufe0f",  # emoji that NFKC would spell out
        "བོད་ཡིག་གི་གསལ་བཤད།",
        "ئۇيغۇر تىلى ھەققىدە",
        "ᠮᠣᠩᠭᠣᠯ\u180b ᠬᠡᠯᠡ",
        "姓\U00020bb7,名\U00029e3d",  # Extension B
        "\uf9dc先生和\ufa11小姐",  # compatibility ideographs in names
        "葛\U000e0100",  # a variation sequence
        "(\uffe3▽\uffe3) \xa8",  # spacing accents
        "می\u200cخواهم",  # the joiner that Arabic writing needs
    ],
)
def test_what_a_person_means_by_shape_survives(text: str) -> None:
    """Emoji, scripts of the minorities and rare characters come out as they went in."""
    assert normalize_text(text) == text


@pytest.mark.parametrize(
    ("original", "text"),
    [
        ("10①垃圾", "10①垃圾"),
        ("面积120㎡13800138000", "面积120m²13800138000"),
        ("½以上", "½以上"),
        ("⑴路灯", "(1)路灯"),
    ],
)
def test_small_digits_do_not_join_a_number(original: str, text: str) -> None:
    """A circled or raised digit never lengthens the number beside it."""
    assert normalize_text(original) == text


@pytest.mark.parametrize(
    ("original", "text"),
    [
        ("着\u200b火\u200d了\ufeff", "着火了"),
        ("着\u2060火\xad了\u200e", "着火了"),
        ("\u202e了火着\u202c", "了火着"),
        ("a\x00b\x1bc\x7fd\x9fe", "abcde"),
        ("着火\U000e0061\U000e0062", "着火"),
        ("着火\ufdd0\U0001ffff", "着火"),
    ],
)
def test_invisible_characters_hide_no_word(original: str, text: str) -> None:
    """Zero-width, bidirectional, control and tag characters are dropped."""
    assert normalize_text(original) == text


@pytest.mark.parametrize(
    ("original", "text"),
    [
        ("a\r\nb\rc\x85d\u2028e\vf", "a\nb\nc\nd\ne\nf"),
        ("  　你好　　我 \n\n\n\n  家\t\t漏水 ", "你好 我\n\n家\t漏水"),
        ("a\n\n\n\nb", "a\n\nb"),
        ("a  b", "a b"),
        ("a \tb", "a\tb"),
        ("\n \n", ""),
        ("", ""),
    ],
)
def test_lines_and_spaces_are_tidy(original: str, text: str) -> None:
    r"""Every line break is \n, runs of space are one, edges and ends of lines hold none."""
    assert normalize_text(original) == text


def test_halves_of_a_surrogate_pair_join_or_become_a_mark() -> None:
    """A pair that came in two is the emoji it means; a lone half is U+FFFD, which UTF-8 can hold."""
    assert normalize_text("\ud83d\ude00 \ud83d") == "😀 \ufffd"
    assert storable("原文\ud83d\x00") == "原文\ufffd\x00"
    assert storable("原文，\u200b") == "原文，\u200b"


def test_every_spacing_accent_is_kept() -> None:
    """No character outside Arabic becomes a space and a loose accent."""
    spoilt = [
        hex(code)
        for code in range(0xA0, 0x110000)
        if not 0xD800 <= code < 0xE000 and unicodedata.normalize("NFKC", chr(code))[:1] == " "
        if normalize_text(f"x{chr(code)}y")[1:2] == " "
        and len(unicodedata.normalize("NFKC", chr(code))) > 1
        and not 0xFC00 <= code < 0xFEFF
    ]
    assert spoilt == []


@settings(derandomize=True, max_examples=250, deadline=None)
@given(TRICKY)
def test_normalizing_again_changes_nothing(original: str) -> None:
    """The stored form is a fixed point, can be written as UTF-8 and holds no control."""
    text = normalize_text(original)
    assert normalize_text(text) == text
    text.encode()
    assert not any(unicodedata.category(letter) == "Cc" for letter in text if letter not in "\n\t")
    assert "  " not in text
    assert text == text.strip(" \n\t")


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("臺灣計程車著火了", "台湾计程车着火了"),
        ("顯著瞭解,瞭望臺,乾隆,乾淨", "显著了解,瞭望台,乾隆,干净"),
        ("衞生間裡面、裏面", "卫生间里面、里面"),
        ("著名作品看著他", "著名作品看着他"),
        ("皇后在后面的干部", "皇后在后面的干部"),
        ("WIFI坏了 SOS", "wifi坏了 sos"),
        ("İstanbul ẞ", "istanbul ß"),
        ("\uf902輛\U0002f804", "车辆你"),
        ("\ud800樓", "\ud800楼"),
        ("a\x00樓", "a\x00楼"),
    ],
)
def test_matching_form_is_simplified_and_small(text: str, folded: str) -> None:
    """Traditional phrases, variants of Taiwan and Hong Kong and capitals match simplified rules."""
    assert fold(text) == folded


@settings(derandomize=True, max_examples=250, deadline=None)
@given(TRICKY)
def test_folding_keeps_every_offset(text: str) -> None:
    """Whatever comes in, the matching form has as many code points and folds to itself."""
    folded = fold(text)
    assert len(folded) == len(text)
    assert len(fold(normalize_text(text))) == len(normalize_text(text))


def test_folding_one_character_does_not_move_others() -> None:
    """Each traditional character lands at its own offset, in a text of many lines."""
    text = "樓下\n電動車\nİ著火,瞭解"
    folded = fold(text)
    assert [folded[text.index(letter)] for letter in "樓電瞭"] == ["楼", "电", "了"]
