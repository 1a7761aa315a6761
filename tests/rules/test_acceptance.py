"""What is not accepted, and above all what is."""

import msgspec
import pytest

from config.load import load_pack
from gateway.acceptance import PLAIN, decide, evidence
from normalizer.schema import Decision, Judged, RequestType, Urgency
from normalizer.text import fold, normalize_text

SUZHOU, CHONGQING, NINGXIA = map(load_pack, ("suzhou", "chongqing", "ningxia"))
COMPLAINT = Judged(type=RequestType.COMPLAINT)


def folded(text: str) -> str:
    return fold(normalize_text(text))


@pytest.mark.parametrize(
    ("text", "decision", "clause", "refer_to"),
    [
        ("我不服法院的判决，要求12345帮我改判", "referred", "三(二)2", "12368"),
        ("我不服法院的判決，要求幫我改判", "referred", "三(二)2", "12368"),
        ("区法院一直不给我立案", "referred", "三(二)2", "12368"),
        ("法院执行局迟迟不执行我的案子", "referred", "三(二)2", "12368"),
        ("中院二审判决不公平，希望重新审理", "referred", "三(二)2", "12368"),
        ("投诉法官徇私", "referred", "三(二)2", "12368"),
        ("检察院对我的案子作出不起诉决定，我不满意", "referred", "三(二)2", "12309"),
        ("举报村支书贪污低保款", "referred", "三(二)2", "12388"),
        ("我要举报某局局长收受贿赂", "referred", "三(二)2", "12388"),
        ("反映村里人大代表选举有问题", "refused", "三(二)2", None),
        ("投诉部队军官打人", "refused", "三(二)2", None),
        ("帮我查一下我邻居的手机号", "refused", "三(二)3", None),
        ("劳动仲裁裁决不公，我不服", "referred", "三(二)4", "仲裁"),
        ("我要申请行政复议", "referred", "三(二)4", "复议"),
        ("我不服信访局的答复意见，要求复查", "referred", "三(二)4", "信访"),
        ("我朋友借我五千块钱一直不还", "refused", "三(二)6", None),
        ("测试", "refused", "三(二)1", None),
        ("这是一条测试消息。", "refused", "三(二)1", None),
        ("哈哈哈哈", "refused", "三(二)1", None),
    ],
)
def test_what_suzhous_list_names_is_not_accepted(
    text: str, decision: str, clause: str, refer_to: str | None
) -> None:
    """With the reason, the clause, and who to turn to where there is somebody."""
    found = decide(folded(text), COMPLAINT, SUZHOU)
    assert found.decision == decision
    assert found.reason
    assert found.basis == f"《宿州市12345政府热线工作规范》{clause}"
    if refer_to is None:
        assert found.refer_to is None
    else:
        assert found.refer_to is not None
        assert refer_to in found.refer_to


@pytest.mark.parametrize(
    "text",
    [
        # the body is only where something is
        "法院门口的路灯坏了三天了",
        "投诉法院旁边的烧烤店油烟扰民",
        "检察院对面的公厕太脏",
        "部队营区附近施工扰民",
        "纪委家属院停水三天",
        "人大附中门口堵车",
        "建议法院门前增设红绿灯",
        "法院路的井盖坏了",
        "信访局旁边的停车场乱收费",
        # the body is asked about
        "请问法院的电话是多少",
        "咨询法院电话",
        "我想咨询一下怎么申请行政复议",
        "法院判决不公，请问找哪个部门反映",
        "纪委的举报电话是多少",
        # the body is not the matter
        "法院判决已经生效，可房管局就是不给我办证",
        "区政府不执行法院判决",
        "小区物业收费不合理，业主已经起诉，但电梯一直停用",
        "公司拖欠工资，劳动仲裁委说材料不够",
        "退役军人优抚金没到账",
        "环保局再不处理我就投诉到纪委",
        "已经向信访局反映过，还是没有解决漏水",
        "我的身份证号被人泄露了一直接到诈骗电话",
        # words with another meaning
        "食物腐败变质，投诉超市领导不处理",
        "路灯测试一直亮着浪费电",
        "武警医院挂号难",
        "举报超市经理收受回扣卖过期食品",
        # somebody may be in danger
        "朋友借我钱不还还威胁要打我",
        "老公打我，想离婚",
        # no matter yet
        "你好",
        "在吗",
        "",
        "。。。",
        "1",
        # a complaint about how an official behaves is the hotline's own business (三(一)2)
        "村委会主任态度差",
        "派出所所长不接电话",
    ],
)
@pytest.mark.parametrize("type_", [RequestType.COMPLAINT, RequestType.HELP, RequestType.REPORT])
def test_what_is_near_the_list_is_accepted(text: str, type_: RequestType) -> None:
    """A refusal by machine must be plain."""
    assert decide(folded(text), Judged(type=type_), SUZHOU) == Decision()


