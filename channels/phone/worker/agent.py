# SPDX-License-Identifier: GPL-3.0-or-later
"""The SIP user agent: pyVoIP's identity, registration and digest over a transport of ours.

Of pyVoIP 1.6.8 we keep what it does right: the REGISTER requests with their digest and the reading
of their answers. Its receiving thread, timers and media are left out, for they lose calls (see the
architecture decision on the worker). Requests of ours are transactions here, each with its branch.
"""

import asyncio
import logging
import re
import secrets
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from channels.phone import sip
from channels.phone.sip import SipMessage

with warnings.catch_warnings():
    # It imports audioop, which Python 3.11 to 3.12 warn of; nothing of ours calls it.
    warnings.simplefilter("ignore", DeprecationWarning)
    import pyVoIP
    import pyVoIP.VoIP  # first: pyVoIP.SIP alone imports in a circle
    from pyVoIP import SIP

log = logging.getLogger(__name__)

#: The only version whose behaviour was measured.
PYVOIP = "1.6.8"
Address = tuple[str, int]
Send = Callable[[bytes, Address], None]

#: Round trip estimate and the longest pause between tries. Source: RFC 3261 section 17.1.2.1.
T1, T2 = 0.5, 4.0
#: How long an answer is waited for: 64 times T1.
GIVE_UP_S = 32.0
#: Pause after a registration that failed; it doubles to the longest.
_AGAIN_S, _AGAIN_MOST_S = 2.0, 60.0
_PLAUSIBLE_EXPIRY_S = 7200


