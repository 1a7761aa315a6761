"""Titles and the six elements."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normalizer.content import TITLE_MAX, elements, shorten, title_of
from normalizer.schema import Elements
from normalizer.text import fold, normalize_text


def found_in(text: str) -> Elements:
    return elements(text, fold(text), None, None)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("你好,我家水管爆了,水淹到客厅。请派人来修。", "我家水管爆了,水淹到客厅"),
        ("喂,你好!那个,楼下在吵架", "楼下在吵架"),
        ("喂你好是12345吗,我家停电了", "我家停电了"),
        ("尊敬的市长:我反映一个问题,路灯坏了。", "我反映一个问题,路灯坏了"),
        ("各位领导,您好!小区门口每天堵车。", "小区门口每天堵车"),
        ("领导你好,学校门口没有红绿灯", "学校门口没有红绿灯"),
        ("Hello, my water is cut off", "my water is cut off"),
        ("喂养流浪猫的人太多了", "喂养流浪猫的人太多了"),
        ("大家好心捐的钱去哪了", "大家好心捐的钱去哪了"),
        ("领导不作为,没人管", "领导不作为,没人管"),
        ("居住证怎么办理?需要什么材料?", "居住证怎么办理?"),
        ("救命!房子着火了!在淮海路", "救命!房子着火了!"),
        ("!!!。。\n楼道灯坏了", "楼道灯坏了"),
        ("🔥🔥楼道着火了,。", "🔥🔥楼道着火了"),
    ],
)
def test_the_title_is_the_first_sentence_that_says_something(text: str, title: str) -> None:
    """Greetings and fillers go; words that only look like them stay; short cries take company."""
    assert title_of(text) == title


@pytest.mark.parametrize("text", ["", "!!!", "🔥🔥", "你好", "您好,在吗?", "\ufffd\ufffd"])
def test_no_title_where_nothing_is_said(text: str) -> None:
    """A greeting alone, signs and nothing give no title."""
    assert title_of(text) is None


def test_a_long_sentence_ends_at_a_clause() -> None:
    """The cut shows, and falls on a comma where there is one late enough."""
    text = "仓库里冒出浓烟,闻到很重的烧焦味,里面还有两个工人没有出来,请快来"
    assert title_of(text) == "仓库里冒出浓烟,闻到很重的烧焦味,里面还有两个工人没有出来…"
    assert len(title_of("字" * 50) or "") == TITLE_MAX


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("小区电话13800138000没人接", "小区电话…"),
        ("花了12,345.67元", "花了…"),
        ("我要投诉Starbucks", "我要投诉…"),
        ("一家人都\U0001f468\u200d\U0001f469\u200d\U0001f467困住了", "一家人都…"),
        ("我们三楼着火\U0001f64f\U0001f3fb快来", "我们三楼着火…"),
        ("一二三四五\U0001f1e8\U0001f1f3\U0001f1e8\U0001f1f3", "一二三四五\U0001f1e8\U0001f1f3…"),
        ("一二三四五六\U0001f1e8\U0001f1f3看见了", "一二三四五六…"),
        ("一二三四五六e\u0301看见了", "一二三四五六…"),
        ("13800138000", "1380013…"),
    ],
)
def test_a_cut_breaks_no_number_word_or_sign(text: str, short: str) -> None:
    """What a reader takes for one thing is kept whole or left out, unless there is nothing else."""
    assert shorten(text, 8) == short


@settings(derandomize=True, max_examples=150, deadline=None)
@given(
    st.text(
        alphabet=st.one_of(
            st.characters(exclude_categories=["Cs"]),
            st.sampled_from("你好,。!1234 \U0001f468\u200d\U0001f3fb\U0001f1e8\u0301a"),
        ),
        max_size=80,
    )
)
def test_any_text_gives_a_title_that_fits(original: str) -> None:
    """A title has at most 30 code points and begins with no loose accent."""
    text = normalize_text(original)
    title = title_of(text)
    assert title is None or 0 < len(title) <= TITLE_MAX
    assert title is None or "\n" not in title
    shown = shorten(text, 10)
    assert len(shown) <= 10
    if len(text) > 10 and not any(unicodedata.category(letter)[0] == "M" for letter in text):
        assert shown.endswith("…")


def test_labels_give_all_six() -> None:
    """A record written under labels is taken as written."""
    text = (
        "时间:昨晚八点\n地点:淮海路88号\n人物:王某某,李某\n事由:楼上漏水\n"
        "经过:晚上发现天花板滴水;找物业,物业不管。\n第二天更严重\n结果:家具泡坏\n联系电话:13800138000"
    )
    assert found_in(text) == Elements(
        time="昨晚八点",
        place="淮海路88号",
        people="王某某,李某",
        event="楼上漏水",
        course="晚上发现天花板滴水;找物业,物业不管。\n第二天更严重",
        result="家具泡坏",
    )


def test_labels_in_one_line() -> None:
    """Numbered or bracketed labels end where the next begins."""
    found = found_in("1.时间:11月3日 2.地点:一中门口 3.事由:占道经营 4.诉求:尽快处理")
    assert (found.time, found.place) == ("11月3日", "一中门口")
    assert (found.event, found.result) == ("占道经营", "尽快处理")
    found = found_in("【地址】:寺庄村【联系人】:村民")
    assert (found.place, found.people) == ("寺庄村", "村民")


def test_what_the_finders_read_fills_time_and_place() -> None:
    """Without a label, the spans of the time and place finders are the elements."""
    text = "昨晚八点淮海路路灯坏了"
    assert elements(text, text, "昨晚八点", "淮海路") == Elements(time="昨晚八点", place="淮海路")


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("三名工人被困,一位老人晕倒", "三名工人、一位老人"),
        ("有3人受伤", "3人"),
        ("我父亲和我邻居吵架", "我父亲、我邻居"),
        ("我们家孩子在学校被打", "我们家孩子"),
        ("電梯裡有兩個人", "兩個人"),
        ("找了王主任和李某某,都不理", "王主任、李某某"),
        ("一口井旁有个小孩", "小孩"),
        ("工人村的居民楼、儿童医院和学生证", None),
        ("我个人的信息和主任办公室", None),
        ("初一学生", "学生"),
        ("路灯坏了", None),
    ],
)
def test_people_as_said(text: str, people: str | None) -> None:
    """People are told in the citizen's own words; things named after people are none."""
    assert found_in(text).people == people


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("我要投诉幸福小区物业乱收费。请处理", "投诉幸福小区物业乱收费"),
        ("反映淮海路路灯不亮", "反映淮海路路灯不亮"),
        ("您好,想咨询居住证怎么办", "咨询居住证怎么办"),
        ("关于小区停车难的问题,多次找物业", "关于小区停车难的问题"),
        ("我要投訴物業亂收費", "投訴物業亂收費"),
        ("多次投诉无果", None),
        ("投诉电话打不通", None),
        ("反映了很多次没人管", None),
        ("他们被投诉两次", None),
    ],
)
def test_event_where_a_word_announces_it(text: str, event: str | None) -> None:
    """The clause from the verb on is the event; telling of earlier complaints is not."""
    assert found_in(text).event == event


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("下水道堵了,导致一楼进水,臭气熏天", "导致一楼进水"),
        ("他刹车失灵,结果撞上护栏", "结果撞上护栏"),
        ("漏水一个月,要求物业赔偿。", "要求物业赔偿"),
        ("漏水一个月造成墙皮脱落,要求物业赔偿", "造成墙皮脱落"),
        ("检查结果还没出来", None),
        ("可能导致墙倒", None),
        ("会造成危险", None),
        ("不符合要求的产品", None),
    ],
)
def test_result_where_a_word_announces_it(text: str, result: str | None) -> None:
    """What came of it, else what is demanded; what only might come of it is no result."""
    assert found_in(text).result == result


def test_course_where_a_word_announces_it() -> None:
    """What follows 经过如下 is the course; passing by a place is not."""
    assert found_in("事情经过是这样的:周一我去交费,他们不收").course == "周一我去交费,他们不收"
    assert found_in("我经过淮海路时看见").course is None


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.text(
        alphabet=st.one_of(
            st.characters(),
            st.sampled_from(list("时间地点人物经过结果:投诉导致要求三名工人我父亲。,\n王某")),
        ),
        max_size=60,
    )
)
def test_every_element_is_the_citizens_own_words(original: str) -> None:
    """No input fails, and nothing is said that the text does not hold."""
    text = normalize_text(original)
    found = found_in(text)
    for element in (found.time, found.place, found.event, found.course, found.result):
        assert element is None or element.removesuffix("…") in text
    if ":" not in text:
        assert all(word in text for word in (found.people or "").split("、"))
