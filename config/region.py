"""A region's rules as its own documents state them (``regions/<region>.yaml``).

Every rule names the clause it comes from, as ``<key of sources> <clause>``. What a region's
source does not say is unset: a limit nobody wrote down is None, never a guess.
"""

import re
from collections.abc import Hashable, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator

from config.calendar import MAX_WORKING_DAYS, Calendar
from config.settings import Section, Word
from normalizer.schema import Domain, RequestType, Service, Urgency

#: ``spec 五(二)4``: a key of `RegionPack.sources`, then the clause.
Basis = Annotated[str, Field(pattern=r"^\S+( .+)?$")]

Adcode = Annotated[str, Field(pattern=r"^[0-9]{6}$")]

#: What a citizen may answer when asked how satisfied they are (contract section 4), best first.
RATINGS = (
    "very_satisfied",
    "satisfied",
    "basically_satisfied",
    "dissatisfied",
    "very_dissatisfied",
)


def _compiled(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error.msg}") from None


#: A regular expression over the matching form of a text.
Regex = Annotated[re.Pattern[str], BeforeValidator(_compiled)]


class Source(Section):
    """A document that rules are taken from."""

    title: Word
    issued_by: str | None = None
    number: str | None = None  #: of the document, e.g. 三政办〔2021〕26号
    dated: str | None = None
    url: str | None = None
    note: str | None = None  #: on the state of the copy that was read


class Step(Section):
    """How long one step may take: exactly one measure, and what starts the clock."""

    working_days: int | None = Field(default=None, ge=1, le=MAX_WORKING_DAYS)
    days: int | None = Field(default=None, ge=1, le=1000)  #: calendar days
    hours: int | None = Field(default=None, ge=1, le=10_000)
    same_day: bool = False  #: before the day is over
    #: ``received`` by the hotline, ``dispatched`` to the unit, ``signed`` for by it.
    since: Literal["received", "dispatched", "signed"] = "received"
    basis: Basis

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        given = [self.working_days, self.days, self.hours, self.same_day or None]
        if sum(each is not None for each in given) != 1:
            raise ValueError("give one of working_days, days, hours and same_day: true")
        return self


class Urgent(Section):
    """Limits that hold instead of the ordinary ones while a matter is urgent."""

    urgency: tuple[Urgency, ...] = ()  #: any of these, or
    services: tuple[Service, ...] = ()  #: any of these services concerned
    dispatch: Step | None = None
    sign: Step | None = None
    contact: Step | None = None
    finish: Step | None = None
    note: str | None = None


class LimitRules(Section):
    """Until when each step is to be done; what is absent has no limit."""

    dispatch: Step | None = None
    sign: Step | None = None
    contact: Mapping[RequestType, Step] = {}
    finish: Mapping[RequestType, Step] = {}
    enterprise: Step | None = None  #: finish a request by an enterprise
    urgent: Urgent | None = None
    note: str | None = None


class Refusal(Section):
    """A kind of matter that the hotline does not take on, and how it is recognized.

    It is recognized if one of ``triggers`` and one of ``match`` is in the text, and none of
    ``unless``. The patterns meet the text's matching form: simplified, lower case.
    """

    name: Word
    decision: Literal["refused", "referred"]
    reason: Word  #: what the citizen is told
    refer_to: Word | None = None
    basis: Basis
    #: Types of request that it applies to; empty: all.
    types: tuple[RequestType, ...] = ()
    triggers: tuple[Word, ...] = Field(min_length=1)
    match: tuple[Regex, ...] = Field(min_length=1)
    unless: tuple[Regex, ...] = ()

    @model_validator(mode="after")
    def _referred_somewhere(self) -> Self:
        if self.decision == "referred" and self.refer_to is None:
            raise ValueError("referred needs refer_to: to whom")
        return self


class AcceptanceRules(Section):
    """What the hotline does not take on. Emergencies are never refused, whatever stands here."""

    #: Asking about a body, as for its telephone number, is not a matter of that body.
    asking: tuple[Regex, ...] = ()
    refused: tuple[Refusal, ...] = ()
    note: str | None = None


class District(Section):
    """A part of the region, and the unit that matters there go to."""

    name: Word
    unit: Word | None = None


class Units(Section):
    """Who handles what."""

    default: Word  #: where nothing else says who
    basis: Basis
    domains: Mapping[Domain, Word] = {}
    domains_basis: Basis | None = None
    districts: Mapping[Adcode, District] = {}
    districts_basis: Basis | None = None
    #: A matter whose district is known goes to the district's unit before the domain's.
    territory_first: bool = False
    known: tuple[Word, ...] = ()  #: further units that routes may name

    @model_validator(mode="after")
    def _sourced(self) -> Self:
        if self.domains and self.domains_basis is None:
            raise ValueError("domains needs domains_basis: where it is written")
        if self.districts and self.districts_basis is None:
            raise ValueError("districts needs districts_basis: where it is written")
        return self


class Hotline(Section):
    """A hotline that was merged into 12345: the number that was dialled decides the unit."""

    number: str = Field(pattern=r"^[0-9]{3,8}$")
    label: Word
    unit: Word
    #: merged: the number is retired; both: both numbers live, seats merged; subcentre: number
    #: and seats kept, linked by transfer and work orders.
    mode: Literal["merged", "both", "subcentre"]
    experts: bool = False  #: has expert seats
    basis: Basis


class Apart(Section):
    """A number that is not merged."""

    number: str = Field(pattern=r"^[0-9]{3,8}$")
    label: Word
    basis: Basis


