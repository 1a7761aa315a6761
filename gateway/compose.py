"""From what a channel saw to the ticket it becomes: pure, the same for intake and explain."""

import hashlib
import time
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import msgspec

from config.region import RegionPack
from gateway.acceptance import decide, evidence
from gateway.assess import assess
from gateway.limits import limits
from gateway.route import Router
from gateway.rulebook import Rulebook
from normalizer.gazetteer import Gazetteer
from normalizer.normalize import Context, normalize
from normalizer.schema import (
    ChannelRef,
    Evidence,
    Inbound,
    Judged,
    Limits,
    Ticket,
    Urgency,
)


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
    here = msgspec.structs.replace(inbound, received_at=inbound.received_at.astimezone(rules.zone))
    seen = normalize(here, rules.context, rules.gazetteer)
    began = time.perf_counter()
    # A title made from the text would have its words weighed twice.
    title = seen.content.title if inbound.title else None
    judged = assess(seen.content.text, seen.folded, rules.rulebook, title)
    judge_s = time.perf_counter() - began
    judged = _with_the_senders_word(judged, inbound)
    decision = decide(seen.folded, judged, rules.pack)
    refused = decision.decision != "accepted"
    channel = ChannelRef(
        kind=inbound.channel,
        account=inbound.account,
        message_id=message_id(inbound),
        called=inbound.called,
        thread=inbound.thread,
    )
    ticket = Ticket(
        id=ticket_id,
        received_at=here.received_at,
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
        evidence=judged.evidence + evidence(seen.content.text, seen.folded, judged, rules.pack)
        if refused
        else judged.evidence,
        acceptance=decision,
        route=rules.router.plan(
            channel=channel,
            requester=seen.requester,
            place=seen.place,
            judged=judged,
            folded=seen.folded,
            received_at=here.received_at,
        ),
        limits=Limits()
        if refused
        else limits(
            judged.type,
            judged.urgency,
            here.received_at,
            rules.pack,
            requester=seen.requester.kind,
            services=judged.services,
        ),
        public=inbound.public,
        exercise=inbound.exercise,
        rulebook=judged.version,
    )
    return Composed(ticket=ticket, folded=seen.folded, judge_s=judge_s)


def _with_the_senders_word(judged: Judged, inbound: Inbound) -> Judged:
    """Let the type that the citizen chose stand, and mark what nobody could read."""
    if inbound.type is not None:
        judged = msgspec.structs.replace(judged, type=inbound.type)
    if inbound.undecodable:
        why = Evidence(claim="verify", rule="undecodable", text="", start=0, end=0, weight=1.0)
        urgency = Urgency.URGENT if judged.urgency is Urgency.NORMAL else judged.urgency
        judged = msgspec.structs.replace(
            judged, urgency=urgency, verify=True, evidence=(*judged.evidence, why)
        )
    return judged
