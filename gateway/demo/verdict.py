"""Whether everything arrived as it should: what citizens were told beside what others were sent."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.demo.peers import Arrival, LoopbackDesk, LoopbackOffice
from gateway.demo.reading import waited
from gateway.demo.story import Sent

ACCEPTED, ADDED = "hotline.ticket.accepted", "hotline.ticket.added"
_KINDS = {"form": "web"}


@dataclass(slots=True)
class Run:
    """All that is known of a performance."""

    office: LoopbackOffice
    desks: list[LoopbackDesk]
    sent: list[Sent] = field(default_factory=list)

    def accepted(self, number: str) -> list[Arrival]:
        """Return what the back office was pushed of a ticket's beginning."""
        return self.office.of(number, ACCEPTED)

    def ticket(self, number: str) -> dict[str, Any]:
        """Return a ticket as the back office has it, empty while it has none."""
        pushes = self.accepted(number)
        return dict(pushes[0].event["data"]["ticket"]) if pushes else {}

    def reached(self, number: str) -> dict[str, float]:
        """Return when each desk had a ticket on its screen."""
        return {d.service: d.reports[number] for d in self.desks if number in d.reports}

    @property
    def tickets(self) -> set[str]:
        """What the back office was pushed."""
        return {a.subject for a in self.office.arrivals if a.type == ACCEPTED}


def faults(run: Run) -> list[str]:
    """Return what is not as it should be, a sentence each; empty: nothing."""
    found = []
    for index, one in enumerate(run.sent):
        before = run.sent[index - 1] if index else None
        found += [
            f"{one.scene.channel}, {one.number or 'no number'}: {fault}"
            for fault in _of_one(run, one, before)
        ]
    if run.office.refused:
        found.append(f"{run.office.refused} events whose signature is wrong")
    if strange := run.tickets - {one.number for one in run.sent}:
        found.append(f"tickets that nobody was told of: {', '.join(sorted(strange))}")
    return found


async def settled(run: Run, within_s: float) -> list[str]:
    """Return the faults that are left once everything has arrived, or had its time to."""
    await waited(lambda: not faults(run), within_s)
    return faults(run)


def _of_one(run: Run, one: Sent, before: Sent | None) -> Iterator[str]:
    if not one.answer:
        yield "the citizen has no answer"
    if len(run.accepted(one.number)) != 1:
        yield f"pushed to the back office {len(run.accepted(one.number))} times"
    yield from {"ticket": _ticket, "repeat": _repeat, "addition": _addition}[one.scene.becomes](
        run, one, before
    )


def _ticket(run: Run, one: Sent, _before: Sent | None) -> Iterator[str]:
    if [other.number for other in run.sent].index(one.number) != run.sent.index(one):
        yield "a ticket of another request"
    ticket = run.ticket(one.number)
    if not ticket:
        return
    if not one.scene.spoken and _bare(one.scene.text) not in _bare(ticket["content"]["original"]):
        yield "the words have changed on the way"
    if ticket["channel"]["kind"] != _KINDS.get(one.scene.channel, one.scene.channel):
        yield f"came by {ticket['channel']['kind']}"
    reached = run.reached(one.number)
    wanted = {s for s in ticket["services"] if s in {d.service for d in run.desks}}
    emergency = ticket["urgency"] == "emergency"
    if emergency != bool(one.scene.calls) or not wanted.issuperset(one.scene.calls):
        yield f"judged {ticket['urgency_label']} for {', '.join(ticket['services']) or 'nobody'}"
    if set(reached) != (wanted if emergency else set()):
        yield f"is on the screens of {', '.join(reached) or 'no desk'}"
    yield from (
        f"the citizen is not told to dial {n}" for n in one.scene.calls if n not in one.answer
    )


def _repeat(run: Run, one: Sent, before: Sent | None) -> Iterator[str]:
    del run
    if before is None or one.number != before.number:
        yield "a repeat has a number of its own"


def _addition(run: Run, one: Sent, before: Sent | None) -> Iterator[str]:
    if before is None or one.number != before.number:
        yield "did not join the ticket before it"
    messages = [a.event["data"]["message"] for a in run.office.of(one.number, ADDED)]
    if sum(len(message["attachments"]) for message in messages) != 1:
        yield "its photo is not at the back office"


def _bare(text: str) -> str:
    return "".join(text.split())
