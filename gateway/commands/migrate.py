"""``gateway migrate``: bring the store's schema up to date."""

import argparse
import asyncio

from config.load import load
from gateway.store.engines import from_url


def run(arguments: argparse.Namespace) -> int:
    """Open the store, which migrates it, close it, and return 0."""
    return asyncio.run(_migrate(load(arguments.config).settings.store.url))


async def _migrate(url: str) -> int:
    store = from_url(url)
    await store.open()
    await store.close()
    print("the store's schema is up to date")
    return 0
