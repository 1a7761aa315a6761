"""What a text says of itself: a title, and those of the six elements that it marks.

Nothing is inferred. An element is a span of the citizen's own words that stands behind a label
(``经过：``) or a word that announces it (``导致…``, ``投诉…``); else it is None.
Source of the six elements: the Suzhou hotline's rules, 四(一).
"""

import re
import unicodedata
from collections.abc import Iterator

from normalizer.schema import Elements

TITLE_MAX = 30  #: code points
_TITLE_ENOUGH = 8  #: a first sentence shorter than this takes the next one with it
_CUT = "…"

# Title ----------------------------------------------------------------------------------------

_SENTENCE = re.compile(r"[^。!?;\n]+[!?]?")
_PAUSE = r"[\s,.:!?~、…]"
#: Words that open a conversation and say nothing of the matter. 喂 and the like only before a
#: pause: 喂养 is a matter.
_GREETING = re.compile(
    rf"(?:{_PAUSE}|(?:工作人员|客服|领导|同志|市长|书记|老师|师傅|12345)?(?:你们?|您|大家|早上|上午|中午|下午|晚上|领导)好[啊呀哈吗]?(?![心像多久难容意事几些端评处友])"
    rf"|喂+(?={_PAUSE}|[你您]|$)|(?:[嗯呃额哎啊唉]+|那个|这个|在吗|有人吗|打扰一?下?了?|这?里?是?12345(?:市长)?(?:热线)?吗?)(?={_PAUSE}|$)"
    rf"|(?:尊敬的|敬爱的|亲爱的)[^,:!。\n]{{1,12}}[,:!\s]|各位(?:领导|同志)(?={_PAUSE}|$)|(?:领导|同志)(?=[,:!])"
    r"|(?:hello|hi|dear (?:sir|madam|sir or madam))(?=[\s,.:!]|$))+",
    re.IGNORECASE,
)
#: What a greeting can begin with; most texts begin otherwise.
_OPENERS = frozenset(
    " \t,.:!?~、…工客领同市书老师1你您大早上中下晚喂嗯呃额哎啊唉那这里是在有打尊敬亲各hHdD"
)
_CLAUSE = (",", "、", ":", " ")
_TRAILING = " \t,.、:~-—"


def title_of(text: str) -> str | None:
    """Return a title of at most 30 code points from a normalized text; None if it says nothing.

    It is the first sentence behind the greeting; where that is too long it ends at a clause, or
    else outside of numbers, words and emoji, and in ``…``.
    """
    title = ""
    for sentence in _sentences(text):
        longer = f"{title} {sentence}" if title and title[-1] not in "!?" else title + sentence
        if title and len(longer) > TITLE_MAX:
            break
        title = longer
        if len(title) >= _TITLE_ENOUGH:
            break
    return shorten(title, TITLE_MAX) if title else None


def _sentences(text: str) -> Iterator[str]:
    for found in _SENTENCE.finditer(text):
        start = found.start()
        greeting = _GREETING.match(text, *found.span()) if text[start] in _OPENERS else None
        start = greeting.end() if greeting else start
        sentence = text[start : found.end()].strip(_TRAILING)
        if sentence[:1].isalnum() or any(letter.isalnum() for letter in sentence):
            yield sentence