@pytest.mark.parametrize(
    "judged",
    [
        Judged(type=RequestType.COMPLAINT, urgency=Urgency.EMERGENCY),
        Judged(type=RequestType.COMPLAINT, urgency=Urgency.URGENT),
        Judged(type=RequestType.COMPLAINT, verify=True),
    ],
)
def test_emergencies_and_doubts_are_never_refused(judged: Judged) -> None:
    """Whatever else the text says."""
    text = folded("我不服法院的判决，法院一直不给我立案")
    assert decide(text, COMPLAINT, SUZHOU).decision == "referred"
    assert decide(text, judged, SUZHOU) == Decision()
    assert evidence(text, text, judged, SUZHOU) == ()


def test_a_long_text_is_left_to_people() -> None:
    """It may hold a matter of the hotline beside one that is not."""
    text = "我不服法院的判决，要求改判。"
    padded = text + "另外楼道里的灯坏了。" * 20
    assert decide(folded(text), COMPLAINT, SUZHOU).decision == "referred"
    assert len(padded) > PLAIN
    assert decide(folded(padded), COMPLAINT, SUZHOU) == Decision()


def test_a_rule_for_some_types_leaves_the_others() -> None:
    """A consultation about corruption rules is answered."""
    text = folded("村支书贪污低保款")
    assert decide(text, Judged(type=RequestType.REPORT), SUZHOU).decision == "referred"
    assert decide(text, Judged(type=RequestType.CONSULTATION), SUZHOU) == Decision()


def test_a_region_whose_source_is_silent_refuses_nothing() -> None:
    """Another city's list is not its own."""
    for text in ("我不服法院的判决，要求改判", "测试", "我要申请行政复议"):
        assert decide(folded(text), COMPLAINT, NINGXIA) == Decision()


@pytest.mark.parametrize(
    ("text", "refer_to"),
    [
        ("我要申请政府信息公开，公开征地批文", "信息公开"),
        ("不服一审判决，要求撤销", "12368"),
        ("举报镇长受贿", "12388"),
        ("申请信访复核", "信访"),
    ],
)
def test_chongqing_names_the_body_that_is_competent(text: str, refer_to: str) -> None:
    """Its measure asks for the name where there is one."""
    found = decide(folded(text), COMPLAINT, CHONGQING)
    assert found.decision == "referred"
    assert found.refer_to is not None
    assert refer_to in found.refer_to
    assert found.basis == "《重庆市12345政务服务便民热线运行管理暂行办法》不予受理(一)"


def test_the_evidence_points_into_the_text() -> None:
    """At the words that the refusal rests on."""
    text = normalize_text("你好！我不服法院的判决。")
    (found,) = evidence(text, fold(text), COMPLAINT, SUZHOU)
    assert (found.claim, found.rule, found.text) == ("acceptance", "courts", "不服法院的判决")
    assert text[found.start : found.end] == found.text
    assert msgspec.json.decode(msgspec.json.encode(found))["weight"] == 1.0
