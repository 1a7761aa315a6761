"""Trying quarantined messages again by the channels that run."""

import logging
from collections.abc import Mapping, Sequence

from channels.base import Receipt, Request, Webhook
from gateway.late import Taking
from gateway.late_answers import LateAnswers
from gateway.store.base import Quarantined
from normalizer.errors import ConfigError, DeliveryError

log = logging.getLogger(__name__)


class Again:
    """Makes tickets of messages that could not be understood before.

    Args:
        webhooks: Channels that read what is pushed to them, by kind and name.
        taking: Makes the tickets.
        answers: Tells citizens what the reply to their push would have told.
    """

    def __init__(
        self,
        webhooks: Mapping[tuple[str, str], Webhook],
        taking: Taking,
        answers: LateAnswers,
    ) -> None:
        self._webhooks = webhooks
        self._taking = taking
        self._answers = answers

    def readable(self, item: Quarantined) -> bool:
        """Return whether a channel runs that can be asked to read a message once more."""
        return (item.channel, item.account) in self._webhooks

    async def read(self, item: Quarantined) -> Sequence[Receipt]:
        """Return the receipts of the tickets that a message becomes after all.

        Raises:
            ConfigError: No channel that runs can read it from here.
            ChannelError: It still cannot be understood.
            StoreError: Not everything was stored.
        """
        channel = self._webhooks.get((item.channel, item.account))
        if channel is None:
            raise ConfigError(f"no channel {item.channel}:{item.account} runs that can read this")
        request = Request(method="POST", headers={"content-type": item.raw_type}, body=item.raw)
        inbounds = channel.parse(request, item.at)
        receipts = await self._taking.take(channel, request, inbounds)
        for inbound, receipt in zip(inbounds, receipts, strict=True):
            try:
                await self._answers.answer(inbound, receipt)
            except DeliveryError as error:  # to a command; their next one is answered
                log.warning("console.not_told", extra={"why": str(error)})
        return receipts
