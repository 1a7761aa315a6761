"""The progress of a ticket: asked for by number and query code, with what a citizen can do there."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import ceil

from aiohttp import web

from channels.web.submission import full_text
from gateway.forms import NoFiles, read_form
from gateway.notices import numbers_to_dial
from gateway.portal.citizen import Done, NotFound, Progress, TooMany
from gateway.portal.routes import Portal, form_key, new_key, tidy_code, tidy_number, told
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
            return self._ask(request, values, errors=missing, status=400)
        errors: tuple[FieldError, ...] = ()
        result, lead, status = None, "", 200
        try:
            try:
                result = await step(values, number, code)
            except (Malformed, Oversized) as error:
                errors, status = (error,), 400
            except NotAllowed:
                lead, status = "refused_step", 409
            ticket = await self._portal.tickets.progress(number, code, self._portal.remote(request))
        except NotFound:
            return self._ask(request, values, lead="unknown", status=404)
        except TooMany as error:
            return self._ask(request, values, lead="too_many", status=429, after_s=error.after_s)
        shown = _Shown(ticket, code, {} if result else values, result, done if result else "")
        return self._ticket(request, shown, errors=errors, lead=lead, status=status)

    def _ask(
        self,
        request: web.Request,
        values: Mapping[str, str],
        *,
        errors: tuple[FieldError, ...] = (),
        lead: str = "",
        status: int = 200,
        after_s: float = 0.0,
    ) -> web.Response:
        texts = self._portal.texts(request)
        words = texts["progress"][lead].format(minutes=ceil(after_s / 60)) if lead else ""
        response = self._portal.views.page(
            "progress.html",
            request,
            status=status,
            personal=bool(values),
            tab="progress",
            here="/progress",
            values={"number": values.get("number", "")},
            errors=told(texts, errors, "progress"),
            lead=words,
        )
        if after_s:
            response.headers["Retry-After"] = str(ceil(after_s))
        return response

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
            values=shown.values,
            errors=told(texts, errors, "ticket"),
            lead=texts["ticket"][lead] if lead else "",
            done=shown.done,
            dial=numbers_to_dial(result.services) if result and escalated else (),
            limits=[(name, at) for name, at in limits if at is not None],
            can_add=ticket.status not in _NO_MORE_WORDS,
            key=new_key(),
        )


@dataclass(frozen=True, slots=True)
class _Shown:
    """A ticket on its page."""

    ticket: Progress
    code: str
    values: Mapping[str, str]  #: what was typed, to be shown again beside an error
    result: Done | None
    done: str
