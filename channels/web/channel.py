"""The web channel: ``POST /api/v1/requests`` and the citizens' form (contract section 4)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from channels.base import Receipt, Reply, Request, Webhook
from channels.web.codec import decode_request, encode_receipt, inbound
from config.plugin import Plugin
from config.settings import Section
from normalizer.schema import Inbound


class WebSettings(Section):
    """A ``kind: web`` entry under ``channels``."""

    kind: Literal["web"] = "web"
    name: str = Field(default="portal", min_length=1, max_length=64)  #: `Inbound.account`


class Web:
    """Takes requests from anybody; the answer holds the number and the query code."""

    def __init__(self, settings: WebSettings) -> None:
        self._account = settings.name

    def authenticate(self, request: Request, now: datetime) -> None:
        """Return: a citizen needs no account."""

    def parse(self, request: Request, now: datetime) -> Sequence[Inbound]:
        """Return the one request that was sent.

        Raises:
            Malformed: Naming the field.
            Oversized: Naming the field.
        """
        return (inbound(decode_request(request), request, now, self._account),)

    def files(self, request: Request) -> Sequence[bytes]:
        """Return nothing: a form's files were stored while it was read."""
        return ()

    def reply(self, request: Request, receipts: Sequence[Receipt]) -> Reply:
        """Return 201 with the receipt, 200 where the request was known already."""
        (receipt,) = receipts
        return Reply(status=200 if receipt.duplicate else 201, body=encode_receipt(receipt))


def _build(settings: WebSettings) -> Webhook:
    return Web(settings)


plugin: Plugin[WebSettings, Webhook] = Plugin(name="web", settings=WebSettings, build=_build)
