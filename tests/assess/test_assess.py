"""What the judge makes of texts, with the lexicons that ship."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.phone.codec import RECORDED, TRANSFERRED, UNHEARD, WITHOUT_SOUND
from gateway.judge.assess import MOST_EVIDENCE, assess
from gateway.judge.rulebook import Rulebook, load
from normalizer.schema import Domain, Judged, RequestType, Service, Urgency
from normalizer.text import fold, normalize_text
from tests.assess.conftest import Judge
from tests.assess.situations import CALM, EMERGENCIES

RULEBOOK = load(None)
CLAIMS = {"urgency", "services", "verify", "type", "domain"}


def check(judged: Judged, text: str) -> None:
    """Assert what holds for every text."""
    assert len(judged.evidence) <= MOST_EVIDENCE
    for item in judged.evidence:
        assert item.claim in CLAIMS
        assert 0 <= item.start <= item.end <= len(text)
        assert text[item.start : item.end] == item.text
        assert item.rule
    claims = {item.claim for item in judged.evidence}
    assert {"type", "domain"} <= claims
    assert claims & {"urgency", "verify"}
    assert ("verify" in claims) == judged.verify
    assert ("services" in claims) == bool(judged.services)
    assert judged.urgency is not Urgency.EMERGENCY or (judged.services and judged.kind)
    assert judged.urgency is not Urgency.NORMAL or not judged.services
    assert judged.version


@pytest.mark.parametrize(("text", "services"), EMERGENCIES, ids=[text for text, _ in EMERGENCIES])
def test_emergencies(judge: Judge, text: str, services: tuple[str, ...]) -> None:
    """Who must come is called at once, the one most needed first."""
    judged = judge(text)
    assert judged.urgency is Urgency.EMERGENCY
    assert judged.services[0] == services[0]
    assert set(services) <= set(judged.services)
    assert judged.type is RequestType.HELP
    check(judged, normalize_text(text))


@pytest.mark.parametrize("text", CALM)
def test_what_only_sounds_like_it(judge: Judge, text: str) -> None:
    """Past, hypothetical, asked, rehearsed, told or meant otherwise: no desk is alarmed."""
    judged = judge(text)
    assert judged.urgency is not Urgency.EMERGENCY
    assert not judged.verify
    check(judged, normalize_text(text))


@pytest.mark.parametrize(
    "text",
    [
        "打120没人接",
        "楼道里有人在惨叫",
        "着火了怎么办",
        "通知:消防演练,有人持刀砍人",
        "活着好累",
        "隔壁吵得厉害,好像打起来了",
    ],
)
def test_doubt_goes_to_a_human(judge: Judge, text: str) -> None:
    """Between an emergency and none, the text is urgent and shown."""
    judged = judge(text)
    assert judged.urgency is Urgency.URGENT or judged.urgency is Urgency.EMERGENCY
    assert judged.verify or judged.urgency is Urgency.EMERGENCY


def test_a_drill_never_silences_what_is_certain(judge: Judge) -> None:
    """A whole text's frame turns a certain happening into a doubt, with both as evidence."""
    judged = judge("通知:下午消防演练。三楼有人持刀砍人")
    assert (judged.urgency, judged.verify) == (Urgency.URGENT, True)
    rules = {item.rule for item in judged.evidence}
    assert {"violence.certain", "frame.drill"} <= rules


def test_traditional_text_keeps_its_offsets(judge: Judge) -> None:
    """Evidence quotes the citizen's own characters."""
    judged = judge("家裡著火了,快來救人")
    quoted = [item.text for item in judged.evidence if item.claim == "urgency"]
    assert any("著火" in text for text in quoted)


def test_cancelled_happenings_are_explained(judge: Judge) -> None:
    """A calm verdict names what was found and what spoke against it."""
    judged = judge("去年着火的那栋楼什么时候修")
    by_rule = {item.rule: item for item in judged.evidence}
    assert by_rule["fire.likely"].text == "着火"
    assert by_rule["fire.likely"].weight == 0
    assert by_rule["frame.past"].text == "去年"
    assert by_rule["frame.past"].weight < 0