def shorten(text: str, limit: int) -> str:
    """Return ``text``, or so much of it that with ``…`` it has at most ``limit`` code points.

    A number, a word of letters and a sequence that is shown as one sign are kept whole or left
    out, unless one alone is longer than the limit.
    """
    if len(text) <= limit:
        return text
    room = limit - len(_CUT)
    clause = max([text.rfind(pause, limit // 3, room + 1) for pause in _CLAUSE])
    at = clause if clause > 0 else room
    while at > 0 and not _can_cut(text, at):
        at -= 1
    return text[: at or room].rstrip(_TRAILING) + _CUT


def _can_cut(text: str, at: int) -> bool:
    """Return whether a reader sees a boundary before ``text[at]``."""
    before, after = text[at - 1], text[at]
    if "\u4e00" <= before <= "\u9fff" and (after in _CLAUSE or "\u4e00" <= after <= "\u9fff"):
        return True  # nearly always
    if before == "\u200d" or _continues(after):
        return False
    if _is_flag_half(after) and _is_flag_half(before):
        start = at
        while start and _is_flag_half(text[start - 1]):
            start -= 1
        return (at - start) % 2 == 0
    return not (_in_number(before) and _in_number(after))


def _continues(letter: str) -> bool:
    """Return whether the letter belongs to the one before: accents, joiners, skin tones, tags."""
    return letter == "\u200d" or "\U0001f3fb" <= letter <= "\U0001f3ff" or (
        unicodedata.category(letter) in {"Mn", "Mc", "Me", "Cf"}
    )  # fmt: skip


def _is_flag_half(letter: str) -> bool:
    return "\U0001f1e6" <= letter <= "\U0001f1ff"


def _in_number(letter: str) -> bool:
    return letter in "0123456789.:-/,%+" or (letter.isascii() and letter.isalpha())


# Six elements ---------------------------------------------------------------------------------

_LABEL = re.compile(
    "(时间|发生时间|事发时间|地点|发生地点|事发地点|地址|详细地址|人物|当事人|被投诉[人方]|被反映[人方]|投诉对象|被投诉单位|联系人"
    "|事由|反映内容|反映问题|投诉内容|诉求内容|问题描述|经过|事情经过|事件经过|事发经过|过程|详细经过|结果|处理结果|诉求|要求"
    "|电话|联系电话|手机|姓名)[】\\])]? ?: ?"
)
_ELEMENT_OF_LABEL = {
    "time": re.compile("时间$"),
    "place": re.compile("地[点址]$"),
    "people": re.compile("^(?:人物|当事人|被.*|投诉对象|联系人)$"),
    "event": re.compile("事由|内容$|问题"),
    "course": re.compile("[经过]过$|过程$"),
    "result": re.compile("结果$|诉求$|要求$"),
}
_LABEL_EDGE = frozenset(" \n\t,。;!?、([【.0123456789")
_NUMERAL = "0-9一二两三四五六七八九十几"
_SURNAMES = (
    "王李张刘陈杨黄赵周吴徐孙朱马胡郭林何高梁郑罗宋谢唐韩曹许邓萧冯曾程蔡彭潘袁董余苏叶吕魏蒋田杜丁沈姜范江傅钟"
    "卢汪戴崔任陆廖姚方金邱夏谭韦贾邹石熊孟秦阎薛侯雷白龙段郝孔邵史毛常顾赖武康贺严尹钱施牛洪龚"
)
_KIN = "父亲|母亲|爸爸?|妈妈?|爷爷|奶奶|外公|外婆|姥姥|姥爷|父母|公公|婆婆|岳父|岳母|丈夫|老公|妻子|老婆|爱人|儿子|女儿|孙子|孙女|哥哥?|弟弟?|姐姐?|妹妹?|娘"
_PERSON = (
    "老人|老头|老太太|老奶奶|老爷爷|大爷|大妈|阿姨|小孩|孩子|小女孩|小男孩|女孩|男孩|宝宝|儿童|婴儿|孕妇|学生|男子|女子|男的|女的|男人|女人|小伙"
    "|姑娘|工人|民工|农民工|员工|乘客|伤者|病人|患者|村民|居民|业主|租户|住户|游客|老师|司机|驾驶员|骑手|群众|顾客|消费者|家长|保安|同事|同学"
    "|邻居|朋友|室友|房东|老板"
)
#: Every alternative begins with a plain character: so the search skips others at full speed.
_SOMEBODY = re.compile(
    f"{_KIN}|{_PERSON}|某某?|先生|女士|小姐|师傅|经理|主任|书记|局长|所长|村长|队长|个人|名人|位人|口人"
    "|人被困|人受伤|人死亡|人溺水|人中毒|人落水|人昏迷|人晕倒|人失踪|人轻伤|人重伤"
)
#: Behind the word: it names a thing, as 工人村 or 儿童医院.
_NOBODY = frozenset("楼区证院村群卡委节宿乐医公食票娘权信")
#: How many or whose, right before the word for a person.
_HOW_MANY = re.compile(f"[{_NUMERAL}][{_NUMERAL}多余]{{0,4}}(?:[名位个口][大老小男女]?)?$")
_WHOSE = re.compile("[我俺咱]们?家?的?$")
_COUNTED = frozenset("0123456789一二两三四五六七八九十几多余名位个口大老小男女")
_MEASURES = frozenset("名位个口大老小男女")
_MEASURED = frozenset("人个名位口")  #: first character of the words that a bare numeral counts
_OWN = frozenset("我俺咱们家的")
_TITLED = frozenset("某先女小师经主书局所村队")
_ALONE = frozenset(
    f"{_PERSON}|爷爷|奶奶|外公|外婆|姥姥|姥爷|父亲|母亲|父母|丈夫|妻子|老公|老婆|儿子|女儿".split(
        "|"
    )
)
_PEOPLE_MAX = 5
_BACK = 9  #: code points of the longest count
_MARK = re.compile(
    "投诉|举报|反映|咨询|求助|建议|表扬|关于|结果|导致|致使|造成|以致|要求|请求|恳请|恳求|希望|经过|过程"
)
_EVENT_WORDS = frozenset(["投诉", "举报", "反映", "咨询", "求助", "建议", "表扬"])
_OUTCOME_WORDS = frozenset(["结果", "导致", "致使", "造成", "以致"])
_DEMAND_WORDS = frozenset(["要求", "请求", "恳请", "恳求", "希望"])
#: Behind the word: it is told about, not announced.
_NOT_EVENT = re.compile(
    "电话|热线|渠道|平台|信箱|[了过无有没未后多也都好几人者的给至到书信,。]|不|很多|但|一直|$"
)
_NOT_OUTCOME = re.compile("[公出如是怎何的会,。]|$")
#: Before the word: what might come is no result.
_SUPPOSED = frozenset("会能免止将易可若么怕以")
_BEFORE_EVENT = frozenset(" \n,。;!?:、我要想来现此次们人请者,")
_BEFORE_DEMAND = frozenset(" \n,。;!?:我们现故此烈人居民主户")
_COURSE = re.compile("(?:是这样的?|是|如下)[:,]? ?")
_ABOUT = re.compile(
    "[^。;!?\n]{2,50}?的(?:问题|情况|投诉|举报|建议|咨询|求助|反映|请求|申请|意见|诉求)"
)
_TO_CLAUSE = re.compile("[^,。;!?\n]{2,60}")
_TO_SENTENCE = re.compile("[^。;!?\n]{2,80}")
_ELEMENT_MAX = 300  #: code points
_EDGES = " \t\n,.。;、:([【"
#: Number of the next item of a list, at the end of the one before it.
_ITEM = re.compile(r"(?:^|[\s,。;、])[(]?(?:[0-9]{1,2}|[一二三四五六七])[.、)]$")


def elements(text: str, folded: str, time: str | None, place: str | None) -> Elements:
    """Return those of the six elements that a text marks.

    Args:
        text: Normalized.
        folded: Its matching form, of the same length.
        time: What the time finder read, as written.
        place: What the place finder read, as written.
    """
    found = {"time": time, "place": place, "people": _people(text, folded)}
    found |= _announced(text, folded)
    if ":" in folded:
        found |= _labelled(text, folded)
    return Elements(**found)


def _people(text: str, folded: str) -> str | None:
    words: dict[str, None] = {}
    for match in _SOMEBODY.finditer(folded):
        start = _person_start(folded, match)
        if start is not None:
            words[text[start : _person_end(match)]] = None
    return "、".join(list(words)[:_PEOPLE_MAX]) or None


def _person_start(folded: str, match: re.Match[str]) -> int | None:
    """Return where the words for a person begin, None where they mean nobody in particular."""
    start, end = match.span()
    if folded[end : end + 1] in _NOBODY:
        return None
    before = folded[start - 1] if start else " "
    if before in _COUNTED:
        count = _HOW_MANY.search(folded, max(0, start - _BACK), start)
        # A bare numeral counts only 人: 初一学生 is not one pupil.
        if count and (before in _MEASURES or match[0][0] in _MEASURED):
            return count.start()
    if match[0][0] in _MEASURED:
        return None
    if before in _OWN:
        whose = _WHOSE.search(folded, max(0, start - _BACK), start)
        if whose:
            return whose.start()
    if match[0] in _ALONE:
        return start
    return start - 1 if match[0][0] in _TITLED and before in _SURNAMES else None


def _person_end(match: re.Match[str]) -> int:
    """Return the end without what befell them: 三人被困 names 三人."""
    return match.start() + 1 if match[0][0] == "人" else match.end()


def _announced(text: str, folded: str) -> dict[str, str | None]:
    """Return event, course and result where a word announces them; the first of each."""
    found: dict[str, str | None] = {}
    demand = None
    for mark in _MARK.finditer(folded):
        word = mark[0]
        if word in _DEMAND_WORDS:
            demand = demand or _demand(text, folded, mark)
        elif word in _OUTCOME_WORDS:
            found["result"] = found.get("result") or _outcome(text, folded, mark)
        elif word in {"经过", "过程"}:
            found["course"] = found.get("course") or _course(text, folded, mark)
        else:
            found["event"] = found.get("event") or _event(text, folded, mark)
    found["result"] = found.get("result") or demand
    return found


def _event(text: str, folded: str, mark: re.Match[str]) -> str | None:
    start, end = mark.span()
    if mark[0] == "关于":
        about = _ABOUT.match(folded, end)
        return _span(text, start, about.end()) if about else None
    if (start and folded[start - 1] not in _BEFORE_EVENT) or _NOT_EVENT.match(folded, end):
        return None
    rest = _TO_SENTENCE.match(folded, end)
    return _span(text, start, rest.end()) if rest else None


def _outcome(text: str, folded: str, mark: re.Match[str]) -> str | None:
    start, end = mark.span()
    before = folded[start - 1] if start else ","
    # 结果 within a clause is a noun: 检查结果.
    if before in _SUPPOSED or (mark[0] == "结果" and before not in _LABEL_EDGE):
        return None
    rest = _TO_CLAUSE.match(folded, end)
    return _span(text, start, rest.end()) if rest and not _NOT_OUTCOME.match(folded, end) else None


def _demand(text: str, folded: str, mark: re.Match[str]) -> str | None:
    start, end = mark.span()
    if start and folded[start - 1] not in _BEFORE_DEMAND:
        return None
    rest = _TO_SENTENCE.match(folded, end)
    return _span(text, start, rest.end()) if rest else None


def _course(text: str, folded: str, mark: re.Match[str]) -> str | None:
    told = _COURSE.match(folded, mark.end())
    return _span(text, told.end(), len(text)) if told else None


def _labelled(text: str, folded: str) -> dict[str, str | None]:
    """Return what stands behind labels; each reaches to the next label, or the line's end."""
    labels = [
        label
        for label in _LABEL.finditer(folded)
        if label.start() == 0 or folded[label.start() - 1] in _LABEL_EDGE
    ]
    found: dict[str, str | None] = {}
    for index, label in enumerate(labels):
        name = next((n for n, of in _ELEMENT_OF_LABEL.items() if of.search(label[1])), None)
        if name is None or found.get(name):
            continue
        until = labels[index + 1].start() if index + 1 < len(labels) else len(text)
        if name != "course":
            line = folded.find("\n", label.end(), until)
            until = line if line >= 0 else until
        item = _ITEM.search(folded, label.end(), until)
        value = _span(text, label.end(), item.start() if item else until)
        if value:
            found[name] = value
    return found


def _span(text: str, start: int, end: int) -> str | None:
    return shorten(text[start:end].strip(_EDGES), _ELEMENT_MAX) or None
