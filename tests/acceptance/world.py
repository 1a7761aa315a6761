"""A gateway with everything around it: its folder, its back office, its callers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tests.acceptance.http import Client
from tests.acceptance.office import BackOffice
from tests.acceptance.process import Gateway, write_config
from tests.acceptance.signing import OFFICE_SECRET, PARTNER_SECRET

PUBLIC_URL = "https://12345.city.example"
DESK_TOKEN = "desk-token-of-the-fire-brigade"

_phones = count(13955700001)


def phone() -> str:
    """Return a mobile number that no other citizen of this run has."""
    return str(next(_phones))


def settings(back_office_url: str) -> dict[str, Any]:
    """Return the configuration of the contract's section 2, on free ports."""
    return {
        "instance": {"name": "宿州12345", "region": "suzhou", "timezone": "Asia/Shanghai"},
        "http": {"host": "127.0.0.1", "port": 0, "public_url": PUBLIC_URL},
        "store": {"url": "sqlite:///var/gateway.db"},
        "queue": {"url": "embedded:"},
        "channels": [
            {"kind": "web", "name": "portal"},
            {"kind": "webhook", "name": "weibo", "secret": PARTNER_SECRET, "reply_url": None},
        ],
        "adapters": [
            {
                "kind": "backoffice",
                "name": "backoffice",
                "url": back_office_url,
                "secret": OFFICE_SECRET,
                "retry_for": "3d",
            }
        ],
        "liaison": {
            "110": {"label": "公安"},
            "119": {"label": "消防救援", "token": DESK_TOKEN, "ack_within": "10m"},
            "120": {"label": "医疗急救", "ack_within": "10m"},
            "122": {"label": "交通警察", "ack_within": "10m"},
            "duty": {"label": "值班长", "ack_within": "10m"},
        },
        "routes": [
            {
                "name": "market",
                "when": {"called": ["12315"]},
                "send": {"to": "backoffice", "unit": "市市场监管局"},
            },
            {"name": "rest", "send": {"to": "backoffice", "unit": "市长热线办"}},
        ],
    }


@dataclass
class World:
    """What a test has at hand."""

    folder: Path
    settings: dict[str, Any]
    office: BackOffice
    gateway: Gateway
    citizen: Client

    def desk(self, service: str) -> str:
        """Return the path of a desk's interface."""
        return f"/api/v1/liaison/{service}"

    async def incidents(self, service: str, state: str | None = None) -> list[dict[str, Any]]:
        """List a desk's incidents, every page."""
        query = {"state": state} if state else {}
        headers = {"Authorization": f"Bearer {DESK_TOKEN}"} if service == "119" else {}
        answer = await self.citizen.get(
            f"{self.desk(service)}/incidents", params=query, headers=headers
        )
        assert answer.status == 200, answer.text
        assert set(answer.json) == {"incidents", "next"}
        found = answer.json["incidents"]
        assert isinstance(found, list)
        return found


@asynccontextmanager
async def opened(folder: Path, *, retry_for: str = "3d", **sections: Any) -> AsyncIterator[World]:
    """Run a gateway with sections of the configuration replaced, and end it afterwards."""
    office = await BackOffice().start()
    chosen = settings(office.url) | sections
    chosen["adapters"][0]["retry_for"] = retry_for
    gateway = Gateway(write_config(folder / "config" / "gateway.yaml", chosen))
    try:
        await gateway.start()
        async with Client(gateway.url) as citizen:
            yield World(folder, chosen, office, gateway, citizen)
    finally:
        await gateway.kill()
        await office.stop()
    assert office.forged == []
