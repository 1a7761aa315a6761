"""Errors on the HTTP side: problem documents (RFC 9457) that name the field."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from aiohttp import web

from channels.web.georeport import UnknownService
from normalizer.errors import (
    ChannelError,
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

#: How each error of ours is answered; the first match counts. ``Unauthorized`` is 401 on the
#: signed JSON interfaces and 403 on carriers' pushes (contract section 5).
STATUS: tuple[tuple[type[GatewayError], int], ...] = (
    (Unauthorized, 403),
    (UnknownService, 404),
    (Malformed, 400),
    (Oversized, 413),
    (Conflict, 422),
    (Ignored, 200),
    (ChannelError, 400),
    (NotAllowed, 409),
    (StoreError, 503),
)


def problem(
    status: int,
    detail: str,
    *,
    field: str | None = None,
    rule: str | None = None,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> web.Response:
    """Return a problem document.

    Args:
        status: HTTP status.
        detail: What is wrong and what to do, free of a citizen's words and of secrets.
        field: The field that is wrong; repeated in ``errors``.
        rule: The rule that forbids the step.
        headers: Further headers, e.g. Retry-After.
        errors: Further ``{"field", "detail"}`` entries.
    """
    document: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if field is not None:
        document["field"] = field
        errors = [{"field": field, "detail": detail}, *errors]
    if errors:
        document["errors"] = list(errors)
    if rule is not None:
        document["rule"] = rule
    return web.Response(
        status=status,
        body=msgspec.json.encode(document),
        content_type="application/problem+json",
        # A cache may keep a 404 by itself (RFC 9110 §15.1) and give it to the one with the code.
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def decoding_of(error: Exception) -> Malformed:
    """Return what a decoding error says, with the path of the field that it names, else ``body``.

    Of types that are no enumeration, whose texts name types and fields, never what was sent.
    """
    detail, _, rest = str(error).partition(" - at `$")
    path = rest.partition("`")[0].removeprefix(".")
    _, missing, name = detail.partition("missing required field `")
    if missing:
        path = ".".join(part for part in (path, name.partition("`")[0]) if part)
        detail = "it is missing"
    return Malformed(
        path or "body", detail if isinstance(error, msgspec.ValidationError) else "not JSON"
    )


def problem_of_fields(errors: Sequence[FieldError]) -> web.Response:
    """Return the problem document of everything that is wrong with one request, at least one."""
    first, *rest = errors
    told = [{"field": error.field, "detail": error.detail} for error in rest]
    return problem(_status_of(first), first.detail, field=first.field, errors=told)


def _status_of(error: GatewayError) -> int:
    return next((code for kind, code in STATUS if isinstance(error, kind)), 500)


def problem_of(error: GatewayError, *, unauthorized: int = 403) -> web.Response:
    """Return the problem document of one of our errors."""
    status = _status_of(error)
    if isinstance(error, Unauthorized):
        return problem(unauthorized, str(error))
    if isinstance(error, FieldError):
        return problem(status, error.detail, field=error.field)
    if isinstance(error, NotAllowed):
        return problem(status, str(error), rule=error.rule)
    if isinstance(error, StoreError):
        return problem(
            status,
            "this may not have been stored; send it again in a moment, with the same key if it has one. "
            "If somebody is in danger, call 110, 119, 120 or 122 now",
            headers={"Retry-After": "5"},
        )
    return problem(status, str(error))
