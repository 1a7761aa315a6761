"""A plug-in is a value: a name, a settings model and a function that builds the thing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

S = TypeVar("S", bound=BaseModel)
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Plugin(Generic[S, T_co]):
    """A channel or adapter that the configuration can name by ``kind``."""

    name: str
    settings: type[S]
    build: Callable[[S], T_co]
    #: Builds the way out of a two-way channel; None, or returning None: it cannot send.
    speak: Callable[[S], Any] | None = None

    def check(self, section: Mapping[str, object]) -> S:
        """Return the section's settings. Raises `pydantic.ValidationError`."""
        return self.settings.model_validate(dict(section))

    def open(self, section: Mapping[str, object]) -> T_co:
        """Build from a section of the configuration. Raises `pydantic.ValidationError`."""
        return self.build(self.check(section))
