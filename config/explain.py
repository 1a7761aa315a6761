"""What a settings model found wrong, as problems at the right lines and without any value."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from config.document import Document, Problem, ValuePath

#: Our words for pydantic's commonest findings; ``{…}`` are filled from its context.
#: Source: https://docs.pydantic.dev/latest/errors/validation_errors/
MESSAGES: Mapping[str, str] = {
    "missing": "is required",
    "string_type": "must be text; put it in quotes if it is",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "model_type": "must be a mapping (key: value lines)",
    "model_attributes_type": "must be a mapping (key: value lines)",
    "dict_type": "must be a mapping (key: value lines)",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "set_type": "must be a list",
    "frozen_set_type": "must be a list",
    "too_short": "needs at least {min_length}",
    "too_long": "takes at most {max_length}",
    "string_too_short": "must not be empty",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be more than {gt}",
    "less_than": "must be less than {lt}",
    "string_pattern_mismatch": "must look like {pattern}",
    "pattern_regex": "is not a regular expression",
    "time_delta_type": "must be a duration such as 30s, 5m, 2h or 3d",
}


def problems_of(
    error: ValidationError,
    document: Document,
    model: type[BaseModel],
    at: ValuePath = (),
) -> list[Problem]:
    """Return the problems of one validation.

    Args:
        error: What the model raised.
        document: The file that the data came from.
        model: The model, for the names of its keys.
        at: Where in the document the data stands.
    """
    found = []
    errors = error.errors(include_url=False, include_input=False)
    for each in errors:
        if each["type"] == "too_short" and _inside(each["loc"], errors):
            continue  # pydantic counts only the items that are right
        location: ValuePath = tuple(part for part in each["loc"] if part != "[key]")
        known_wrong = {problem.path for problem in document.problems}
        problem = document.problem((*at, *location), _message(each, model, location))
        if problem.path not in known_wrong:
            found.append(problem)
    return found


def _inside(location: tuple[str | int, ...], errors: Sequence[Any]) -> bool:
    """Return whether an error stands below a location."""
    depth = len(location)
    return any(len(each["loc"]) > depth and each["loc"][:depth] == location for each in errors)


def _message(each: Any, model: type[BaseModel], location: ValuePath) -> str:
    kind = each["type"]
    context = each.get("ctx", {})
    if kind == "extra_forbidden":
        return "unknown key" + did_you_mean(str(location[-1]), keys_at(model, location[:-1]))
    if kind == "value_error":
        return str(context["error"])
    if kind in {"enum", "literal_error"}:
        return "must be one of " + str(context["expected"]).replace("'", "").replace(" or ", ", ")
    if kind in MESSAGES:
        return MESSAGES[kind].format(**context)
    message: str = each["msg"]
    return message[:1].lower() + message[1:]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean …?`` or, where nothing is close, the words that are known."""
    choices = sorted(set(known))
    if close := get_close_matches(word, choices, n=1):
        return f"; did you mean {close[0]}?"
    return f"; known: {', '.join(choices)}" if choices else ""


def keys_at(model: type[BaseModel], location: ValuePath) -> tuple[str, ...]:
    """Return the keys of the model that stands at a location below ``model``; none if unknown."""
    here: type[BaseModel] | None = model
    for part in location:
        if here is None:
            return ()
        if isinstance(part, str) and part in here.model_fields:
            here = _model_in(here.model_fields[part].annotation)
    return () if here is None else tuple(here.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the first model inside ``tuple[Model, ...]``, ``Model | None`` or the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)