class Ratings(Section):
    """What a citizen may answer when asked, best first."""

    scale: tuple[
        Literal[
            "very_satisfied",
            "satisfied",
            "basically_satisfied",
            "dissatisfied",
            "very_dissatisfied",
        ],
        ...,
    ] = Field(min_length=2)
    basis: Basis


class Return(Section):
    """A unit gives a work order back that is not its duty."""

    within: Step | None = None
    needs: tuple[Literal["reason", "suggestion", "legal_basis", "approval"], ...] = ()
    late_counts_as_accepted: bool | None = None
    disputes_reviewed: bool | None = None
    basis: Basis


class Extension(Section):
    """More time for a matter that cannot be finished within its limit."""

    at_most: int | None = Field(default=None, ge=1)  #: times
    each: int | None = Field(default=None, ge=1)  #: working days a time
    within_original: bool | None = None  #: no longer than the original limit
    apply_before: int | None = Field(default=None, ge=0)  #: working days before the limit
    approved_by: str | None = None
    citizen_told: bool | None = None
    basis: Basis


class Callback(Section):
    """Asking citizens afterwards whether the matter was settled."""

    share: float | None = Field(default=None, gt=0, le=1)  #: of finished work orders; 1: all
    by: tuple[Literal["phone", "sms", "rating"], ...] = ()
    basis: Basis


class Supervision(Section):
    """When a matter is watched more closely."""

    cards: bool | None = None  #: yellow near the limit, red over it
    same_matter: int | None = Field(default=None, ge=2)  #: people on one matter
    same_unit: int | None = Field(default=None, ge=2)  #: complaints against one unit
    how: tuple[str, ...] = ()
    basis: Basis


class Registration(Section):
    """What a record must hold."""

    elements: tuple[Literal["time", "place", "people", "event", "course", "result"], ...]
    basis: Basis


class Provision(Section):
    """A rule that people follow and no machine decides, kept for the desks to read."""

    text: Word
    basis: Basis


class RegionPack(Section):
    """All rules of one region."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    label: Word
    home: Adcode  #: where an address lies that names no city
    area_code: str | None = Field(default=None, pattern=r"^0[0-9]{2,3}$")
    sources: Mapping[str, Source]
    calendar: Calendar  #: by name in the file, ``calendars/<name>.yaml``
    #: Names of units that any region's routes may use; by name in the file,
    #: ``departments/<name>.yaml``.
    departments: tuple[Word, ...] = ()
    units: Units
    hotlines: tuple[Hotline, ...] = ()
    apart: tuple[Apart, ...] = ()
    acceptance: AcceptanceRules = AcceptanceRules()
    limits: LimitRules = LimitRules()
    registration: Registration | None = None
    ratings: Ratings | None = None
    returns: Return | None = None
    extension: Extension | None = None
    callback: Callback | None = None
    supervision: Supervision | None = None
    redo_in_a_row: int | None = Field(default=None, ge=1)  #: sent back so often: accountability
    provisions: Mapping[str, Provision] = {}

    @field_validator("hotlines")
    @classmethod
    def _numbers_once(cls, value: tuple[Hotline, ...]) -> tuple[Hotline, ...]:
        numbers = [each.number for each in value]
        if twice := sorted({each for each in numbers if numbers.count(each) > 1}):
            raise ValueError(f"a number is there twice: {', '.join(twice)}")
        return value

    def miscited(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield where a basis names a source that the pack does not list, and that name."""
        for where, basis in _bases(self, ()):
            key = basis.partition(" ")[0]
            if key not in self.sources:
                yield where, key

    def cite(self, *bases: str) -> str:
        """Return bases for people to read: each document's title and number, then its clauses."""
        clauses: dict[str, list[str]] = {}
        for basis in dict.fromkeys(bases):
            key, _, clause = basis.partition(" ")
            clauses.setdefault(key, []).append(clause)
        return "；".join(self._titles[key] + "、".join(found) for key, found in clauses.items())

    @cached_property
    def memo(self) -> dict[Hashable, Any]:
        """What functions of nothing but the pack worked out already, by their arguments."""
        return {}

    def __getstate__(self) -> dict[Any, Any]:
        """Leave the memo behind: what is in it need not be of a kind that can be copied."""
        state = super().__getstate__()
        state["__dict__"] = {k: v for k, v in state["__dict__"].items() if k != "memo"}
        return state

    @cached_property
    def _titles(self) -> Mapping[str, str]:
        return {
            key: f"《{source.title}》" + (f"（{source.number}）" if source.number else "")
            for key, source in self.sources.items()
        }

    @property
    def rating_scale(self) -> tuple[str, ...]:
        """The ratings a citizen may give: the region's, else all of the contract's."""
        return self.ratings.scale if self.ratings else RATINGS

    @cached_property
    def unit_of_number(self) -> Mapping[str, str]:
        """The unit of each merged hotline by its number."""
        return {each.number: each.unit for each in self.hotlines}

    @cached_property
    def unit_names(self) -> frozenset[str]:
        """Every unit that a route may name."""
        districts = (each.unit for each in self.units.districts.values())
        return frozenset(
            {
                self.units.default,
                *self.units.known,
                *self.units.domains.values(),
                *(unit for unit in districts if unit),
                *self.unit_of_number.values(),
                *self.departments,
            }
        )


def _bases(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield every basis inside a model with the path it stands at."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            inner = getattr(value, name)
            if name.endswith("basis") and isinstance(inner, str):
                yield (*path, name), inner
            else:
                yield from _bases(inner, (*path, name))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _bases(inner, (*path, str(key)))
    elif isinstance(value, tuple):
        for at, inner in enumerate(value):
            yield from _bases(inner, (*path, at))
