"""Keeps one telephone worker running: starts it, adopts one that outlived a gateway, replaces it.

What tells that the line works is an OPTIONS request that the worker has answered a moment ago:
a process that lives, or one that says it is registered, may still be deaf.
"""

import asyncio
import fcntl
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from channels.phone.link import WorkerSettings

log = logging.getLogger(__name__)

#: Pause before a worker is started again; a line that is down is more than five seconds never.
_AGAIN_S = 0.5
_AGAIN_MOST_S = 4.0
#: A worker that lived so long was no failed start.
_LIVED_S = 20.0
PROBE_EVERY_S = 2.0
#: Probes in a row without an answer after which a worker is ended.
_MISSED = 3
_BEGIN_S = 5.0
_LOOK_S = 0.2

#: Endings of a call's files: its sound, what is known at its beginning, and at its end.
_FILES = (".alaw", ".call", ".done")

#: Starts the program; a site that packs it otherwise names its own.
PROGRAM = (sys.executable, "-P", "-m", "channels.phone.worker")


def heirs(
    worker: WorkerSettings, workers: Sequence[WorkerSettings]
) -> Callable[[], Iterable[Path]]:
    """Return what finds the folders of calls that a worker takes over: the first one takes those.

    There were more workers once, and one of them left calls that no gateway has taken.
    """
    ours = [Path(each.spool) for each in workers]

    def found() -> Iterable[Path]:
        return (
            folder
            for folder in ours[0].parent.glob(ours[0].name + "-*")
            if worker is workers[0] and folder.is_dir() and folder not in ours
        )

    return found


def _nobody() -> Iterable[Path]:
    return ()


class Supervisor:
    """One worker.

    Args:
        settings: What it works with.
        program: How it is started.
        inherits: Finds the folders of workers that are no more, whose calls it takes over.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        program: tuple[str, ...] = PROGRAM,
        inherits: Callable[[], Iterable[Path]] = _nobody,
    ) -> None:
        self._settings = settings
        self._program = program
        self._inherits = inherits
        self.starts = 0
        self.why: str | None = "not started yet"
        self.process: asyncio.subprocess.Process | None = None  #: started by us

    async def keep(self) -> None:
        """Keep a worker running until cancelled; the worker then goes on."""
        pause = _AGAIN_S
        while True:
            began = time.monotonic()
            pid = self.running()
            if pid is None:
                await self._run()
            else:
                log.info("worker.adopted", extra={"pid": pid})
                await self._watch(pid)
            pause = _AGAIN_S if time.monotonic() - began > _LIVED_S else pause
            log.warning("worker.gone", extra={"why": self.why, "again_s": pause})
            await asyncio.sleep(pause)
            pause = min(2 * pause, _AGAIN_MOST_S)

    def running(self) -> int | None:
        """Return the process that has the line; None: none has."""
        return running_in(Path(self._settings.spool))

    def _inherit(self) -> None:
        """Take over the calls of workers that are no more; they are found when ours begins."""
        for folder in self._inherits():
            if running_in(folder) is not None:
                continue  # it has outlived its gateway, and will be told to end
            for ending in _FILES:  # what tells of a call last: then its sound is there
                for path in folder.glob("*" + ending):
                    path.rename(Path(self._settings.spool) / path.name)
                    log.warning("call.inherited", extra={"file": path.name})

    async def _run(self) -> None:
        """Start a worker and return when it has ended."""
        self.starts += 1
        await asyncio.to_thread(self._inherit)
        try:
            self.process = process = await asyncio.create_subprocess_exec(
                *self._program,
                stdin=asyncio.subprocess.PIPE,
                start_new_session=True,  # a signal to the gateway's terminal is not for the line
            )
        except OSError as error:
            self.why = f"the worker cannot be started: {error.strerror}"
            return
        if process.stdin is not None:
            try:
                process.stdin.write(msgspec.json.encode(self._settings))
                await process.stdin.drain()
                process.stdin.close()
            except (BrokenPipeError, ConnectionResetError):
                log.warning("worker.deaf")
        ended = asyncio.create_task(process.wait())
        try:
            await self._probe(process.pid, ended)
            self.why = f"the worker ended with code {await ended}"
        finally:
            ended.cancel()

    async def _watch(self, pid: int) -> None:
        """Return when an adopted worker has ended; it is no child of ours."""
        gone = asyncio.create_task(self._until_gone())
        try:
            await self._probe(pid, gone)
            self.why = "the adopted worker ended"
        finally:
            gone.cancel()

    async def _until_gone(self) -> None:
        while self.running() is not None:  # noqa: ASYNC110 - only the lock of another process tells
            await asyncio.sleep(_LOOK_S)

    async def _probe(self, pid: int, ended: "asyncio.Task[int] | asyncio.Task[None]") -> None:
        """Ask the line for a sign of life until it has ended; end it if it gives none."""
        missed, deadline, pause = 0, time.monotonic() + _BEGIN_S, _LOOK_S
        while not ended.done():
            await asyncio.wait([ended], timeout=pause)
            if ended.done():
                return
            if await self.answers():
                missed, deadline, self.why, pause = 0, 0.0, None, PROBE_EVERY_S
            elif time.monotonic() > deadline:
                missed, pause = missed + 1, PROBE_EVERY_S
            if missed >= _MISSED:
                log.error("worker.deaf", extra={"pid": pid})
                os.kill(pid, signal.SIGKILL)
                await asyncio.wait([ended])

    async def answers(self) -> bool:
        """Return whether the line answers a request."""
        loop = asyncio.get_running_loop()
        to = (self._settings.local_host, self._settings.local_port)
        heard: asyncio.Future[bool] = loop.create_future()
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Probe(heard), local_addr=(to[0], 0)
            )
        except OSError:
            return False
        try:
            host, port = transport.get_extra_info("sockname")[:2]
            transport.sendto(_options(to, host, port), to)
            async with asyncio.timeout(1.0):
                return await heard
        except TimeoutError:
            return False
        finally:
            transport.close()

    async def stop(self, within_s: float) -> None:
        """Return when no worker runs any more; one that does not end in time is killed."""
        pid = self.running()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
        process = self.process
        try:
            async with asyncio.timeout(within_s):
                await self._until_gone()
                if process is not None:
                    if process.returncode is None and pid != process.pid:
                        process.terminate()  # it was just beginning
                    await process.wait()
        except TimeoutError:
            if pid is not None:
                os.kill(pid, signal.SIGKILL)


def running_in(spool: Path) -> int | None:
    """Return the worker that has this folder; None: none has."""
    try:
        lock = os.open(spool / "worker.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        written = os.read(lock, 20).strip()
        return int(written) if written.isdigit() else None
    finally:
        os.close(lock)
    return None


class _Probe(asyncio.DatagramProtocol):
    """Waits for any answer."""

    def __init__(self, heard: asyncio.Future[bool]) -> None:
        self._heard = heard

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr
        if not self._heard.done():
            self._heard.set_result(data.startswith(b"SIP/2.0 "))


def _options(to: tuple[str, int], host: str, port: int) -> bytes:
    word = secrets.token_hex(8)
    lines = [
        f"OPTIONS sip:{to[0]}:{to[1]} SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{word};rport",
        f"From: <sip:watchdog@{host}>;tag={word}",
        f"To: <sip:{to[0]}:{to[1]}>",
        f"Call-ID: {word}@{host}",
        "CSeq: 1 OPTIONS",
        "Max-Forwards: 0",
        "Content-Length: 0",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()
