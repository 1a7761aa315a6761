"""When something happened, as citizens tell it, and the words that tell no time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normalizer.text import fold, normalize_text
from normalizer.times import FoundTime, find_time

CHINA = ZoneInfo("Asia/Shanghai")
#: A Sunday afternoon.
RECEIVED = datetime(2026, 11, 22, 16, 30, 45, tzinfo=CHINA)


def found(text: str, received_at: datetime = RECEIVED) -> FoundTime | None:
    """The time of a text as the normalizer would look for it."""
    return find_time(fold(normalize_text(text)), received_at)


def at(text: str, received_at: datetime = RECEIVED) -> str | None:
    """The instant in short."""
    time = found(text, received_at)
    return f"{time.at:%Y-%m-%d %H:%M}" if time else None


#: text, instant, precision, approximate, the words
TOLD = [
    ("昨晚八点左右我家楼下打架", "2026-11-21 20:00", "hour", True, "昨晚八点左右"),
    ("上周三停水了", "2026-11-11 00:00", "day", False, "上周三"),
    ("今天早上孩子走丢了", "2026-11-22 05:00", "part_of_day", False, "今天早上"),
    ("刚才两个人抢了我的包", "2026-11-22 16:30", "minute", True, "刚才"),
    ("刚刚着火了", "2026-11-22 16:30", "minute", True, "刚刚"),
    ("十分钟前有人落水", "2026-11-22 16:20", "minute", False, "十分钟前"),
    ("大概五分钟前他滑进水里", "2026-11-22 16:25", "minute", True, "五分钟前"),
    ("半小时前着火了", "2026-11-22 16:00", "minute", False, "半小时前"),
    ("两小时前停电", "2026-11-22 14:30", "hour", False, "两小时前"),
    ("一个半小时前报的警", "2026-11-22 15:00", "minute", False, "一个半小时前"),
    ("两个多小时之前", "2026-11-22 14:30", "hour", True, "两个多小时之前"),
    ("几分钟前撞的", "2026-11-22 16:30", "minute", True, "几分钟前"),
    ("二十多分钟前", "2026-11-22 16:10", "minute", True, "二十多分钟前"),
    ("三天前晚上8点", "2026-11-19 20:00", "hour", False, "三天前晚上8点"),
    ("3天前就停水了", "2026-11-19 00:00", "day", False, "3天前"),
    ("两三天前", "2026-11-20 00:00", "day", True, "两三天前"),
    ("一周前交的材料", "2026-11-15 00:00", "day", True, "一周前"),
    ("前天下午3点半", "2026-11-20 15:30", "minute", False, "前天下午3点半"),
    ("大前天半夜", "2026-11-19 22:00", "part_of_day", False, "大前天半夜"),
    ("前晚有人偷东西", "2026-11-20 18:00", "part_of_day", False, "前晚"),
    ("昨天中午", "2026-11-21 12:00", "part_of_day", False, "昨天中午"),
    ("昨天中午1点", "2026-11-21 13:00", "hour", False, "昨天中午1点"),
    ("昨天下午三点一刻", "2026-11-21 15:15", "minute", False, "昨天下午三点一刻"),
    ("昨天早晨七点零五分", "2026-11-21 07:05", "minute", False, "昨天早晨七点零五分"),
    ("昨天夜里十一点二十分", "2026-11-21 23:20", "minute", False, "昨天夜里十一点二十分"),
    ("昨晚十点四十", "2026-11-21 22:40", "minute", False, "昨晚十点四十"),
    ("昨晚七八点钟", "2026-11-21 19:00", "hour", True, "昨晚七八点钟"),
    ("今早6点20", "2026-11-22 06:20", "minute", False, "今早6点20"),
    ("昨日15时30分许", "2026-11-21 15:30", "minute", True, "昨日15时30分许"),
    ("11月20日晚上9点", "2026-11-20 21:00", "hour", False, "11月20日晚上9点"),
    ("2026年11月20号 20:30", "2026-11-20 20:30", "minute", False, "2026年11月20号 20:30"),
    ("2026-11-20 21:05 着火", "2026-11-20 21:05", "minute", False, "2026-11-20 21:05"),
    ("2026/11/20停电", "2026-11-20 00:00", "day", False, "2026/11/20"),
    ("11.20晚上9点", "2026-11-20 21:00", "hour", False, "11.20晚上9点"),
    ("11.20日 17:25着火", "2026-11-20 17:25", "minute", False, "11.20日 17:25"),
    ("二〇二六年十一月二十日", "2026-11-20 00:00", "day", False, "二〇二六年十一月二十日"),
    ("26年11月20日", "2026-11-20 00:00", "day", False, "26年11月20日"),
    ("11月20日(周五)上午10点", "2026-11-20 10:00", "hour", False, "11月20日(周五)上午10点"),
    ("20日凌晨", "2026-11-20 00:00", "part_of_day", False, "20日凌晨"),
    ("20号晚上着火", "2026-11-20 18:00", "part_of_day", False, "20号晚上"),
    ("30号下午", "2026-10-30 13:00", "part_of_day", False, "30号下午"),
    ("上个月15号", "2026-10-15 00:00", "day", False, "上个月15号"),
    ("上上个月15号", "2026-09-15 00:00", "day", False, "上上个月15号"),
    ("本月3日", "2026-11-03 00:00", "day", False, "本月3日"),
    ("去年3月5日", "2025-03-05 00:00", "day", False, "去年3月5日"),
    ("1月5日买的车", "2026-01-05 00:00", "day", False, "1月5日"),
    ("周一晚上", "2026-11-16 18:00", "part_of_day", False, "周一晚上"),
    ("星期五下午", "2026-11-20 13:00", "part_of_day", False, "星期五下午"),
    ("上星期五下午两点", "2026-11-13 14:00", "hour", False, "上星期五下午两点"),
    ("上上周五", "2026-11-06 00:00", "day", False, "上上周五"),
    ("本周五", "2026-11-20 00:00", "day", False, "本周五"),
    ("这周三上午", "2026-11-18 08:00", "part_of_day", False, "这周三上午"),
    ("礼拜天中午", "2026-11-22 12:00", "part_of_day", False, "礼拜天中午"),
    ("从上周五开始停水", "2026-11-13 00:00", "day", False, "上周五"),
    # the night belongs to the evening before it
    ("昨晚12点", "2026-11-22 00:00", "hour", False, "昨晚12点"),
    ("昨晚24点", "2026-11-22 00:00", "hour", False, "昨晚24点"),
    ("昨天晚上12点半", "2026-11-22 00:30", "minute", False, "昨天晚上12点半"),
    ("昨晚1点多", "2026-11-22 01:00", "hour", True, "昨晚1点多"),
    ("昨晚一点着火", "2026-11-22 01:00", "hour", False, "昨晚一点"),
    ("昨夜3点", "2026-11-22 03:00", "hour", False, "昨夜3点"),
    ("昨天凌晨1点", "2026-11-21 01:00", "hour", False, "昨天凌晨1点"),
    ("今天凌晨12点半", "2026-11-22 00:30", "minute", False, "今天凌晨12点半"),
    ("今天半夜2点", "2026-11-22 02:00", "hour", False, "今天半夜2点"),
    # twelve hours or twenty-four
    ("昨天20点", "2026-11-21 20:00", "hour", False, "昨天20点"),
    ("昨天12点", "2026-11-21 12:00", "hour", False, "昨天12点"),
    ("昨天8点停电", "2026-11-21 00:00", "day", True, "昨天8点"),
    ("今天8点停电", "2026-11-22 08:00", "hour", False, "今天8点"),
    ("昨天08:30", "2026-11-21 08:30", "minute", False, "昨天08:30"),
    ("昨天下午13点", "2026-11-21 13:00", "hour", False, "昨天下午13点"),
    # the day left to the reader
    ("下午3点多在人民路被撞", "2026-11-22 15:00", "hour", True, "下午3点多"),
    ("晚上8:30被打了", "2026-11-21 20:30", "minute", True, "晚上8:30"),
    ("半夜2点有人砸门", "2026-11-22 02:00", "hour", True, "半夜2点"),
    ("15:20在人民路口撞车了", "2026-11-22 15:20", "minute", True, "15:20"),
    ("20时30分发生火灾", "2026-11-21 20:30", "minute", True, "20时30分"),
    ("早上我爸出去买菜就没回来了", "2026-11-22 05:00", "part_of_day", True, "早上"),
    ("刚才下午3点20被撞", "2026-11-22 15:20", "minute", False, "刚才下午3点20"),
    # full-width and traditional
    ("昨晚２０：１５著火", "2026-11-21 20:15", "minute", False, "昨晚20:15"),
    ("昨天晚上八點鐘", "2026-11-21 20:00", "hour", False, "昨天晚上八点钟"),
    # the first usable one
    ("明天要检查,昨天下午刚修过", "2026-11-21 13:00", "part_of_day", False, "昨天下午"),
    ("每天都吵,昨晚11点还在施工", "2026-11-21 23:00", "hour", False, "昨晚11点"),
    ("昨晚一点动静都没有", "2026-11-21 18:00", "part_of_day", False, "昨晚"),
]


@pytest.mark.parametrize(("text", "instant", "precision", "approximate", "words"), TOLD)
def test_a_told_time_is_found(
    text: str, instant: str, precision: str, approximate: bool, words: str
) -> None:
    """The instant, how exact it is, and the words that say so."""
    time = found(text)
    assert time is not None
    assert f"{time.at:%Y-%m-%d %H:%M}" == instant
    assert (time.precision, time.approximate) == (precision, approximate)
    assert time.text == words
    assert fold(normalize_text(text))[time.start : time.end] == words


@pytest.mark.parametrize(
    "text",
    [
        "",
        "我爸没气了",
        "停水两天了",
        "已停电3小时",
        "等了四十分钟",
        # to come
        "明天停水吗",
        "明天上午9点停水",
        "后天下午三点开庭",
        "下周一上午开会",
        "下个月3号搬家",
        "今晚8点有人要来闹事",
        "12月1日停水",
        "社区将于周五组织演练",
        "周五组织演练",
        # customary
        "每天晚上十点还在施工",
        "每晚10点以后放音乐",
        "每周三晚上跳广场舞",
        "天天半夜两点装修",
        "经常晚上11点多吵",
        "周一至周五早上8点堵车",
        "工作日下午5点",
        "早上8点上班高峰",
        "晚上10点还在施工",
        "营业时间09:00-18:00",
        "早上和晚上都吵",
        "早晚高峰堵车",
        "22:00到06:00禁止施工",
        "平时中午不让休息",
        "一周一次",
        # vague
        "去年冬天",
        "前几天报修过",
        "前两天",
        "最近半年",
        "三个月前",
        "一年前买的",
        "上个月",
        "以前晚上不吵",
        "之前报修过",
        "当晚8点",
        "第二天早上",
        "老师说五点就走了,这都八点多了",
        "大概三点半的时候",
        "周末",
        # impossible
        "2月30日",
        "11月31日晚上",
        "2026年2月29日",
        "2026-13-40",
        "昨天凌晨15点",
        "昨天25点",
        # no time at all
        "快点来人",
        "一点水都没有",
        "有点臭",
        "几点下班",
        "三点建议",
        "地点在人民路",
        "比分3:2",
        "人民路20号晚上黑",
        "我们3号楼晚上黑",
        "1号线晚上停运",
        "小时候",
        "今后注意",
        "零时工",
        "半小时前往现场",
        "提前10分钟前来",
        "国办发〔2020〕53号",
        "2020年1月1日起施行",
        "1990年5月3日出生",
        "110路公交",
        "13800138000",
        "11月2个人",
        "此致敬礼 2026年8月20日",
    ],
)
def test_no_time_is_made_up(text: str) -> None:
    """What is to come, customary, vague, impossible or no time at all tells none."""
    assert at(text) is None


@pytest.mark.parametrize(
    ("text", "received_at", "instant"),
    [
        ("昨晚11点", datetime(2026, 11, 22, 1, 0, tzinfo=CHINA), "2026-11-21 23:00"),
        ("昨天半夜2点", datetime(2026, 11, 22, 1, 0, tzinfo=CHINA), "2026-11-21 02:00"),
        ("晚上11点", datetime(2026, 11, 22, 1, 0, tzinfo=CHINA), "2026-11-21 23:00"),
        ("今天早上", datetime(2026, 11, 22, 4, 0, tzinfo=CHINA), None),
        ("今天8点", datetime(2026, 11, 22, 21, 0, tzinfo=CHINA), "2026-11-22 00:00"),
        ("12月28日", datetime(2027, 1, 3, 9, 0, tzinfo=CHINA), "2026-12-28 00:00"),
        ("31号晚上", datetime(2027, 3, 5, 9, 0, tzinfo=CHINA), None),
        ("上个月15号", datetime(2027, 1, 3, 9, 0, tzinfo=CHINA), "2026-12-15 00:00"),
        ("2月29日", datetime(2028, 3, 5, 9, 0, tzinfo=CHINA), "2028-02-29 00:00"),
        ("周三", datetime(2026, 11, 25, 9, 0, tzinfo=CHINA), "2026-11-25 00:00"),
        ("周三", datetime(2026, 11, 24, 9, 0, tzinfo=CHINA), "2026-11-18 00:00"),
        ("上周日", datetime(2026, 11, 23, 9, 0, tzinfo=CHINA), "2026-11-22 00:00"),
        ("上周日", datetime(2026, 11, 22, 9, 0, tzinfo=CHINA), "2026-11-15 00:00"),
        ("大前天", datetime(2027, 1, 2, 9, 0, tzinfo=CHINA), "2026-12-30 00:00"),
        ("半小时前", datetime(2027, 1, 1, 0, 10, tzinfo=CHINA), "2026-12-31 23:40"),
    ],
)
def test_the_receipt_decides(text: str, received_at: datetime, instant: str | None) -> None:
    """The same words tell another instant at another time of receipt."""
    assert at(text, received_at) == instant


def test_the_zone_is_that_of_the_receipt() -> None:
    """昨晚八点 is eight in the evening where the citizen lives."""
    time = found("昨晚八点", RECEIVED)
    assert time is not None
    assert time.at.utcoffset() == timedelta(hours=8)
    assert time.at.astimezone(UTC) == datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_seconds_of_the_receipt_are_not_told() -> None:
    """刚才 is no more exact than the minute."""
    time = found("刚才")
    assert time is not None
    assert (time.at.second, time.at.microsecond) == (0, 0)
    assert time.at <= RECEIVED


_WORDS = (
    "昨 今 前 天 晚 昨晚 前天 大前天 上 上上 个 周 星期 三 日 月 号 年 2026 11 30 31 99 0 零 半 点 时 分 刻 : "
    "- / . 20 前 之前 刚才 左右 每天 凌晨 下午 半夜 中午 分钟 小时 两 七八 十几 几 , 。 到 的 了 一 百 二〇二六 去年 明天"
)
_PIECES = st.sampled_from(_WORDS.split(" "))
_INSTANTS = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2099, 12, 31),  # noqa: DTZ001
    timezones=st.sampled_from([CHINA, UTC, ZoneInfo("Asia/Urumqi"), ZoneInfo("Europe/Berlin")]),
)


@settings(deadline=None)  # a loaded machine is slow, not wrong
@given(
    st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=12).map("".join)),
    _INSTANTS,
)
def test_any_text_is_read(text: str, received_at: datetime) -> None:
    """No text raises, and nothing happened after it was told."""
    folded = fold(normalize_text(text))
    time = find_time(folded, received_at)
    if time is not None:
        assert time.at <= received_at
        assert time.at.tzinfo is received_at.tzinfo
        assert time.text == folded[time.start : time.end] != ""
        assert time.precision in {"minute", "hour", "part_of_day", "day"}
