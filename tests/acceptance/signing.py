"""Signed JSON as a partner platform or a back office sends it, by the reference library."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from standardwebhooks import Webhook

from tests.acceptance.http import Answer, Client

PARTNER_SECRET = "whsec_cGFydG5lci1wbGF0Zm9ybS1zZWNyZXQtMDEyMzQ1"
OFFICE_SECRET = "whsec_YmFjay1vZmZpY2Utc2VjcmV0LTAxMjM0NTY3ODk="


def signed(
    secret: str, body: str, message: str | None = None, late: timedelta = timedelta()
) -> dict[str, str]:
    """Return the headers that sign a body; ``late`` is how long ago that was."""
    message = message or f"msg_{uuid4().hex}"
    at = datetime.now(UTC) - late
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message, at, body),
        "content-type": "application/json",
    }


def partner_message(text: str, **fields: Any) -> dict[str, Any]:
    """Return a message as a partner platform pushes it (contract section 5)."""
    return {"id": uuid4().hex, "from": f"user-{uuid4().hex[:8]}", "text": text, **fields}


async def push(
    client: Client, given: Mapping[str, Any] | str, message: str | None = None
) -> Answer:
    """Push to the channel ``weibo``, signed; ``message`` is the ``webhook-id``."""
    body = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    headers = signed(PARTNER_SECRET, body, message)
    return await client.post("/channels/webhook/weibo", data=body.encode(), headers=headers)


def work(kind: str, number: str, **data: Any) -> dict[str, Any]:
    """Return a CloudEvent ``hotline.work.KIND`` of the back office (contract section 6)."""
    return {
        "specversion": "1.0",
        "id": uuid4().hex,
        "source": "https://backoffice.city.example",
        "type": f"hotline.work.{kind}",
        "subject": number,
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
        "data": {"number": number, "unit": "市长热线办", **data},
    }


async def report(client: Client, event: Mapping[str, Any], secret: str = OFFICE_SECRET) -> Answer:
    """Send one event of the back office, signed; its id is the event's."""
    body = json.dumps(event, ensure_ascii=False)
    headers = signed(secret, body, event["id"])
    headers["content-type"] = "application/cloudevents+json"
    return await client.post(
        "/api/v1/backoffice/backoffice/events", data=body.encode(), headers=headers
    )
