"""What operators are told of an outage: values and words, without anybody's data."""

import hashlib
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any

import msgspec

from adapters.backoffice.cloudevents import CloudEvent, data_of, encode
from adapters.base import Item
from gateway.notices import service_label
from gateway.view import Public
from normalizer.schema import Value

#: What people call the channels.
_CHANNELS = {
    "phone": "电话线路",
    "sms": "短信通道",
    "email": "邮件通道",
    "wechat": "微信通道",
    "web": "网页通道",
    "webhook": "合作平台",
}
_HEADS = {"raised": "故障告警", "repeated": "故障未恢复", "cleared": "故障恢复"}


class Kind(StrEnum):
    """What happened."""

    RAISED = "raised"
    REPEATED = "repeated"
    CLEARED = "cleared"


class Told(Value, frozen=True, kw_only=True):
    """When a rung was last told of an outage, and how often."""

    at: datetime
    times: int


class Outage(Value, frozen=True, kw_only=True):
    """A part that is down, or that somebody has yet to be told is well again."""

    id: str
    part: str  #: ``store``, else group and name: ``channels/phone:trunk``
    since: datetime  #: when it went down
    known_at: datetime  #: when it had been down for so long that people are told
    why: str | None = None
    over_at: datetime | None = None  #: when it was well again; None: it is down
    told: dict[str, Told] = {}  #: by the rung's `key_of`


class Notice(Value, frozen=True, kw_only=True):
    """One message to one rung."""

    id: str  #: the same on every try, in another process too
    kind: Kind
    outage: Outage
    at: datetime  #: when it was first to be sent


def notice_of(outage: Outage, kind: Kind, rung: str, now: datetime) -> Notice:
    """Return what the rung of this key is to be told now."""
    told = outage.told.get(rung)
    # Known anew: an outage that came back before everybody was told that it was over.
    name = f"{outage.id}:{outage.known_at.timestamp()}:{rung}:{kind}:{told.times if told else 0}"
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return Notice(id=f"alarm-{digest}", kind=kind, outage=outage, at=now)


def label(part: str) -> str:
    """Return what people call a part."""
    group, _, name = part.partition("/")
    kind, _, rest = name.partition(":")
    match group, kind:
        case "store", _:
            return "数据库"
        case "queue", _:
            return "联动队列"
        case "channels", _:
            return f"{_CHANNELS.get(kind, kind)} {rest}"
        case _, "liaison":
            return f"{service_label(rest)}联动席位 {rest}"
        case _, ("notify" | "answer" | "media"):
            return f"发送途径 {name}"
    return f"对接系统 {name}"


def lasted(span: timedelta) -> str:
    """Return a span of time in words, in its two largest units at most."""
    left = max(0, int(span.total_seconds()))
    words: list[str] = []
    for seconds, unit in ((86_400, "天"), (3600, "小时"), (60, "分"), (1, "秒")):
        count, left = divmod(left, seconds)
        if count or (unit == "秒" and not words):
            words.append(f"{count} {unit}")
    return " ".join(words[:2])


class Words:
    """Says what happened."""

    def __init__(self, name: str, public: Public) -> None:
        self._name = name
        self._public = public

    def title(self, notice: Notice) -> str:
        """Return the subject of a mail."""
        return f"【{self._name}】{_HEADS[notice.kind]}：{label(notice.outage.part)}"

    def text(self, notice: Notice, *, spoken: bool = False) -> str:
        """Return the message; ``spoken``: without what no voice can read."""
        outage, zone = notice.outage, self._public.zone
        said = self.title(notice)
        if notice.kind is Kind.CLEARED:
            over = outage.over_at or notice.at
            return f"{said}，{_instant(over, zone)} 恢复，中断 {lasted(over - outage.since)}。"
        said += f"，{_instant(outage.since, zone)} 起中断"
        if notice.kind is Kind.REPEATED:
            said += f"，已 {lasted(notice.at - outage.since)}"
        if spoken:
            return f"{said}。请立即处理。"
        why = f"原因：{outage.why}。" if outage.why else ""
        return f"{said}。{why}请立即处理，详情见 {self._public.url}/readyz"

    def item(self, notice: Notice) -> Item:
        """Return it as an event for a monitoring system."""
        zone, outage = self._public.zone, notice.outage
        kind = f"hotline.alarm.{notice.kind}"
        time = notice.at.astimezone(zone)
        event = CloudEvent(
            id=notice.id,
            source=self._public.url,
            type=kind,
            subject=outage.part,
            time=time,
            data=data_of({"alarm": _shown(notice, zone), "text": self.text(notice)}),
        )
        return Item(
            id=notice.id,
            destination="alarms",
            type=kind,
            subject=outage.part,
            time=time,
            urgent=True,
            body=encode(event),
        )


def _instant(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%m-%d %H:%M:%S}"


def _shown(notice: Notice, zone: tzinfo) -> dict[str, Any]:
    outage, cleared = notice.outage, notice.kind is Kind.CLEARED
    shown = {
        "id": outage.id,
        "part": outage.part,
        "part_label": label(outage.part),
        "state": "ok" if cleared else "down",
        "state_label": "恢复" if cleared else "中断",
        "since": outage.since.astimezone(zone),
        "until": outage.over_at.astimezone(zone) if cleared and outage.over_at else None,
        "why": outage.why,
    }
    return msgspec.to_builtins(shown)  # type: ignore[no-any-return]  # a dict of plain values
