"""From what a channel saw to the ticket it becomes: pure, the same for intake and explain."""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from config.region import RegionPack
from gateway.acceptance import decide, evidence
from gateway.judge.assess import assess
from gateway.judge.rulebook import Rulebook
from gateway.limits import limits
from gateway.route import Router
from normalizer.content import title_of
from normalizer.gazetteer import Gazetteer
from normalizer.normalize import Context, Normalized, normalize
from normalizer.schema import (
    ChannelRef,
    Decision,
    Domain,
    Evidence,
    Inbound,
    Judged,
    Limits,
    RequestType,
    RouteTaken,
    Ticket,
    Urgency,
)
from normalizer.text import fold

log = logging.getLogger(__name__)

#: The rule of the evidence that nobody could read a message.
UNDECODABLE = "undecodable"


@dataclass(frozen=True, slots=True)
class Rules:
    """All that decides what a message becomes; swapped whole when the configuration is reloaded."""

    zone: ZoneInfo
    context: Context
    gazetteer: Gazetteer
    rulebook: Rulebook
    pack: RegionPack
    router: Router


class Composed(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket about to be stored, and what the journey told beside it."""

    ticket: Ticket
    folded: str  #: the text's matching form, for the likeness of reports
    judge_s: float  #: seconds that the judge took


def message_id(inbound: Inbound) -> str:
    """Return the carrier's id of the message, else the digest of its raw form."""
    return inbound.message_id or "sha256:" + hashlib.sha256(inbound.raw).hexdigest()


def compose(inbound: Inbound, rules: Rules, ticket_id: str) -> Composed:
    """Return the ticket that a message becomes under these rules."""
    here, seen = _normalized(inbound, rules)
    return _composed(here, seen, _judged(here, seen, rules), rules, ticket_id)


def compose_all(
    inbounds: Sequence[Inbound], rules: Rules, new_id: Callable[[], str]
) -> list[Composed]:
    """Return the tickets that messages become, each step for all of them before the next step."""
    seen = [_normalized(inbound, rules) for inbound in inbounds]
    judged = [_judged(here, words, rules) for here, words in seen]
    return [
        _composed(here, words, verdict, rules, new_id())
        for (here, words), verdict in zip(seen, judged, strict=True)
    ]


def _normalized(inbound: Inbound, rules: Rules) -> tuple[Inbound, Normalized]:
    here = msgspec.structs.replace(inbound, received_at=inbound.received_at.astimezone(rules.zone))
    return here, normalize(here, rules.context, rules.gazetteer)


def _judged(inbound: Inbound, seen: Normalized, rules: Rules) -> tuple[Judged, float]:
    """Return what the judge finds, and the seconds that it took."""
    began = time.perf_counter()
    # A title made from the text would have its words weighed twice.
    title = seen.content.title if inbound.title else None
    judged = judge(seen.content.text, seen.folded, rules.rulebook, title)
    return judged, time.perf_counter() - began


def _composed(
    inbound: Inbound,
    seen: Normalized,
    verdict: tuple[Judged, float],
    rules: Rules,
    ticket_id: str,
) -> Composed:
    judged, judge_s = verdict
    judged = _with_the_senders_word(
        judged, inbound.type, inbound.domain, undecodable=inbound.undecodable
    )
    return Composed(
        ticket=_ticket(ticket_id, inbound, seen, judged, rules),
        folded=seen.folded,
        judge_s=judge_s,
    )


def _ticket(
    ticket_id: str, inbound: Inbound, seen: Normalized, judged: Judged, rules: Rules
) -> Ticket:
    decision = decide(seen.folded, judged, rules.pack)
    channel = ChannelRef(
        kind=inbound.channel,
        account=inbound.account,
        message_id=message_id(inbound),
        called=inbound.called,
        thread=inbound.thread,
    )
    grounds, until = judged.evidence, Limits()
    if decision.decision == "accepted":
        until = _limits(inbound.received_at, seen, judged, rules)
    else:
        grounds += evidence(seen.content.text, seen.folded, judged, rules.pack)
    return Ticket(
        id=ticket_id,
        received_at=inbound.received_at,
        occurred_at=seen.occurred_at,
        channel=channel,
        requester=seen.requester,
        content=seen.content,
        place=seen.place,
        attachments=inbound.attachments,
        type=judged.type,
        domain=judged.domain,
        urgency=judged.urgency,
        verify=judged.verify,
        services=judged.services,
        kind=judged.kind,
        evidence=grounds,
        acceptance=decision,
        route=_route(channel, inbound.received_at, seen, judged, rules),
        limits=until,
        public=inbound.public,
        exercise=inbound.exercise,
        rulebook=judged.version,
    )


def _limits(received_at: datetime, seen: Normalized, judged: Judged, rules: Rules) -> Limits:
    return limits(
        judged.type,
        judged.urgency,
        received_at,
        rules.pack,
        requester=seen.requester.kind,
        services=judged.services,
    )


def _route(
    channel: ChannelRef, received_at: datetime, seen: Normalized, judged: Judged, rules: Rules
) -> RouteTaken:
    return rules.router.plan(
        channel=channel,
        requester=seen.requester,
        place=seen.place,
        judged=judged,
        folded=seen.folded,
        received_at=received_at,
    )


def judge(text: str, folded: str, rulebook: Rulebook, title: str | None = None) -> Judged:
    """Return what the judge finds; where it fails, that a human must look at the words now."""
    try:
        return assess(text, folded, rulebook, title)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # The trace may quote the citizen.
        log.error("judge.failed", extra={"error": type(error).__name__})  # noqa: TRY400 - see above
        why = Evidence(claim="verify", rule="judge_failed", text="", start=0, end=0, weight=1.0)
        return Judged(
            urgency=Urgency.URGENT, verify=True, evidence=(why,), version=rulebook.version
        )


def _with_the_senders_word(
    judged: Judged, kind: RequestType | None, domain: Domain | None, *, undecodable: bool
) -> Judged:
    """Let the type and domain that the citizen chose stand, and mark what nobody could read."""
    if kind is not None:
        judged = msgspec.structs.replace(judged, type=kind)
    if domain is not None:
        judged = msgspec.structs.replace(judged, domain=domain)
    if undecodable:
        why = Evidence(claim="verify", rule=UNDECODABLE, text="", start=0, end=0, weight=1.0)
        urgency = Urgency.URGENT if judged.urgency is Urgency.NORMAL else judged.urgency
        judged = msgspec.structs.replace(
            judged, urgency=urgency, verify=True, evidence=(*judged.evidence, why)
        )
    return judged


def reconsider(
    ticket: Ticket, rules: Rules, kind: RequestType | None = None, domain: Domain | None = None
) -> tuple[Judged, Decision, RouteTaken]:
    """Return what a stored ticket would be judged, decided and routed under these rules.

    Its words, place and requester are those that were stored: they are facts of the message.

    Args:
        ticket: As stored.
        rules: Of any configuration.
        kind: The type that the citizen chose, None where they chose none.
        domain: Likewise.
    """
    text, title = ticket.content.text, ticket.content.title
    folded = fold(text)
    judged = judge(text, folded, rules.rulebook, None if title == title_of(text) else title)
    unread = any(why.rule == UNDECODABLE for why in ticket.evidence)
    judged = _with_the_senders_word(judged, kind, domain, undecodable=unread)
    route = rules.router.plan(
        channel=ticket.channel,
        requester=ticket.requester,
        place=ticket.place,
        judged=judged,
        folded=folded,
        received_at=ticket.received_at.astimezone(rules.zone),
    )
    return judged, decide(folded, judged, rules.pack), route
