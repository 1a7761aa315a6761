"""Words by which times are told in a text. Compared with folded text; lists, no logic."""

from typing import NamedTuple


def _words(lines: str) -> tuple[str, ...]:
    return tuple(lines.split())


class Part(NamedTuple):
    """A part of the day.

    Hours count from the day's midnight; 24 and more are small hours of the night that follows.
    """

    begins: int  #: hour at which it begins
    first: int  #: of the hours that may be told with it on the 24-hour clock
    last: int
    hours: dict[int, int]  #: hour on the 12-hour clock -> hour of the day
    night: bool = False  #: runs over midnight


_DAWN = Part(0, 0, 6, {12: 0})
_MORNING = Part(5, 3, 12, {})
_FORENOON = Part(8, 6, 12, {})
_NOON = Part(12, 10, 14, {1: 13, 2: 14})
_AFTERNOON = Part(13, 12, 19, {hour: hour + 12 for hour in range(1, 8)})
_DUSK = Part(17, 16, 20, {hour: hour + 12 for hour in range(4, 9)})
_SMALL_HOURS = {12: 24, 0: 24, **{hour: 24 + hour for hour in range(1, 5)}}
_EVENING = Part(
    18, 17, 24, {**_SMALL_HOURS, **{hour: hour + 12 for hour in range(5, 12)}}, night=True
)
_NIGHT = Part(
    22,
    19,
    24,
    {**_SMALL_HOURS, 5: 29, 6: 30, **{hour: hour + 12 for hour in range(7, 12)}},
    night=True,
)

PARTS = {
    "凌晨": _DAWN,
    **dict.fromkeys(_words("清晨 清早 大清早 一大早 一早 大早上 早上 早晨 早间 早 晨"), _MORNING),
    **dict.fromkeys(_words("上午 午前"), _FORENOON),
    **dict.fromkeys(_words("中午 正午 午间 晌午"), _NOON),
    **dict.fromkeys(_words("下午 午后"), _AFTERNOON),
    **dict.fromkeys(_words("傍晚 黄昏"), _DUSK),
    **dict.fromkeys(_words("晚上 晚间 夜晚 大晚上 晚"), _EVENING),
    **dict.fromkeys(
        _words("夜里 夜间 半夜 大半夜 后半夜 下半夜 前半夜 上半夜 深夜 午夜 夜"), _NIGHT
    ),
}
#: Days by their distance from the day of receipt.
DAYS = {
    "大前天": -3,
    **dict.fromkeys(("前天", "前日", "前儿"), -2),
    **dict.fromkeys(("昨天", "昨日", "昨儿个", "昨儿"), -1),
    **dict.fromkeys(("今天", "今日", "今儿个", "今儿"), 0),
}
#: The same, when a part of the day follows at once: 昨晚, 今早, 前夜.
DAYS_IN_PARTS = {"昨": -1, "今": 0, "前": -2}
#: What has only just been.
JUST_NOW = _words("刚才 刚刚 方才 适才")
WEEKDAYS = {
    f"{week}{day}": number
    for week in ("周", "星期", "礼拜")
    for number, days in enumerate(("一", "二", "三", "四", "五", "六", "日天"))
    for day in days
}
#: Before a weekday, by weeks from that of the receipt. The longer come first.
WEEKS = (("上上个", -2), ("上上", -2), ("上个", -1), ("这个", 0), ("上", -1), ("本", 0), ("这", 0))
#: A day that is still to come, or that only the rest of the text could tell.
OTHER_DAYS = _words("""
    明天 明日 明早 明晚 明晨 明儿 后天 后日 大后天 下周 下个周 下星期 下个星期 下礼拜 下个礼拜 下月 下个月 次日 第二天 翌日
    隔天 当天 当日 当晚 当夜 那天 那晚 改天 明年 某天 有一天 有天 前几天 前两天 前些天 这几天 这两天 几天前
""")
#: What happens again and again.
HABITS = _words("""
    每天 每日 每晚 每早 每周 每个周 每星期 每个星期 每月 每夜 每到 每逢 每次 天天 夜夜 日日 平时 平日 工作日 周末
    双休日 节假日 经常 常常 总是 老是 时常 一到 通常 往往 常年 长期 整天 整日 整夜 整晚 有时 时不时 营业 连续几天 夏天
    冬天 周一至 周一到 星期一至 星期一到 早晚 早出晚归 昼夜 日夜 从早到晚
""")
#: Words that hold one of the above and tell no time.
NO_TIME = _words("""
    时候 时间 时段 时期 时代 时刻 小时 到时 及时 按时 随时 同时 临时 平时 当时 暂时 限时 超时 准时 定时 时而 时隔 周围
    周边 周末 周期 周年 周到 日常 日子 节日 生日 假日 日期 日前 日益 如今 至今 今后 今年 今生 现今 当今 目前 提前 从前
    面前 眼前 跟前 门前 先前 前面 前台 前后 前往 前来 前去 前期 前任 前方 前提 前排 前进 前行 前夫 前妻 前男友 前女友
    早点 早已 早就 早日 提早 及早 晚点 晚辈 晚会 晚饭 晚餐 晚年 晚安 早饭 早餐 早市 早高峰 晚高峰 夜市 夜宵 夜班 夜景
    夜总会 午饭 午餐 午休 午睡 地点 重点 特点 优点 缺点 差点 几点 有点 快点 观点 站点 网点 景点 热点 试点 焦点 节点
    起点 终点 要点 疑点 痛点 难点 亮点 点击 点评 点名 点燃 点火 点头 好点 多点 少点 慢点 账号 帐号 型号 信号 号码 挂号
    符号 编号 号召 称号 口号 代号 公众号 微信号 号称 刚刚好 时速 分时 日报 早报 晚报 日元 日本 昨是 星期 礼拜 晨练
    晨跑 号楼 号线 号院 号门 早教
""")
#: After a time without a day: it is a custom or a limit, not when something was.
CUSTOMARY = _words("""
    上班 下班 放学 上学 开门 关门 开始 结束 起床 睡觉 还 仍 才 就 都 不 到 至 ~ - — – 前 之前 以前 后 之后 以后 营业
    的时候 时候 高峰 时段
""")
#: What says that a time is only about right.
ABOUT_BEFORE = _words("""
    大概 大约 约 差不多 大致 可能 应该是 好像 大概是 估计
""")
#: After a date: when a rule came into force or a person was born, not when something happened.
OF_A_RECORD = _words("""
    出生 生人 起施行 施行 起执行 执行 起实施 实施 起生效 印发 发布的
""")
#: In a clause with a weekday: it is to come.
TO_COME = _words("""
    将 要 会 准备 计划 预计 定于 打算 组织 举行 截止 通知 之前 能不能 可以
""")
#: In a clause with a part of the day alone: something happened then.
HAPPENED = _words("""
    了 过 被 发生 刚
""")
#: Before 20号 where that is a house number, not a day.
NUMBERED_THINGS = frozenset(
    "路街道巷弄院村区楼栋幢组园苑庄里门第房车厂店场城座层元桌台机床线文案批卡第"
)
#: Before a date at the end of a text where it is no signature's: 时间:2026年11月20日.
INTRODUCING = frozenset("在于是:间期为,从到自至日")
