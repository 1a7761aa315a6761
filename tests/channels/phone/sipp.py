"""SIPp, the independent caller."""

import asyncio
from pathlib import Path

from tests.channels.phone.lines import ports

SCENARIOS = Path(__file__).parent / "scenarios"


async def sipp(
    to: tuple[str, int], scenario: str, folder: Path, *options: str, within_s: float = 40.0
) -> tuple[int, str]:
    """Return SIPp's exit code (0: every call went as written) and what it said."""
    first = ports(450)  # SIPp takes further ones for the sound of each call
    process = await asyncio.create_subprocess_exec(
        "sipp",
        f"{to[0]}:{to[1]}",
        "-sf",
        str(SCENARIOS / f"{scenario}.xml"),
        *("-s", "12345", "-i", "127.0.0.1", "-mi", "127.0.0.1"),
        *("-p", str(first), "-mp", str(first + 2)),
        *("-nostdin", "-timeout", str(int(within_s)), "-timeout_error"),
        *options,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(within_s + 5):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return process.returncode or 0, said.decode(errors="replace")
