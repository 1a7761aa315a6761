"""Pictures and sounds that a carrier keeps for a while: fetched by the outbox, joined to their ticket.

The ticket never waits for them. An errand is a delivery like any other: kept with the ticket, tried
again with growing delays, first of all for emergencies, and a dead letter that an operator sees when
the carrier has them no more.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import cast

import msgspec

from adapters.base import Item
from channels.base import Fetcher, MediaRef, Messenger
from gateway.additions import Additions
from gateway.blobs import Blobs
from gateway.ids import new_id
from gateway.media import HEAD, UNKNOWN, media_type
from gateway.store.base import Lane, NewDelivery, Store
from normalizer.errors import Conflict, Oversized, StoreError, TryLater, Unreachable
from normalizer.schema import Attachment, Inbound

log = logging.getLogger(__name__)

#: Type of the delivery.
MEDIA = "hotline.media.fetch"
#: Endings of the names that fetched files get.
_ENDINGS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "audio/amr": ".amr",
    "audio/amr-wb": ".amr",
    "audio/mpeg": ".mp3",
    "audio/silk": ".silk",
    "video/mp4": ".mp4",
    "application/pdf": ".pdf",
}


#: How long carriers keep what citizens send. Source: WeChat, "获取临时素材": three days.
KEPT_FOR = timedelta(days=3)


class _Data(msgspec.Struct):
    media: MediaRef


class _Event(msgspec.Struct):
    data: _Data


def media_delivery(inbound: Inbound, ref: MediaRef, now: datetime, lane: Lane) -> NewDelivery:
    """Return the errand of fetching one of a message's media."""
    return NewDelivery(
        id=new_id(),
        destination=f"media:{inbound.channel}:{inbound.account}",
        lane=lane,
        type=MEDIA,
        due_at=now,
        data={"media": msgspec.to_builtins(ref)},
    )


class MediaErrands:
    """Adapter of every ``media:<kind>:<account>``.

    Args:
        fetchers: Who gets media, by destination.
        store: Where the tickets are.
        blobs: Where files are kept.
        additions: What puts them on a ticket.
    """

    def __init__(
        self, fetchers: Mapping[str, Fetcher], store: Store, blobs: Blobs, additions: Additions
    ) -> None:
        self._fetchers = fetchers
        self._store = store
        self._blobs = blobs
        self._additions = additions

    async def open(self) -> None:
        """Do nothing: the fetchers are opened as messengers."""

    async def close(self) -> None:
        """Do nothing."""

    async def deliver(self, item: Item) -> None:
        """Return once the file is on its ticket.

        Raises:
            TryLater: The carrier or the store did not answer.
            Unreachable: The carrier has it no more, or it is too large.
        """
        fetcher = self._fetchers.get(item.destination)
        if fetcher is None:
            raise TryLater("no configured channel can fetch it")
        ref = msgspec.json.decode(item.body, type=_Event).data.media
        try:
            sha256, size = await self._blobs.write(await fetcher.fetch(ref))
            attachment = await self._attachment(ref, sha256, size)
            await self._put(item.subject, ref, attachment)
        except Oversized as error:
            raise Unreachable(f"the file is too large: {error.detail}") from None
        except StoreError as error:
            raise TryLater(str(error)) from None

    async def _attachment(self, ref: MediaRef, sha256: str, size: int) -> Attachment:
        path = self._blobs.path(sha256)

        def head() -> bytes:
            with path.open("rb") as file:
                return file.read(HEAD)

        kind = media_type(await asyncio.to_thread(head), "")
        name = PurePosixPath(f"{ref.kind}-{sha256[:8]}{_ENDINGS.get(kind, '')}").name
        return Attachment(
            id=f"m-{sha256[:16]}", name=name, media_type=kind or UNKNOWN, bytes=size, sha256=sha256
        )

    async def _put(self, number: str, ref: MediaRef, attachment: Attachment) -> None:
        stored = await self._store.ticket(number)
        if stored is None:
            raise Unreachable("the store does not hold its ticket")
        further = await self._additions.read(stored.ticket, "")
        try:
            await self._additions.put(
                stored, further, (attachment,), f"media:{ref.key}", key_name="media"
            )
        except Conflict:
            # Fetched twice, and not the same octets: the first one stays.
            log.info("media.again", extra={"destination": number})


def errands(
    speakers: Mapping[str, Messenger], store: Store, blobs: Blobs, additions: Additions
) -> MediaErrands:
    """Return what fetches media by those of the messengers that can."""
    fetchers = {
        name.replace("answer:", "media:", 1): cast("Fetcher", speaker)
        for name, speaker in speakers.items()
        if name.startswith("answer:") and hasattr(speaker, "fetch")
    }
    return MediaErrands(fetchers, store, blobs, additions)
