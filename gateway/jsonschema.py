"""The JSON Schema of what is published, made from the types that are published."""

from typing import Any

import msgspec

from gateway.cards.terms import CARD_LABELS, LABELS
from normalizer.schema import Incident, PublishedTicket

TICKET_EVENTS = ("accepted", "refused", "added", "rated", "withdrawn", "limit")
EMERGENCY_EVENTS = ("raised", "updated", "acknowledged", "escalated", "returned", "closed")

_MESSAGE = {
    "type": "object",
    "required": ["at", "text", "attachments"],
    "properties": {
        "at": {"type": "string", "format": "date-time"},
        "text": {"type": "string"},
        "attachments": {"type": "array", "items": {"$ref": "#/$defs/Attachment"}},
    },
}
_RATING = {
    "enum": [
        "very_satisfied",
        "satisfied",
        "basically_satisfied",
        "dissatisfied",
        "very_dissatisfied",
    ]
}
_BESIDE: dict[str, dict[str, Any]] = {
    "hotline.ticket.added": {"message": _MESSAGE},
    "hotline.ticket.rated": {"rating": _RATING},
    "hotline.ticket.limit": {
        "limit": {"enum": list(LABELS)},
        "limit_label": {"type": "string"},
        "card": {"enum": list(CARD_LABELS)},
        "card_label": {"type": "string"},
    },
}
_CLUSTER: dict[str, Any] = {
    "cluster": {"type": "string"},
    "count": {"type": "integer", "minimum": 1},
    "numbers": {"type": "array", "items": {"type": "string"}},
}


_ALARM_EVENTS = ("raised", "repeated", "cleared")
_INSTANT = {"type": "string", "format": "date-time"}
_ALARM: dict[str, Any] = {
    "alarm": {
        "type": "object",
        "required": ["id", "part", "state", "since", "until", "why"],
        "properties": {
            "id": {"type": "string"},
            "part": {"type": "string"},
            "part_label": {"type": "string"},
            "state": {"enum": ["ok", "down"]},
            "state_label": {"type": "string"},
            "since": _INSTANT,
            "until": {"anyOf": [_INSTANT, {"type": "null"}]},
            "why": {"type": ["string", "null"]},
        },
    },
    "text": {"type": "string"},
}


def _event(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": kind,
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "minLength": 1},
            "source": {"type": "string", "format": "uri-reference"},
            "type": {"const": kind},
            "subject": {"type": "string", "minLength": 1},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "data": {"type": "object", "required": sorted(data), "properties": data},
        },
    }


def schema() -> dict[str, Any]:
    """Return a schema (draft 2020-12): the root is any event, ``$defs`` holds every type."""
    _, definitions = msgspec.json.schema_components(
        [PublishedTicket, Incident], ref_template="#/$defs/{name}"
    )
    definitions = dict(definitions)
    ticket = {"ticket": {"$ref": "#/$defs/PublishedTicket"}}
    kinds: list[str] = []
    for name in TICKET_EVENTS:
        kind = f"hotline.ticket.{name}"
        definitions[kind] = _event(kind, ticket | _BESIDE.get(kind, {}))
        kinds.append(kind)
    for name in EMERGENCY_EVENTS:
        kind = f"hotline.emergency.{name}"
        definitions[kind] = _event(kind, ticket | {"incident": {"$ref": "#/$defs/Incident"}})
        kinds.append(kind)
    cluster = "hotline.cluster.grown"
    definitions[cluster] = _event(cluster, _CLUSTER)
    kinds.append(cluster)
    for name in _ALARM_EVENTS:
        kind = f"hotline.alarm.{name}"
        definitions[kind] = _event(kind, _ALARM)
        kinds.append(kind)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "hotline.events/1",
        "oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in kinds],
        "$defs": definitions,
    }
