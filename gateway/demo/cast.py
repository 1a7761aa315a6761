"""Who plays in the demonstration: one peer a channel, and the configuration that joins them."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.demo.email import Email
from gateway.demo.peers import LoopbackOffice
from gateway.demo.phone import Phone
from gateway.demo.sms import Sms
from gateway.demo.story import SERVICES, Lacking, Peer
from gateway.demo.web import Form, Web
from gateway.demo.webhook import Partner
from gateway.demo.wechat import WeChat
from gateway.loopback import HOST


def cast(office: LoopbackOffice) -> list[Peer]:
    """Return the peers of all channels, in the order in which they play."""
    return [Web(), Form(), WeChat(), Sms(), Email(), Phone(office), Partner()]


async def started(peers: Sequence[Peer]) -> tuple[dict[str, Peer], list[Any], list[str]]:
    """Return the peers that listen by name, their sections, and why others cannot be shown."""
    playing: dict[str, Peer] = {}
    sections, missing = [], []
    for peer in peers:
        try:
            section = await peer.start()
        except Lacking as why:
            missing.append(f"{peer.name}: {why}")
            continue
        playing[peer.name] = peer
        if section is not None:
            sections.append(section)
    return playing, sections, missing


def configuration(
    port: int, office: LoopbackOffice, channels: Sequence[Mapping[str, object]]
) -> dict[str, Any]:
    """Return the embedded default with these channels and a desk for every service."""
    market = {"name": "market", "when": {"called": ["12315"]}}
    return {
        "instance": {"name": "12345 演示", "region": "suzhou"},
        "http": {"host": HOST, "port": port, "public_url": f"http://{HOST}:{port}"},
        "store": {"url": "sqlite:///demo.db"},
        "channels": list(channels),
        "adapters": [
            {"kind": "backoffice", "name": "backoffice", "url": office.url, "secret": office.secret}
        ],
        "liaison": {
            **{service: {"ack_within": "30s"} for service in SERVICES},
            "duty": {"ack_within": "60s"},
        },
        "routes": [
            {**market, "send": {"to": "backoffice", "unit": "市市场监管局"}},
            {"name": "rest", "send": {"to": "backoffice"}},
        ],
    }