class Agent(SIP.SIPClient):
    """Our side of the line.

    Args:
        server: Host and port of the registrar or trunk.
        user: Our name there.
        password: Ours.
        local: Our host and port.
        send: Sends a datagram.
        priority: Of our contact among those of the same account.
    """

    def __init__(
        self,
        server: Address,
        user: str,
        password: str,
        local: Address,
        send: Send,
        priority: float = 1.0,
    ) -> None:
        if pyVoIP.__version__ != PYVOIP:
            raise RuntimeError(f"pyVoIP {PYVOIP} is needed, {pyVoIP.__version__} is installed")
        nobody: Any = None  # a pyVoIP phone would bring its threads
        super().__init__(
            server[0], server[1], user, password, nobody, myIP=local[0], myPort=local[1]
        )
        self._send = send
        self._priority = priority
        self._waiting: dict[str, asyncio.Queue[SipMessage]] = {}
        self.registered = False

    def gen_tag(self) -> str:
        """Return a tag that nobody guesses; pyVoIP keeps a list of all it ever made."""
        return secrets.token_hex(8)

    @property
    def contact(self) -> str:
        """Our URI."""
        return f"sip:{self.username}@{self.myIP}:{self.myPort}"

    def via(self) -> str:
        """Return host, port and a new branch for a request."""
        return f"{self.myIP}:{self.myPort};branch={self.gen_branch()}"

    # Transactions of ours

    def answered(self, message: SipMessage) -> bool:
        """Return whether a response belongs to a request that waits for it."""
        waiting = self._waiting.get(message.branch)
        if waiting is not None:
            waiting.put_nowait(message)
        return waiting is not None

    @contextmanager
    def waiting(
        self, branch: str, queue: "asyncio.Queue[SipMessage] | None" = None
    ) -> "Iterator[asyncio.Queue[SipMessage]]":
        """Give the responses to a request of this branch as they come, until the end of the block."""
        queue = self._waiting[branch] = asyncio.Queue() if queue is None else queue
        try:
            yield queue
        finally:
            if self._waiting.get(branch) is queue:
                del self._waiting[branch]

    async def ask(self, request: bytes, to: Address) -> SipMessage | None:
        """Return the final response to a request, sent again until it comes; None: none came."""
        pause, begun = T1, asyncio.get_running_loop().time()
        with self.waiting(sip.parse(request).branch) as waiting:
            while asyncio.get_running_loop().time() - begun < GIVE_UP_S:
                self._send(request, to)
                try:
                    async with asyncio.timeout(pause):
                        while (message := await waiting.get()).status < 200:
                            pass
                except TimeoutError:
                    pause = min(2 * pause, T2)
                    continue
                return message
            return None

    # Registration

    async def keep_registered(
        self, at: Callable[[], Address | None], expires_s: int, changed: Callable[[], None]
    ) -> None:
        """Stay registered for ever: anew at half of what was granted, with pauses after failures.

        Args:
            at: Resolves the registrar's address; None: it cannot now.
            expires_s: What is asked for.
            changed: Called when `registered` has changed.
        """
        self.default_expires = expires_s
        pause, ends, loop = _AGAIN_S, None, asyncio.get_running_loop()
        while True:
            address = at()
            granted = None if address is None else await self._renew(address, ends)
            ends = None if granted is None else loop.time() + granted + 2 * T1
            was, self.registered = self.registered, granted is not None
            if was != self.registered:
                changed()
            if granted is None:
                log.warning("line.not_registered", extra={"again_s": pause})
                await asyncio.sleep(pause)
                pause = min(2 * pause, _AGAIN_MOST_S)
            else:
                pause = _AGAIN_S
                await asyncio.sleep(max(1.0, granted / 2))

    async def _renew(self, address: Address, ends: float | None) -> float | None:
        """Return for how many seconds we are registered; None: we are not, or not any more.

        Args:
            address: The registrar's.
            ends: Loop's time at which the last registration is over: then no call comes in, however
                long an answer may still be waited for.
        """
        try:
            async with asyncio.timeout_at(ends):
                return await self._register(address)
        except TimeoutError:
            return None

    async def leave(self, address: Address) -> None:
        """Give the registration back, if it can be done quickly."""
        self.registered = False
        await self._register(address, leave=True)

    async def _register(self, address: Address, *, leave: bool = False) -> float | None:
        """Return for how many seconds we are registered; None: we are not."""
        answer = await self.ask(self._ranked(self.gen_first_response(leave)), address)
        if answer is not None and answer.status == 401:
            challenge = self._challenge(answer)
            if challenge is None:
                return None
            answer = await self.ask(self._ranked(self.gen_register(challenge, leave)), address)
        if answer is None or answer.status != 200:
            return None
        return self._granted(answer)

    def _ranked(self, register: str) -> bytes:
        """Return a REGISTER whose contact has its place among those of the account's workers."""
        instance = ";+sip.instance="
        return register.replace(instance, f";q={self._priority}{instance}", 1).encode()

    def _challenge(self, answer: SipMessage) -> SIP.SIPMessage | None:
        """Return a 401 as pyVoIP reads it, of nothing but what its digest needs."""
        known = answer.get("www-authenticate") or ""
        if not re.search(r'realm="[^"]*"', known) or not re.search(r'nonce="[^"]*"', known):
            return None
        text = (
            "SIP/2.0 401 Unauthorized\r\n"
            f"Call-ID: {answer.call_id}\r\n"
            f"CSeq: {answer.sequence} REGISTER\r\n"
            f"WWW-Authenticate: {known}\r\n\r\n"
        )
        return SIP.SIPMessage(text.encode())

    def _granted(self, answer: SipMessage) -> float:
        """Return the expiry of our own contact: a registrar lists all that it has (RFC 3261 10.3)."""
        ours = f"{self.myIP}:{self.myPort}"
        for contact in answer.all("contact"):
            found = re.search(r";\s*expires\s*=\s*([0-9]{1,9})", contact, re.IGNORECASE)
            if ours in contact and found is not None:
                return min(float(found[1]), _PLAUSIBLE_EXPIRY_S)
        general = answer.get("expires") or ""
        if re.fullmatch(r"[0-9]{1,9}", general):
            return min(float(general), _PLAUSIBLE_EXPIRY_S)
        return float(self.default_expires)
