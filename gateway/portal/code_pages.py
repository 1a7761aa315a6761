"""A query code that was lost: asked for by number and telephone, sent by text."""

from collections.abc import Mapping

from aiohttp import web

from gateway.attempts import TooMany
from gateway.forms import NoFiles, read_form
from gateway.portal.page_views import look_of
from gateway.portal.progress_pages import ProgressPages
from gateway.portal.routes import Codes, Portal, Trouble, ask_page, tidy_number
from normalizer.errors import Malformed


class CodePages:
    """The handlers."""

    def __init__(self, portal: Portal, codes: Codes, progress: ProgressPages) -> None:
        self._portal = portal
        self._codes = codes
        self._progress = progress

    async def ask(self, request: web.Request) -> web.Response:
        """Show the form for number and telephone."""
        return self._ask(request, {}, Trouble())

    async def send(self, request: web.Request) -> web.Response:
        """Have a code sent, and show where it is typed: the same page whether there is one or not."""
        values, _ = await read_form(request, NoFiles())
        number = tidy_number(values.get("number", ""))
        phone = self._codes.phone_of(values.get("phone", ""))
        if not number or phone is None:
            wrong = (("number", not number), ("phone", phone is None))
            errors = tuple(Malformed(name, "it is missing") for name, is_wrong in wrong if is_wrong)
            return self._ask(request, values, Trouble(400, errors))
        remote, language = self._portal.remote(request), look_of(request).language
        try:
            self._codes.ask(number, phone, remote, language)
        except TooMany as error:
            return self._ask(request, values, Trouble(429, (), "too_many", error.after_s))
        return self._progress.sent(request, number)

    def _ask(
        self, request: web.Request, values: Mapping[str, str], trouble: Trouble
    ) -> web.Response:
        typed = {name: values.get(name, "") for name in ("number", "phone")}
        return ask_page(self._portal, request, "code", typed, trouble, here="/progress/code")
