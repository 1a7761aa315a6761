"""The ticket's shape, copied by hand from the contract's section 3."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

#: Name → type; ``?`` is a type or null, ``[…]`` a list of it, a dict an object with these members.
TICKET: dict[str, Any] = {
    "schema": "str",
    "id": "str",
    "number": "str",
    "status": "str",
    "status_label": "str",
    "received_at": "time",
    "occurred_at": "time?",
    "channel": {
        "kind": "str",
        "account": "str",
        "message_id": "str",
        "called": "str?",
        "thread": "str?",
    },
    "requester": {
        "kind": "str",
        "name": "str?",
        "phone": "str?",
        "email": "str?",
        "wechat": "str?",
        "anonymous": "bool",
        "confidential": "bool",
        "language": "str?",
    },
    "content": {
        "title": "str",
        "text": "str",
        "original": "str",
        "elements": dict.fromkeys(["time", "place", "people", "event", "course", "result"], "str?"),
    },
    "place": {
        "text": "str?",
        "province": "str?",
        "city": "str?",
        "district": "str?",
        "street": "str?",
        "adcode": "str?",
        "latitude": "float?",
        "longitude": "float?",
    },
    "attachments": [
        {
            "id": "str",
            "name": "str",
            "media_type": "str",
            "bytes": "int",
            "sha256": "str",
            "url": "str?",
        }
    ],
    "type": "str",
    "type_label": "str",
    "domain": "str",
    "domain_label": "str",
    "urgency": "str",
    "urgency_label": "str",
    "verify": "bool",
    "services": ["str"],
    "evidence": [
        {
            "claim": "str",
            "rule": "str",
            "text": "str",
            "start": "int",
            "end": "int",
            "weight": "float",
        }
    ],
    "acceptance": {"decision": "str", "reason": "str?", "basis": "str?", "refer_to": "str?"},
    "route": {"name": "str", "to": "str", "unit": "str?", "assist": ["str"], "why": "str"},
    "limits": {
        "dispatch_by": "time?",
        "sign_by": "time?",
        "contact_by": "time?",
        "finish_by": "time?",
        "policy": "str?",  # nothing is due of what is not accepted
        "basis": "str?",
    },
    "related": {"duplicate_of": "str?", "cluster": "str?", "incidents": ["str"]},
    "disclosure": {"public": "bool"},
    "exercise": "bool",
    "history": [{"at": "time", "event": "str", "by": "str", "text": "str?"}],
}

INCIDENT: dict[str, Any] = {
    "id": "str",
    "service": "str",
    "opened_at": "time",
    "state": "str",
    "kind": "str",
    "place": "any",
    "reports": ["str"],
    "summary": "str",
    "contacts": "any",
    "exercise": "bool",
}

#: Section 3 and the conventions: a label beside every enumeration.
LABELS: dict[str, dict[str, str | None]] = {
    "status": {"accepted": "已受理"}
    | dict.fromkeys(
        [
            "draft",
            "refused",
            "dispatched",
            "signed",
            "returned",
            "extended",
            "answered",
            "closed",
            "reopened",
            "withdrawn",
        ]
    ),
    "type": {
        "consultation": "咨询",
        "help": "求助",
        "complaint": "投诉",
        "report": "举报",
        "suggestion": "建议",
        "praise": "表扬",
    },
    "urgency": {"emergency": "特急", "urgent": "紧急", "normal": "一般"},
    "domain": {
        "housing": "城乡建设",
        "transport": "交通运输",
        "environment": "生态环境",
        "labour": "人社劳动",
        "education": "教育文体",
        "health": "卫生健康",
        "market": "市场监管",
        "commerce": "商贸旅游",
        "police": "公安政法",
        "civil": "民政社会",
        "resources": "自然资源",
        "agriculture": "农业农村",
        "utilities": "水电气热",
        "safety": "应急消防",
        "finance": "财税金融",
        "telecom": "通信邮政",
        "government": "政务效能",
        "other": "其他",
    },
}


def assert_shape(value: Any, shape: Any, path: str = "$") -> None:
    """Assert that a value has exactly the members of a shape, with the right types."""
    if isinstance(shape, Mapping):
        assert isinstance(value, dict), path
        assert set(value) == set(shape), (path, set(value) ^ set(shape))
        for name, each in shape.items():
            assert_shape(value[name], each, f"{path}.{name}")
    elif isinstance(shape, list):
        assert isinstance(value, list), path
        for index, member in enumerate(value):
            assert_shape(member, shape[0], f"{path}[{index}]")
    elif value is None:
        assert shape.endswith("?") or shape == "any", f"{path} is null"
    else:
        _assert_type(value, shape.removesuffix("?"), path)


def _assert_type(value: Any, name: str, path: str) -> None:
    if name == "time":
        assert_instant(value, path)
    elif name == "float":
        assert isinstance(value, int | float), path
        assert not isinstance(value, bool), path
    elif name != "any":
        assert type(value).__name__ == name, (path, value)


def assert_instant(value: Any, path: str) -> None:
    """Assert that a value is an RFC 3339 instant in the instance's zone."""
    assert isinstance(value, str), path
    assert "T" in value, path
    assert datetime.fromisoformat(value).isoformat()[-6:] == "+08:00", (path, value)
    assert value.endswith("+08:00"), (path, value)


def luhn_holds(number: str) -> bool:
    """Say whether the last digit is the Luhn digit over all digits before it (ISO/IEC 7812-1)."""
    digits = [int(each) for each in number if each.isdigit()]
    doubled = [d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0