@pytest.mark.parametrize("text", ["", "  \n", "བོད་སྐད་མི་ཤེས", "ياردەم بېرىڭلار ئۆيگە ئوت كەتتى"])
def test_what_cannot_be_read_goes_to_a_human(judge: Judge, text: str) -> None:
    """Nothing, Tibetan and Uyghur: not urgent by any word we know, but shown."""
    judged = judge(text)
    assert judged.verify
    assert judged.urgency is Urgency.NORMAL


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("我们小区突然停电了", Service.POWER),
        ("自来水管爆裂了", Service.WATER),
        ("停气三天了,家里有老人", Service.GAS),
        ("暖气管爆了", Service.HEAT),
    ],
)
def test_failed_supplies(judge: Judge, text: str, service: Service) -> None:
    """A supply that failed is urgent for its utility and alarms no desk."""
    judged = judge(text)
    assert (judged.urgency, judged.verify, judged.services) == (Urgency.URGENT, False, (service,))


def test_long_texts_are_read_to_the_end(judge: Judge) -> None:
    """A cry for help counts wherever it stands in 20,000 characters."""
    filler = "关于小区绿化养护的情况说明。" * 1400
    for text in (
        f"有人持刀砍人!{filler}",
        f"{filler[:9800]}。有人持刀砍人!{filler[:9800]}",
        f"{filler[:19900]}。刚才有人持刀砍人!",
    ):
        judged = judge(text)
        assert judged.urgency is Urgency.EMERGENCY or judged.verify
        check(judged, normalize_text(text))


def test_a_happening_behind_many_calm_ones_is_found(judge: Judge) -> None:
    """Repeating a harmless phrase hides nothing."""
    judged = judge("如果着火怎么办。" * 2000 + "刚才我家着火了,有人被困")
    assert judged.urgency is Urgency.EMERGENCY


@pytest.mark.parametrize(
    ("text", "type_", "domain"),
    [
        ("请问办理居住证需要什么材料", RequestType.CONSULTATION, Domain.POLICE),
        ("投诉小区物业乱收费,态度恶劣", RequestType.COMPLAINT, Domain.HOUSING),
        ("举报一家工厂半夜偷排废水", RequestType.REPORT, Domain.ENVIRONMENT),
        ("建议在地铁站增设无障碍电梯", RequestType.SUGGESTION, Domain.TRANSPORT),
        ("感谢社区医院护士,服务周到,特此表扬", RequestType.PRAISE, Domain.HEALTH),
        ("公司拖欠工资三个月,请求帮助", RequestType.HELP, Domain.LABOUR),
        ("幼儿园学费太贵,投诉", RequestType.COMPLAINT, Domain.EDUCATION),
        ("举报超市卖过期食品", RequestType.REPORT, Domain.MARKET),
        ("请问景区门票老人免费吗", RequestType.CONSULTATION, Domain.COMMERCE),
        ("低保什么时候发放,请问", RequestType.CONSULTATION, Domain.CIVIL),
        ("举报有人占用耕地盖房", RequestType.REPORT, Domain.RESOURCES),
        ("咨询种粮补贴标准", RequestType.CONSULTATION, Domain.AGRICULTURE),
        ("自来水公司多收水费,投诉", RequestType.COMPLAINT, Domain.UTILITIES),
        ("建议小区增加灭火器和消防栓", RequestType.SUGGESTION, Domain.SAFETY),
        ("咨询个人所得税退税", RequestType.CONSULTATION, Domain.FINANCE),
        ("宽带经常断网,投诉电信", RequestType.COMPLAINT, Domain.TELECOM),
        ("投诉政务中心办事窗口推诿", RequestType.COMPLAINT, Domain.GOVERNMENT),
        ("你好", RequestType.CONSULTATION, Domain.OTHER),
    ],
)
def test_type_and_domain(judge: Judge, text: str, type_: RequestType, domain: Domain) -> None:
    """What the writer wants and what it is about, in plain cases."""
    judged = judge(text)
    assert (judged.type, judged.domain) == (type_, domain)
    assert judged.urgency is Urgency.NORMAL


