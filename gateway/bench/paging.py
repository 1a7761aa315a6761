"""Reading all stored tickets by the back office's interface, signed as it asks."""

from datetime import UTC, datetime
from typing import Any

import aiohttp

from channels.webhook.codec import key_of, signed_headers
from gateway.bench.peers import SECRET
from gateway.ids import new_id


async def all_numbers(
    session: aiohttp.ClientSession, url: str, adapter: str = "backoffice"
) -> set[str]:
    """Return the number of every stored ticket."""
    numbers: set[str] = set()
    after: str | None = ""
    while after is not None:
        headers = signed_headers((key_of(SECRET),), new_id(), datetime.now(UTC), b"")
        address = f"{url}/api/v1/backoffice/{adapter}/tickets"
        async with session.get(address, params={"after": after}, headers=headers) as answer:
            answer.raise_for_status()
            page: dict[str, Any] = await answer.json()
        numbers.update(ticket["number"] for ticket in page["tickets"])
        after = page["next"]
    return numbers
