"""Trying quarantined messages again, beside a gateway that may be running."""

import asyncio
from collections.abc import Sequence

from channels.base import Receipt, Request
from config.load import Loaded
from gateway.accept import Intake
from gateway.blobs import Blobs
from gateway.clock import SystemClock
from gateway.core import Core
from gateway.desks.incidents import IncidentIndex
from gateway.desks.roster import Roster
from gateway.ids import new_id
from gateway.late_answers import LateAnswers
from gateway.metrics import Metrics
from gateway.plugins import Plugins
from gateway.rules import compile_rules
from gateway.sections import name_of, speakers_of, ways_of
from gateway.store.base import Delivery, Lane, Quarantined, Store
from gateway.talk.answering import Answering
from normalizer.errors import ConfigError
from normalizer.place import same_place


class Elsewhere:
    """An outbox that leaves everything to the running gateway, which looks twice a second."""

    def hand_over(self, deliveries: Sequence[Delivery]) -> None:
        """Leave the deliveries in the store."""

    def wake(self, destination: str, lane: Lane) -> None:
        """Leave it to the next look."""


async def replay(
    item: Quarantined, store: Store, loaded: Loaded, channels: Plugins
) -> list[Receipt]:
    """Return the receipts of the tickets that a quarantined message becomes after all.

    Raises:
        ConfigError: The message's channel is not configured any more.
        ChannelError: The message still cannot be understood.
        StoreError: Nothing was stored.
    """
    for section in loaded.settings.channels:
        plugin = channels[section["kind"]]
        if (section["kind"], name_of(section, plugin)) == (item.channel, item.account):
            channel = plugin.open(section)
            break
    else:
        raise ConfigError(f"no channel {item.channel}:{item.account} is configured")
    if not hasattr(channel, "parse"):
        raise ConfigError(
            f"only {item.channel}:{item.account} itself can read this: `gateway deadletter show` "
            "has it whole; send it to the channel once more, then discard it here"
        )
    clock, roster = SystemClock(), Roster(loaded.settings.liaison)
    rules = await asyncio.to_thread(compile_rules, loaded)
    index = IncidentIndex(lambda: roster, same_place, new_id)
    await index.seed(store, clock.now())
    # The channel's own way out: without one its citizens cannot be answered from here.
    own = loaded.settings.model_copy(update={"channels": (section,)})
    answering = Answering(ways_of(own, channels, speakers_of(own, channels, [channel])))
    core = Core(store, lambda: rules, clock, index, Elsewhere(), Metrics(), answering)
    intake, answers = Intake(core), LateAnswers(core, {})
    request = Request(method="POST", headers={"content-type": item.raw_type}, body=item.raw)
    inbounds = channel.parse(request, item.at)
    blobs = Blobs(loaded.settings.store.files)
    for content in channel.files(request):
        await blobs.write(content)
    receipts = []
    for inbound in inbounds:
        receipts.append(receipt := await intake.accept(inbound))
        await answers.answer(inbound, receipt)
    return receipts
