"""The reference page of the events shows what is sent, with a signature that fits."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import standardwebhooks
from jsonschema import Draft202012Validator

from adapters.backoffice.adapter import plugin
from adapters.backoffice.cloudevents import CloudEvent, encode
from channels.webhook.codec import decode, key_of, verify
from gateway.jsonschema import schema

DOCS = Path(__file__).parents[2] / "docs" / "reference"
PAGE = (DOCS / "events.md").read_text(encoding="utf-8")


def block(kind: str, holds: str) -> str:
    """Return the page's code block of a kind that holds some text."""
    blocks: list[str] = re.findall(rf"```{kind}\n(.*?)\n```", PAGE, re.DOTALL)
    return next(b for b in blocks if holds in b)


BODY = json.dumps(
    json.loads(block("json", "specversion")), ensure_ascii=False, separators=(",", ":")
)
HEADERS = dict(line.split(": ", 1) for line in block("text", "webhook-id").splitlines())
SECRET = block("text", "whsec_")


def test_the_samples_signature_fits() -> None:
    """By our codec and by the reference library."""
    then = datetime.fromtimestamp(int(HEADERS["webhook-timestamp"]), UTC)
    verify([key_of(SECRET)], HEADERS, BODY.encode(), then)
    signed = standardwebhooks.Webhook(SECRET).sign(HEADERS["webhook-id"], then, BODY)
    assert signed == HEADERS["webhook-signature"]


def test_the_sample_is_an_event_of_the_schema() -> None:
    """It has every member that the published schema asks for, and the envelope we send."""
    event = json.loads(BODY)
    Draft202012Validator(schema()).validate(event)
    assert encode(msgspec.json.decode(BODY, type=CloudEvent)).decode() == BODY


@pytest.mark.parametrize("kind", sorted(k for k in schema()["$defs"] if k.startswith("hotline.")))
def test_every_type_of_the_schema_is_on_the_page(kind: str) -> None:
    """What can be sent is documented."""
    assert f"`{kind}`" in PAGE


@pytest.mark.parametrize("name", sorted(plugin.settings.model_fields))
def test_every_setting_is_on_the_page(name: str) -> None:
    """So is what can be set."""
    assert f"{name}:" in PAGE


def test_the_webhook_pages_push_is_one() -> None:
    """The sample push of the channel's page is taken as it stands."""
    page = (DOCS / "channel-webhook.md").read_text(encoding="utf-8")
    push = re.findall(r"```json\n(.*?)\n```", page, re.DOTALL)[0]
    assert decode(push.encode()).text == "路灯不亮"
