"""Errors on the HTTP side: problem documents that name the field and no citizen's word."""

import json
from typing import Any

import pytest
from aiohttp import web

from gateway.problems import problem, problem_of
from normalizer.errors import (
    ConfigError,
    Conflict,
    FieldError,
    GatewayError,
    Ignored,
    Malformed,
    NotAllowed,
    Oversized,
    StoreError,
    Unauthorized,
)


def document(response: web.Response) -> dict[str, Any]:
    """Return what a client reads."""
    assert response.content_type == "application/problem+json"
    assert isinstance(response.body, bytes)
    found: dict[str, Any] = json.loads(response.body)
    assert found["status"] == response.status
    return found


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Malformed("text", "between 1 and 20,000 characters"), 400),
        (Oversized("files", "at most 10"), 413),
        (Conflict("Idempotency-Key", "take a new one"), 422),
        (FieldError("x", "y"), 400),
        (Unauthorized("wrong signature"), 403),
        (NotAllowed("rate_once", "rated already"), 409),
        (StoreError("disk full"), 503),
        (Ignored("later"), 200),
        (ConfigError("x"), 500),
        (GatewayError("x"), 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_every_error_has_its_status(error: GatewayError, status: int) -> None:
    """The statuses are those of the contract."""
    assert document(problem_of(error))["status"] == status


@pytest.mark.parametrize("kind", [Malformed, Oversized, Conflict])
def test_an_error_at_a_field_names_it_twice(kind: type[FieldError]) -> None:
    """A client finds the field where it looks: alone, or in the list."""
    found = document(problem_of(kind("phone", "too long")))
    assert (found["field"], found["detail"]) == ("phone", "too long")
    assert found["errors"] == [{"field": "phone", "detail": "too long"}]


def test_a_signed_interface_answers_401() -> None:
    """The back office and partners are told to authenticate, a carrier is forbidden."""
    assert problem_of(Unauthorized("stale"), unauthorized=401).status == 401


def test_a_forbidden_step_names_the_rule() -> None:
    """A client can act on the rule without reading the sentence."""
    found = document(problem_of(NotAllowed("extensions_max", "at most 1 extensions")))
    assert (found["rule"], found["title"]) == ("extensions_max", "Conflict")


def test_a_stores_failure_says_when_to_try_again_and_nothing_of_its_cause() -> None:
    """Whoever is outside learns neither paths nor engines."""
    response = problem_of(StoreError("cannot write gateway.db: disk full"))
    assert response.headers["Retry-After"] == "5"
    assert "gateway.db" not in document(response)["detail"]


def test_further_errors_are_listed_behind_the_first() -> None:
    """All that is wrong is told at once."""
    also = {"field": "email", "detail": "one address"}
    found = document(problem(400, "too long", field="phone", errors=[also]))
    assert [each["field"] for each in found["errors"]] == ["phone", "email"]


def test_a_problem_without_a_field_has_none() -> None:
    """Members that say nothing are left out."""
    assert set(document(problem(404, "nothing here"))) == {"type", "title", "status", "detail"}
