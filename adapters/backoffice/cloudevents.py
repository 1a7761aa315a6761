"""CloudEvents 1.0 in structured mode: the envelope of everything that leaves the gateway.

Sans-io. Source: CloudEvents specification 1.0.2, "Context Attributes", and its JSON event format,
media type ``application/cloudevents+json``.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from normalizer.schema import Value

MEDIA_TYPE = "application/cloudevents+json"


class CloudEvent(Value, frozen=True, kw_only=True):
    """An event in the order of its members on the wire; ``source`` and ``id`` identify it."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: datetime  #: when it happened, aware
    datacontenttype: str = "application/json"
    data: msgspec.Raw


def data_of(data: Mapping[str, object]) -> msgspec.Raw:
    """Return an event's data as JSON; the same values give the same octets, in whatever order."""
    return msgspec.Raw(msgspec.json.encode(data, order="deterministic"))


def encode(event: CloudEvent) -> bytes:
    """Return the structured-mode body of an event."""
    return msgspec.json.encode(event)
