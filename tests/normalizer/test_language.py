"""The language of a citizen's words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normalizer.language import detect


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("我家着火了,快来人", "zh-Hans"),
        ("你好", "zh-Hans"),
        ("后面里面干台", "zh-Hans"),
        ("乾隆皇帝的著作,瞭望塔,於女士", "zh-Hans"),
        ("我家樓下著火了", "zh-Hant"),
        ("台灣", "zh-Hant"),
        ("發", "zh-Hant"),
        ("这里有個小区漏水没人处理", "zh-Hans"),
        ("请问下老人家嘅長者咭喺邊度辦,要帶乜嘢", "zh-Hant"),
        ("Please help, there is a fire", "en"),
        ("HELP", "en"),
        ("བོད་ཡིག་གི་གསལ་བཤད།", "bo"),
        ("ئۇيغۇرچە ياردەم كېرەك", "ug"),
        ("ﺋﯘﻳﻐﯘﺭﭼﻪ", "ug"),
        ("كومەك كەرەك ٴبىر ٴۇي ورتەنىپ جاتىر", "kk"),
        ("ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯᠡ", "mn"),
        ("тусламж хэрэгтэй өвчтэй", "mn"),
        ("көмек керек, өрт шықты", "kk"),
        ("Пожалуйста помогите, это пожар", "ru"),
        ("火事です、助けてください", "ja"),
        ("불이 났어요", "ko"),
        ("ꆈꌠꁱꂷ", "ii"),
    ],
)
def test_the_script_tells_the_language(text: str, language: str) -> None:
    """Scripts of the country's languages and of its visitors' are told apart."""
    assert detect(text) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("我要投诉Starbucks coffee shop in 万达", "zh-Hans"),
        ("The shop 万达 sold me a fake phone, please help", "en"),
        ("我喜欢优の良品的东西", "zh-Hans"),
        ("我在西藏自治区拉萨市 བོད", "zh-Hans"),
        ("བོད་ཡིག་གི་གསལ་བཤད 拉萨", "bo"),
        ("Please call 110 불", "en"),
    ],
)
def test_the_dominant_language_of_a_mixed_text(text: str, language: str) -> None:
    """A name in another script does not change the language of the sentence."""
    assert detect(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12345",
        "!?。,",
        "😀🔥",
        "ni hao, wo jia",
        "السلام عليكم",
        "Wǒ jiā",
        "café",
        "\ud800",
        "Здраво",
    ],
)
def test_unknown_is_none(text: str) -> None:
    """Without letters, or in a script that many languages share, nothing is claimed."""
    assert detect(text) is None


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.text(max_size=40))
def test_any_text_gives_a_known_tag(text: str) -> None:
    """No input fails, and no tag is made up."""
    known = {"zh-Hans", "zh-Hant", "en", "bo", "ug", "kk", "mn", "ii", "ko", "ja", "th", "ru", None}
    assert detect(text) in known
