"""Who must come: the services that a happening names, and those that the model thinks needed."""

import math
from collections.abc import Mapping

from gateway.judge.case import Case
from gateway.judge.rulebook import Rulebook
from gateway.judge.terms import Kind, Role
from gateway.judge.weighing import Weighed, present
from normalizer.schema import EMERGENCY_SERVICES, Service


def called_for(chosen: Weighed, case: Case) -> tuple[Service, ...]:
    """Return who must come: the kind's own services, then those asked for beside it."""
    kind = chosen.kind
    if kind.level == "urgent":
        return kind.services
    settings = case.rulebook.settings
    shares = likely(case) if len(case.body) >= settings.model_least else {}
    if shares and (kind.generic or chosen.net < settings.doubt or _overruled(kind, shares, case)):
        kept = _kept(chosen, shares, case)
        return tuple(dict.fromkeys((*by_model(case, shares, chosen), *kept, *utilities(case))))
    sure, more = _asked_for(chosen, case.rulebook)
    if shares:
        more = [one for one in more if shares.get(one, 0.0) >= settings.model_beside]
        more.extend(one for one, share in shares.items() if share >= settings.model_adds)
    return tuple(dict.fromkeys((*kind.services, *sure, *more, *utilities(case))))


def utilities(case: Case) -> tuple[Service, ...]:
    """Return the utilities of everything that may be happening: a leak needs the gas company, too."""
    least = case.rulebook.settings.doubt
    return tuple(
        one
        for item in case.weighed
        if item.weight >= least
        for one in item.kind.services
        if one not in EMERGENCY_SERVICES
    )


def _overruled(kind: Kind, shares: Mapping[Service, float], case: Case) -> bool:
    """Tell whether the model thinks little of every service that a happening names for itself."""
    least = case.rulebook.settings.model_overrules
    return all(shares[one] < least for one in kind.services if one in shares)


def _kept(chosen: Weighed, shares: Mapping[Service, float], case: Case) -> list[Service]:
    """Return the services of a certain happening that come though the model thinks little of them."""
    settings = case.rulebook.settings
    if chosen.kind.generic or chosen.net < settings.certain:
        return []
    least = settings.model_overrules / 2
    return [one for one in chosen.kind.services if shares.get(one, 0.0) >= least]


def _asked_for(chosen: Weighed, rulebook: Rulebook) -> tuple[list[Service], list[Service]]:
    """Return the services that the kind names for what stands beside it: what surely happens, the rest."""
    beside = present(chosen, rulebook)
    settings = rulebook.settings
    happen: set[str | None] = set()
    for _, _, sense, _ in chosen.beside:
        if sense.role is Role.HAPPENING and sense.weight >= settings.likely:
            happen.add(sense.name)
            if sense.weight >= settings.certain:
                happen.add(rulebook.kinds[sense.name].counts_as)
    sure: list[Service] = []
    more: list[Service] = []
    for name, services in chosen.kind.also.items():
        if name in beside:
            (sure if name in happen else more).extend(services)
    return sure, more


def likely(case: Case) -> dict[Service, float]:
    """Return the chance that the model gives each emergency service."""
    return {Service(one): chance for one, chance in chances(case, "service").items()}


def chances(case: Case, head: str) -> dict[str, float]:
    """Return the chances of a head's labels, empty without a model or such a head."""
    model, scores = case.rulebook.model, case.scores
    if model is None or scores is None:
        return {}
    return {one: 1 / (1 + math.exp(-logit)) for one, logit in model.logits(head, scores).items()}


def by_model(
    case: Case, shares: dict[Service, float], chosen: Weighed | None = None
) -> tuple[Service, ...]:
    """Return the likeliest service and those nearly as sure.

    What a happening names counts for more, unless it is a cry to nobody or little more than a hint.
    """
    settings, named = case.rulebook.settings, None
    if chosen and not chosen.kind.unnamed and chosen.net >= settings.doubt:
        named = chosen.kind.services[0]
    bonus = settings.model_named
    first = max(EMERGENCY_SERVICES, key=lambda one: shares.get(one, 0.0) + bonus * (one == named))
    more = [one for one, share in shares.items() if share >= settings.model_adds]
    return tuple(dict.fromkeys((first, *more)))
