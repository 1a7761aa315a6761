"""A gateway whose store takes no ticket: ``python -m tests.channels.wechat.slow_child CONFIG``."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from config.load import load
from gateway import plugins
from gateway.app import build
from gateway.store.engines import from_url
from tests.channels.wechat.world import Gate


async def main(config: Path) -> None:
    """Serve until killed."""
    loaded = load(config)
    gate: Any = Gate(from_url(loaded.settings.store.url))
    gate.free.clear()
    channels, adapters = plugins.load("gateway.channels"), plugins.load("gateway.adapters")
    app = await build(loaded, channels, adapters, store=gate)
    sys.stdout.write(f"{await app.start()}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
