"""What comes back from the back office: steps of handling units, and paging for reconciliation."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from aiohttp import web

from channels.webhook.codec import verify
from gateway.clock import Clock
from gateway.compose import Rules
from gateway.ids import new_id
from gateway.lifecycle import ALLOWED_FROM, Work, check_step, event_of
from gateway.limits import contact_by
from gateway.notices import worked_on
from gateway.portal.citizen import TOLD
from gateway.ports import Outbox
from gateway.problems import problem, problem_of
from gateway.rules import work_rules
from gateway.store.base import Change, Lane, NewDelivery, NewEvent, Store, StoredTicket
from gateway.view import Public, publish
from normalizer.errors import Malformed, NotAllowed, StoreError, Unauthorized
from normalizer.number import is_number

log = logging.getLogger(__name__)

_PREFIX = "hotline.work."
_PAGE = 200
_ROUNDS = 8
#: Of ``until``: beyond them a change of zone may leave what a calendar holds.
_YEARS = range(1970, 3000)


def answer_destination(kind: str, account: str) -> str:
    """Return the outbox destination that answers citizens who came by this channel."""
    return f"answer:{kind}:{account}"


class _Envelope(msgspec.Struct):
    """The parts of a CloudEvent that matter here."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    type: str
    specversion: str
    data: Work


class BackOffice:
    """The handlers of ``/api/v1/backoffice/{adapter}``."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        public: Public,
        keys: Mapping[str, Sequence[bytes]],
        rules: Callable[[], Rules],
        outbox: Outbox,
        speakers: frozenset[str],
    ) -> None:
        """Make the handlers.

        Args:
            store: Where tickets are.
            clock: The time.
            public: What views need.
            keys: Signing keys of each back-office adapter by name.
            rules: The region's rules in force.
            outbox: Who carries answers to citizens away.
            speakers: Destinations by which a citizen can be answered.
        """
        self._store = store
        self._clock = clock
        self._public = public
        self._keys = keys
        self._rules = rules
        self._outbox = outbox
        self._speakers = speakers

    async def events(self, request: web.Request) -> web.Response:
        """Take one step of a handling unit."""
        try:
            body = await self._authentic(request)
            envelope = self._decode(body)
            await self._take(envelope)
        except (Unauthorized, Malformed, NotAllowed) as error:
            return problem_of(error, unauthorized=401)
        except LookupError:
            return problem(404, "no ticket of this number", field="data.number")
        return web.Response(status=202)

    async def _authentic(self, request: web.Request) -> bytes:
        keys = self._keys.get(request.match_info["adapter"])
        body = await request.read()
        if keys is None:
            raise Unauthorized("no back-office adapter of this name")
        headers = {k.lower(): v for k, v in request.headers.items()}
        verify(keys, headers, body, self._clock.now())
        if body and request.method == "GET":
            # Nothing in a signature says what it is for: an event that we signed ourselves would
            # open the tickets to whoever saw it pass.
            raise Unauthorized("a question is signed over an empty body")
        return body

    @staticmethod
    def _decode(body: bytes) -> _Envelope:
        try:
            envelope = msgspec.json.decode(body, type=_Envelope)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Malformed("body", f"not a CloudEvent of ours: {error}") from None
        if envelope.type.removeprefix(_PREFIX) not in ALLOWED_FROM:
            known = ", ".join(_PREFIX + step for step in ALLOWED_FROM)
            raise Malformed("type", f"one of {known}")
        until = envelope.data.until
        if until is not None and until.year not in _YEARS:
            raise Malformed("data.until", "an instant between 1970 and 2999: RFC 3339 with offset")
        return envelope

    async def _take(self, envelope: _Envelope) -> None:
        step, work = envelope.type.removeprefix(_PREFIX), envelope.data
        for _ in range(_ROUNDS):
            stored = await self._store.ticket(work.number) if is_number(work.number) else None
            if stored is None:
                raise LookupError(work.number)
            if any(event.key == envelope.id for event in stored.events):
                return
            check_step(step, work, stored, work_rules(self._rules()), self._clock.now())
            answers = self._answers(step, work, stored)
            changed = await self._store.change(
                Change(
                    ticket_id=stored.ticket.id,
                    events=(self._event(step, work, stored, envelope.id),),
                    deliveries=answers,
                    if_version=stored.version,
                )
            )
            if changed.written or changed.duplicate:
                for answer in answers:
                    self._outbox.wake(answer.destination, answer.lane)
                log.info("backoffice.step", extra={"step": step, "number": work.number})
                return
        raise StoreError("the ticket is being changed by too many at once")

    def _answers(self, step: str, work: Work, stored: StoredTicket) -> tuple[NewDelivery, ...]:
        """Return what the citizen is told of a step, on the channel they came by."""
        came_by = stored.ticket.channel
        to = answer_destination(came_by.kind, came_by.account)
        if event_of(step) not in TOLD or not work.text or to not in self._speakers:
            return ()
        text = worked_on(stored.number, work.unit, work.text, stored.ticket.requester.language)
        return (
            NewDelivery(
                id=new_id(),
                destination=to,
                lane=Lane.ORDINARY,
                type=f"hotline.answer.{event_of(step)}",
                due_at=self._clock.now(),
                data={"to": came_by.thread, "text": text},
            ),
        )

    def _event(self, step: str, work: Work, stored: StoredTicket, key: str) -> NewEvent:
        now, rules = self._clock.now(), self._rules()
        data: dict[str, Any] = {"unit": work.unit}
        if step == "signed":
            due = contact_by(stored.ticket.type, now.astimezone(rules.zone), rules.pack)
            if due is not None:
                data["contact_by"] = due.isoformat()
        if work.by is not None:
            data["by"] = work.by
        if work.until is not None:
            data["until"] = work.until.isoformat()
        return NewEvent(
            at=now,
            event=event_of(step),
            by=work.unit,
            text=work.text,
            data=data,
            key=key,
        )

    async def tickets(self, request: web.Request) -> web.Response:
        """Give a page of all tickets, in the order in which they were stored."""
        try:
            await self._authentic(request)
        except Unauthorized as error:
            return problem_of(error, unauthorized=401)
        after = request.query.get("after", "")
        if after and after not in await self._store.tickets((after,)):
            return problem(400, "not a cursor of ours: begin without one", field="after")
        stored = await self._store.page(after, _PAGE)
        page = {
            "tickets": [publish(one, self._public) for one in stored],
            "next": stored[-1].ticket.id if len(stored) == _PAGE else None,
        }
        return web.Response(
            body=msgspec.json.encode(page),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )


def routes(office: BackOffice) -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [
        web.post("/api/v1/backoffice/{adapter}/events", office.events),
        web.get("/api/v1/backoffice/{adapter}/tickets", office.tickets),
    ]