def test_the_title_weighs_more(judge: Judge) -> None:
    """A title decides the type, and its evidence claims no span of the text."""
    text = "请问这样合理吗,收费标准是什么,由谁规定"
    assert judge(text).type is RequestType.CONSULTATION
    judged = judge(text, "投诉物业乱收费")
    assert (judged.type, judged.domain) == (RequestType.COMPLAINT, Domain.HOUSING)
    check(judged, text)
    assert [item.text for item in judged.evidence if item.claim == "type"] == [""]


def test_an_emergency_told_in_the_title_counts(judge: Judge) -> None:
    """Some write the happening into the title and the address into the text."""
    judged = judge("幸福路12号三单元", "家里着火了有人被困")
    assert judged.urgency is Urgency.EMERGENCY
    assert judged.services[0] is Service.FIRE
    check(judged, "幸福路12号三单元")


def test_a_title_taken_from_the_text_is_not_read_twice(judge: Judge) -> None:
    """The same words are evidence once, with their span."""
    text = "路灯坏了一个星期没人修,晚上很黑"
    judged = judge(text, "路灯坏了一个星期没人修")
    check(judged, text)
    assert all(item.text for item in judged.evidence if item.claim == "domain")


def test_the_same_text_gives_the_same_verdict(rulebook: Rulebook, judge: Judge) -> None:
    """Neither a second run nor a second loading changes a byte."""
    other = load(None)
    for text, _ in EMERGENCIES:
        normal = normalize_text(text)
        assert judge(text) == judge(text) == assess(normal, fold(normal), other)
    assert rulebook.version == other.version


WORDS = st.sampled_from(
    [text for text, _ in EMERGENCIES]
    + list(CALM)
    + ["刚才", "如果", "🔥", "。", "\x00", "\u200d", "𠮷"]
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(WORDS, max_size=8).map("".join)))
def test_any_text_is_judged(words: str) -> None:
    """No text breaks the judge, and its evidence always fits the text."""
    text = normalize_text(words)
    check(assess(text, fold(text), RULEBOOK), text)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.text(max_size=80))
def test_any_title_is_judged(title: str, words: str) -> None:
    """No title breaks the judge either."""
    text = normalize_text(words)
    check(assess(text, fold(text), RULEBOOK, title), text)


@pytest.mark.parametrize(
    "text",
    [
        "[图片]",
        "[语音]",
        "[位置] (GCJ-02 33.64,116.97)",
        "[位置] 埇桥区万达广场3号楼 (GCJ-02 33.64,116.97)",
    ],
)
def test_what_has_no_words_is_no_emergency(judge: Judge, text: str) -> None:
    """A picture or a point of the map alone calls nobody, though cries for help name places, too."""
    assert judge(text).urgency is not Urgency.EMERGENCY


def test_a_channels_note_names_no_domain(judge: Judge) -> None:
    """Of a call that nobody has heard yet nothing is known: it is no matter of any unit's."""
    for note in (UNHEARD, RECORDED, WITHOUT_SOUND, TRANSFERRED):
        assert judge(note).domain is Domain.OTHER


@pytest.mark.parametrize(
    "text", ["(她拿着一整瓶安眠药倒嘴里了)", "（三楼有个小孩吊在窗台外面，一只手抓着）"]
)
def test_brackets_hide_nothing(judge: Judge, text: str) -> None:
    """What a citizen puts in brackets is read as if it stood without."""
    assert judge(text).urgency is Urgency.EMERGENCY


@pytest.mark.parametrize(
    "text",
    [
        "My little boy drank drain cleaner and his lips are white",
        "wo ma dao zai di shang hun mi le",
    ],
)
def test_a_language_that_the_model_was_not_taught_reaches_a_human(judge: Judge, text: str) -> None:
    """Where the lexicon has no word of it either: it may be anything."""
    judged = judge(text)
    assert judged.verify or judged.urgency is Urgency.EMERGENCY


def test_words_behind_a_sign_are_read(judge: Judge) -> None:
    """A point of the map with a cry for help is one."""
    judged = judge("[位置] 汴河中路88号 (GCJ-02 33.64,116.97) 着火了快来人")
    assert judged.urgency is Urgency.EMERGENCY
