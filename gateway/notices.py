"""What the citizen is told, in Chinese and English."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from normalizer.schema import EMERGENCY_SERVICES, Decision, Service, Urgency

_SERVICE_NAMES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        Service.POLICE: ("公安", "police"),
        Service.FIRE: ("消防救援", "fire and rescue"),
        Service.MEDICAL: ("医疗急救", "ambulance"),
        Service.TRAFFIC: ("交通事故", "traffic police"),
        Service.WATER: ("供水", "water"),
        Service.POWER: ("供电", "electricity"),
        Service.GAS: ("燃气", "gas"),
        Service.HEAT: ("供热", "heating"),
        "duty": ("值守", "duty"),
        "seats": ("坐席", "seats"),
    }
)


def service_label(service: str, language: str = "zh") -> str:
    """Return the name of a service, ``service`` itself if it is none of ours."""
    names = _SERVICE_NAMES.get(service)
    if names is None:
        return service
    return names[0] if language.startswith("zh") else names[1]


def _speaks_chinese(language: str | None) -> bool:
    return language is None or not language.startswith("en")


def numbers_to_dial(services: Sequence[Service]) -> tuple[str, ...]:
    """Return the telephone numbers of the services that have one, in their order; 110 if none."""
    numbers = tuple(s.value for s in services if s in EMERGENCY_SERVICES)
    return numbers or (Service.POLICE.value,)


def emergency_advice(services: Sequence[Service], language: str | None) -> str:
    """Return the sentence that tells a citizen in danger what to dial now."""
    numbers = numbers_to_dial(services)
    if _speaks_chinese(language):
        each = "、".join(f"{n}（{service_label(n)}）" for n in numbers)
        return f"情况紧急，请立即拨打 {each}！我们已同时将您的情况通知上述救援单位。"
    each = ", ".join(f"{n} ({service_label(n, 'en')})" for n in numbers)
    return f"This is an emergency: dial {each} now! We have passed your report on to them as well."


def received(
    *,
    number: str,
    code: str,
    urgency: Urgency,
    services: Sequence[Service],
    decision: Decision,
    draft: bool,
    language: str | None,
) -> str:
    """Return what a citizen reads once their message is a ticket."""
    chinese = _speaks_chinese(language)
    if urgency is Urgency.EMERGENCY:
        first = emergency_advice(services, language)
    elif decision.decision != "accepted":
        first = _refusal(decision, chinese)
    elif draft:
        first = (
            "您的来电未讲完，我们会与您联系。"
            if chinese
            else "Your message was cut off; we will contact you."
        )
    else:
        first = "您的诉求已受理。" if chinese else "Your request has been accepted."
    second = (
        f"工单编号 {number}，查询码 {code}，凭此可查询办理进度。"
        if chinese
        else f"Your number is {number}, your query code {code}: use both to see the progress."
    )
    return f"{first}{second}" if chinese else f"{first} {second}"


def question(missing: Sequence[str], language: str | None) -> str:
    """Return the question for what a handling unit will need; empty for nothing."""
    if not missing:
        return ""
    chinese = _speaks_chinese(language)
    words = [_ASKED_FOR[each][not chinese] for each in missing]
    if chinese:
        return f"为便于办理，请回复{'和'.join(words)}。"
    return f" Please reply with {' and '.join(words)}: it helps us to act on it."


_ASKED_FOR: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"place": ("事发的详细地点", "the place"), "phone": ("联系电话", "a telephone number")}
)


def added(
    *, number: str, emergency: bool, services: Sequence[Service], language: str | None
) -> str:
    """Return what a citizen reads once further words of theirs are on the ticket."""
    chinese = _speaks_chinese(language)
    first = emergency_advice(services, language) if emergency else ""
    if chinese:
        return f"{first}您补充的内容已加入工单 {number}。"
    second = f"What you added is on your request {number}."
    return f"{first} {second}" if first else second


def worked_on(number: str, unit: str, text: str, language: str | None) -> str:
    """Return what a citizen reads when a unit has answered or moved their request."""
    if _speaks_chinese(language):
        return f"您的诉求（工单编号 {number}）有新进展。{unit}：{text}"
    return f"There is news on your request {number}. {unit}: {text}"


_RATINGS: Mapping[str, str] = MappingProxyType(
    {
        "very_satisfied": "非常满意",
        "satisfied": "满意",
        "basically_satisfied": "基本满意",
        "dissatisfied": "不满意",
        "very_dissatisfied": "非常不满意",
    }
)


def progress_of(
    *,
    number: str,
    status: str,
    unit: str | None,
    at: datetime | None,
    text: str | None,
    language: str | None,
) -> str:
    """Return where a request stands.

    Args:
        number: The citizen's number.
        status: Its Chinese label.
        unit: The handling unit, if any.
        at: When something was last said of it, in the instance's zone.
        text: What was said then.
        language: The citizen's.
    """
    if _speaks_chinese(language):
        where = f"，由{unit}办理" if unit else ""
        said = f"{at:%m月%d日}：{text}" if at and text else ""
        return f"工单 {number} {status}{where}。{said}"
    where = f", handled by {unit}" if unit else ""
    said = f" {at:%d %B}: {text}" if at and text else ""
    return f"Request {number}: {status}{where}.{said}"


def unknown_number(number: str, language: str | None) -> str:
    """Return what is answered to a question for a number that the citizen cannot open."""
    if _speaks_chinese(language):
        return f"未查到可供您查询的工单 {number}。请核对编号，或加上查询码：查询 编号 查询码。"
    return f"We found no request {number} of yours. Add the query code: 查询 NUMBER CODE."


def no_matter(language: str | None) -> str:
    """Return what is answered to who asks for progress and has told nothing lately."""
    if _speaks_chinese(language):
        return (
            "近期没有您的诉求记录。请直接发送您要反映的事情，或发送“查询 编号 查询码”查询其他诉求。"
        )
    return "We have no recent request of yours. Write to us, or send 查询 NUMBER CODE."


def temporary(*, number: str, code: str, minutes: int, language: str) -> str:
    """Return the text that brings a temporary query code; one message of 70 or 160 characters."""
    if _speaks_chinese(language):
        return f"工单{number}的临时查询码：{code}，{minutes}分钟内有效，请勿告诉他人。非本人操作请忽略。"
    return (
        f"Request {number}: temporary query code {code}, good for {minutes} minutes. "
        "Tell it to nobody. If you did not ask for it, ignore this."
    )


def rated(number: str, language: str | None) -> str:
    """Return what is said to a citizen who has rated an answer."""
    if _speaks_chinese(language):
        return f"感谢您对工单 {number} 的评价。"
    return f"Thank you for rating the answer to {number}."


def how_to_rate(scale: Sequence[str], language: str | None) -> str:
    """Return the invitation to rate an answer by a digit; ``scale`` best first."""
    labels = [_RATINGS[rating] for rating in scale]
    each = "，".join(f"{place} {label}" for place, label in enumerate(labels, start=1))
    if _speaks_chinese(language):
        return f"请回复数字评价：{each}。"
    return f"Please rate the answer with a digit from 1 (best) to {len(scale)}."


def stopped(language: str | None) -> str:
    """Return what is said to a citizen who wants no more notices of their requests."""
    if _speaks_chinese(language):
        return "已为您停止进度通知。您仍可随时发送诉求或“查询 编号”。"
    return "You will get no more notices. You can still write to us, or send 查询 NUMBER."


def _refusal(decision: Decision, chinese: bool) -> str:
    if chinese:
        where = f"请向{decision.refer_to}反映。" if decision.refer_to else ""
        return (
            f"很抱歉，您反映的事项不属于本热线受理范围：{decision.reason or '见受理规定'}。{where}"
        )
    where = f" Please turn to {decision.refer_to}." if decision.refer_to else ""
    reason = decision.reason or "see the rules of acceptance"
    return f"We are sorry: this hotline cannot take on the matter ({reason}).{where}"
