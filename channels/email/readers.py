"""The helpers that read mails."""

import logging

from channels.email.codec import salvage
from channels.email.helpers import Helpers, Lost
from channels.email.parsed import Job, Mail

log = logging.getLogger(__name__)

#: Seconds that reading one mail may take; 30 MB take two on a slow machine.
TIMEOUT_S = 10.0
_AT_ONCE = 8


class Readers:
    """Understands mails, whatever they do to who reads them.

    Args:
        count: Processes.
        timeout_s: After which a mail is salvaged.
        command: The program; tests give one that hangs.
    """

    def __init__(
        self, count: int = 2, timeout_s: float = TIMEOUT_S, command: tuple[str, ...] | None = None
    ) -> None:
        self._helpers: Helpers[Job, Mail] = Helpers(
            "channels.email.worker",
            Mail,
            count=count,
            timeout_s=timeout_s,
            at_once=_AT_ONCE,
            command=command,
        )
        self.open = self._helpers.open
        self.close = self._helpers.close

    async def understand(self, job: Job) -> Mail:
        """Return what a mail says; what cannot be read in time is salvaged.

        Raises:
            StoreError: No process can be started; the mail is to be tried again.
        """
        try:
            return await self._helpers.ask(job)
        except Lost as error:
            log.warning("email.unreadable", extra={"why": str(error), "octets": len(job.raw)})
            return salvage(job, f"reading it failed: {error}")
