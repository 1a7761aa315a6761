"""Trying routes out beside the gateway: the same check and the same replay as the commands'."""

import asyncio
import contextlib
import logging
import sys
from pathlib import Path

import msgspec

from gateway.console.trial_child import Asked, Told
from normalizer.errors import GatewayError

log = logging.getLogger(__name__)

#: Seconds for one try, and tries that may wait for the one that runs.
LASTS_S = 60.0
_WAITING = 4


class TrialFailed(GatewayError):
    """A try of routes did not come to its end."""

    code = "trial_failed"


class Trial:
    """Tries routes out, one after another, each in a process of its own."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()
        self._waiting = 0

    async def run(self, path: Path, raw: bytes, last: int = 0) -> Told:
        """Return what is wrong with a configuration, and which stored tickets would go elsewhere.

        Args:
            path: Its file.
            raw: What would be in it.
            last: Replay so many tickets; 0: none.

        Raises:
            TrialFailed: It took too long, or too many wait.
        """
        if self._waiting >= _WAITING:
            raise TrialFailed("others are being tried out; try again in a minute")
        self._waiting += 1
        try:
            async with self._one:
                return await _run(Asked(path=str(path), raw=raw, last=last))
        finally:
            self._waiting -= 1


async def _run(asked: Asked) -> Told:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "gateway.console.trial_child"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(LASTS_S):
            out, _ = await process.communicate(msgspec.msgpack.encode(asked))
        return msgspec.msgpack.decode(out, type=Told)
    except TimeoutError:
        raise TrialFailed(
            f"not done within {LASTS_S:.0f} seconds; replay fewer tickets, "
            "or mend a regular expression that never ends"
        ) from None
    except (msgspec.DecodeError, OSError):
        log.warning("console.trial_failed", extra={"code": process.returncode})
        raise TrialFailed("it ended before it was done; see the log") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
