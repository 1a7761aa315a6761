"""Senders are checked after their tickets are durable: nothing and nobody waits for DNS."""

import asyncio
import logging

from channels.email.claims import Claim, Finding, told
from channels.email.helpers import Helpers, Lost
from channels.email.parsed import Envelope, Mail
from channels.email.ports import Registry
from channels.email.settings import SenderCheck
from normalizer.errors import StoreError

log = logging.getLogger(__name__)

#: Octets of mails that wait to be checked; beyond them a mail goes unchecked.
_WAITING = 64 * 1024 * 1024
#: Seconds that what waits has when the channel ends.
_END_S = 5.0
_UNKNOWN = tuple(
    Finding(method=method, result="temperror", about="") for method in ("spf", "dkim", "dmarc")
)


class Senders:
    """Notes on tickets whether their mails are from whom they say.

    Args:
        registry: Notes it.
        check: How it is found out; None: only what the relay in front found is noted.
    """

    def __init__(self, registry: Registry, check: SenderCheck | None) -> None:
        self._registry = registry
        self._check = check
        self._tasks: set[asyncio.Task[None]] = set()
        self._octets = 0
        self._helpers: Helpers[Claim, tuple[Finding, ...]] | None = None
        if check is not None:
            self._helpers = Helpers(
                "channels.email.verifier",
                tuple[Finding, ...],
                count=2,
                timeout_s=check.timeout.total_seconds(),
            )

    async def close(self) -> None:
        """End; what is being checked has a moment left."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_END_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._helpers is not None:
            await self._helpers.close()

    async def note(self, number: str, raw: bytes, envelope: Envelope, mail: Mail) -> None:
        """Note on a ticket what the relay found, or begin to find it out.

        Raises:
            StoreError: Nothing was written.
        """
        if mail.authentication is not None:
            await self._write(number, mail, mail.authentication)
            return
        if self._helpers is None or self._check is None:
            return
        if self._octets + len(raw) > _WAITING:
            log.warning("email.sender_unchecked", extra={"octets": self._octets})
            return
        claim = Claim(
            raw=raw,
            sender=(mail.return_path or "") if envelope.sender is None else envelope.sender,
            domain=mail.sender.rpartition("@")[2],
            peer=envelope.peer,
            helo=envelope.helo,
            networks=self._check.networks,
            nameservers=self._check.nameservers,
        )
        self._octets += len(raw)
        task = asyncio.create_task(self._find(self._helpers, number, claim, mail))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _find(
        self, helpers: Helpers[Claim, tuple[Finding, ...]], number: str, claim: Claim, mail: Mail
    ) -> None:
        try:
            await self._write(number, mail, told(await helpers.ask(claim)))
        except Lost:
            await self._write(number, mail, told(_UNKNOWN))
        except StoreError as error:
            log.warning("email.sender_unchecked", extra={"error": error.code})
        finally:
            self._octets -= len(claim.raw)

    async def _write(self, number: str, mail: Mail, findings: str) -> None:
        await self._registry.note(
            number,
            "sender_checked",
            f"发信人验证：{findings}",
            {"authentication": findings},
            f"sender:{mail.digest[:32]}",
        )
