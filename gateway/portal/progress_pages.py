"""The progress of a ticket: asked for by number and query code, with what a citizen can do there."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from channels.web.submission import full_text
from gateway.attempts import TooMany
from gateway.forms import NoFiles, read_form
from gateway.notices import numbers_to_dial
from gateway.portal.citizen import Done, NotFound, Progress
from gateway.portal.routes import (
    Portal,
    Trouble,
    ask_page,
    form_key,
    new_key,
    tidy_code,
    tidy_number,
    told,
)
from normalizer.errors import FieldError, Malformed, NotAllowed, Oversized
from normalizer.schema import Status

_NO_MORE_WORDS = (Status.REFUSED, Status.WITHDRAWN)
_LIMITS = ("dispatch_by", "sign_by", "contact_by", "finish_by")


class ProgressPages:
    """The handlers."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def ask(self, request: web.Request) -> web.Response:
        """Show the form for number and query code."""
        return self._ask(request, {})

    async def show(self, request: web.Request) -> web.Response:
        """Show where the ticket stands."""

        async def nothing(_values: Mapping[str, str], _number: str, _code: str) -> None:
            return None

        return await self._opened(request, nothing)

    async def add(self, request: web.Request) -> web.Response:
        """Put further words on the ticket."""

        async def add(values: Mapping[str, str], number: str, code: str) -> Done:
            text = full_text("text", values.get("text", "").replace("\r\n", "\n"))
            remote = self._portal.remote(request)
            return await self._portal.tickets.add(number, code, remote, text, key=form_key(values))

        return await self._opened(request, add, "add")

    async def rate(self, request: web.Request) -> web.Response:
        """Rate the answer."""

        async def rate(values: Mapping[str, str], number: str, code: str) -> Done:
            comment = values.get("comment", "").replace("\r\n", "\n").strip() or None
            remote = self._portal.remote(request)
            rating = values.get("rating", "")
            return await self._portal.tickets.rate(number, code, remote, rating, comment)

        return await self._opened(request, rate, "rate")

    async def withdraw(self, request: web.Request) -> web.Response:
        """Take the ticket back, if the citizen confirmed it."""

        async def withdraw(values: Mapping[str, str], number: str, code: str) -> Done:
            if not values.get("confirm"):
                raise Malformed("confirm", "it must be ticked")
            return await self._portal.tickets.withdraw(number, code, self._portal.remote(request))

        return await self._opened(request, withdraw, "withdraw")

    async def _opened(
        self,
        request: web.Request,
        step: Callable[[Mapping[str, str], str, str], Awaitable[Done | None]],
        done: str = "",
    ) -> web.Response:
        """Take a step on the ticket that the form names and show the ticket as it is then."""
        values, _ = await read_form(request, NoFiles())
        number, code = tidy_number(values.get("number", "")), tidy_code(values.get("code", ""))
        missing = tuple(
            Malformed(name, "it is missing")
            for name, value in (("number", number), ("code", code))
            if not value
        )
        if missing:
            return self._ask(request, values, Trouble(400, missing))
        errors: tuple[FieldError, ...] = ()
        result, lead, status = None, "", 200
        try:
            try:
                result = await step(values, number, code)
            except (Malformed, Oversized) as error:
                errors, status = (error,), 400
            except NotAllowed:
                lead, status = "refused_step", 409
            shown = await self._shown(request, number, code)
        except NotFound:
            return self._ask(request, values, Trouble(404, lead="unknown"))
        except TooMany as error:
            return self._ask(request, values, Trouble(429, (), "too_many", error.after_s))
        shown.values, shown.result = {} if result else values, result
        shown.done = done if result else ""
        return self._ticket(request, shown, errors=errors, lead=lead, status=status)

    async def _shown(self, request: web.Request, number: str, code: str) -> "_Shown":
        """Open a ticket; a temporary code, which is of digits, is changed for its own."""
        tickets, remote = self._portal.tickets, self._portal.remote(request)
        ticket = await tickets.progress(number, code, remote)
        own = await tickets.own_code(number, code, remote) if code.isdigit() else code
        return _Shown(ticket, own, own != code)

    def sent(self, request: web.Request, number: str) -> web.Response:
        """Show the form again once a temporary code was asked for."""
        return self._ask(request, {"number": number}, sent=True)

    def _ask(
        self,
        request: web.Request,
        values: Mapping[str, str],
        trouble: Trouble = Trouble(),  # noqa: B008 - frozen
        *,
        sent: bool = False,
    ) -> web.Response:
        return ask_page(
            self._portal,
            request,
            "progress",
            {"number": values.get("number", "")},
            trouble,
            here="/progress",
            texts_codes=self._portal.codes is not None,
            sent=sent,
        )

    def _ticket(
        self,
        request: web.Request,
        shown: "_Shown",
        *,
        errors: tuple[FieldError, ...],
        lead: str,
        status: int,
    ) -> web.Response:
        texts = self._portal.texts(request)
        ticket, result = shown.ticket, shown.result
        limits = [(name, getattr(ticket.limits, name)) for name in _LIMITS]
        escalated = result is not None and result.escalated
        return self._portal.views.page(
            "ticket.html",
            request,
            status=status,
            personal=True,
            tab="progress",
            ticket=ticket,
            code=shown.code,
            found_again=shown.found_again,
            values=shown.values,
            errors=told(texts, errors, "ticket"),
            lead=texts["ticket"][lead] if lead else "",
            done=shown.done,
            dial=numbers_to_dial(result.services) if result and escalated else (),
            limits=[(name, at) for name, at in limits if at is not None],
            can_add=ticket.status not in _NO_MORE_WORDS,
            key=new_key(),
        )


@dataclass(slots=True)
class _Shown:
    """A ticket on its page."""

    ticket: Progress
    code: str
    found_again: bool  #: the code is shown to who had lost it
    values: Mapping[str, str] = field(default_factory=dict)  #: typed, to be shown beside an error
    result: Done | None = None
    done: str = ""
