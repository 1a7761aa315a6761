"""What comes back from the back office: steps of handling units, and paging for reconciliation."""

import logging
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from aiohttp import web

from channels.webhook.codec import verify
from config.region import RATINGS
from gateway.core import Core
from gateway.lifecycle import ALLOWED_FROM, Work, check_step, event_of
from gateway.limits import contact_by
from gateway.notices import how_to_rate, worked_on
from gateway.portal.citizen import TOLD
from gateway.ports import lane_of
from gateway.problems import decoding_of, problem, problem_of
from gateway.rules import work_rules
from gateway.store.base import Change, NewDelivery, NewEvent, StoredTicket
from gateway.talk.conversation import STOPPED
from gateway.talk.receipts import CONVERSING
from gateway.view import Public, publish, urgency_of
from normalizer.errors import Malformed, NotAllowed, StoreError, Unauthorized
from normalizer.number import is_number

log = logging.getLogger(__name__)

_PREFIX = "hotline.work."
_PAGE = 200
_ROUNDS = 8
#: Of ``until``: beyond them a change of zone may leave what a calendar holds.
_YEARS = range(1970, 3000)


class _Envelope(msgspec.Struct):
    """The parts of a CloudEvent that matter here."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    type: str
    specversion: str
    data: Work


class BackOffice:
    """The handlers of ``/api/v1/backoffice/{adapter}``."""

    def __init__(self, core: Core, public: Public, keys: Mapping[str, Sequence[bytes]]) -> None:
        """Make the handlers.

        Args:
            core: What they work with.
            public: What views need.
            keys: Signing keys of each back-office adapter by name.
        """
        self._core = core
        self._public = public
        self._keys = keys

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
        verify(keys, headers, body, self._core.clock.now())
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
            raise decoding_of(error) from None
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
            stored = await self._core.store.ticket(work.number) if is_number(work.number) else None
            if stored is None:
                raise LookupError(work.number)
            if any(event.key == envelope.id for event in stored.events):
                return
            check_step(step, work, stored, work_rules(self._core.rules()), self._core.clock.now())
            answers = self._answers(step, work, stored)
            changed = await self._core.store.change(
                Change(
                    ticket_id=stored.ticket.id,
                    events=(self._event(step, work, stored, envelope.id),),
                    deliveries=answers,
                    if_version=stored.version,
                )
            )
            if changed.written or changed.duplicate:
                self._core.outbox.hand_over(changed.leased)
                for answer in answers:
                    self._core.outbox.wake(answer.destination, answer.lane)
                log.info("backoffice.step", extra={"step": step, "number": work.number})
                return
        raise StoreError("the ticket is being changed by too many at once")

    def _answers(self, step: str, work: Work, stored: StoredTicket) -> tuple[NewDelivery, ...]:
        """Return what the citizen is told of a step, on the channel they came by."""
        came_by, language = stored.ticket.channel, stored.ticket.requester.language
        unwanted = any(event.event == STOPPED for event in stored.events)
        if event_of(step) not in TOLD or not work.text or unwanted:
            return ()
        text = worked_on(stored.number, work.unit, work.text, language)
        if step == "answered" and came_by.kind in CONVERSING:
            scale = self._core.rules().pack.rating_scale
            text += "\n" + how_to_rate([each for each in RATINGS if each in scale], language)
        kind = f"hotline.answer.{event_of(step)}"
        lane = lane_of(urgency_of(stored.ticket, stored.events), verify=False)
        return self._core.answering.notice(came_by, kind, self._core.clock.now(), lane, text)

    def _event(self, step: str, work: Work, stored: StoredTicket, key: str) -> NewEvent:
        now, rules = self._core.clock.now(), self._core.rules()
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
        if after and after not in await self._core.store.tickets((after,)):
            return problem(400, "not a cursor of ours: begin without one", field="after")
        stored = await self._core.store.page(after, _PAGE)
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
