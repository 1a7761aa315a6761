"""Kamailio, a real registrar and proxy."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.channels.phone.caller import calling, status
from tests.channels.phone.lines import ports

#: A registrar and proxy for one line, and nothing else.
CONFIG = Path(__file__).parent / "kamailio" / "registrar.cfg"


@asynccontextmanager
async def kamailio(
    config: Path, port: int, folder: Path, **defines: str
) -> AsyncIterator[tuple[str, int]]:
    """Give the address of a Kamailio that answers.

    Args:
        config: What it does.
        port: Where it listens.
        folder: For what it writes.
        defines: What the configuration leaves open.
    """
    given = [word for name, value in defines.items() for word in ("-A", f"{name}={value}")]
    with (folder / "kamailio.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "kamailio", "-f", str(config), *given, "-DD", "-E", "-Y", str(folder),
            "-m", "64", "-M", "8",
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        async with calling(("127.0.0.1", port)) as probe, asyncio.timeout(10):
            answer = b""
            while not answer:
                probe.send(probe.request("OPTIONS"))
                try:
                    answer = await probe.final(0.3)
                except TimeoutError:
                    assert process.returncode is None, (folder / "kamailio.log").read_text()
        assert status(answer) == 200
        yield "127.0.0.1", port
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def registrar_of(
    folder: Path, *, qop: bool, expires: int, port: int = 0
) -> AsyncIterator[tuple[str, int]]:
    """Give the address of a registrar; ``port`` 0: any free one."""
    port = port or ports(1)
    config = CONFIG.read_text().replace("PORT", str(port)).replace("EXPIRES", str(expires))
    path = folder / "kamailio.cfg"
    path.write_text(config.replace('"QOP"', '"1"' if qop else '"0"'))
    async with kamailio(path, port, folder) as at:
        yield at
