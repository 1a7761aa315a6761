"""The published schema is that of the types, and says what the types say."""

import json
import subprocess
import sys

import jsonschema
import pytest

from gateway.jsonschema import EMERGENCY_EVENTS, TICKET_EVENTS
from tests.meta.tree import DOCS, page, says

PUBLISHED = json.loads((DOCS / "reference/events.schema.json").read_text(encoding="utf-8"))
KINDS = [
    *(f"hotline.ticket.{name}" for name in TICKET_EVENTS),
    *(f"hotline.emergency.{name}" for name in EMERGENCY_EVENTS),
]


def test_the_file_in_the_repository_is_current() -> None:
    """``make schema`` would find nothing to change."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "schema"], capture_output=True, check=True, timeout=60
    )
    assert done.stdout == (DOCS / "reference/events.schema.json").read_bytes()


def test_the_schema_is_one_of_its_draft() -> None:
    """A validator of draft 2020-12 can work with it."""
    jsonschema.Draft202012Validator.check_schema(PUBLISHED)


@pytest.mark.parametrize("kind", KINDS)
def test_every_event_has_a_definition_and_a_row_in_the_reference(kind: str) -> None:
    """An event that is pushed can be looked up."""
    assert PUBLISHED["$defs"][kind]["properties"]["type"] == {"const": kind}
    assert says(page("reference/events.md"), kind)
