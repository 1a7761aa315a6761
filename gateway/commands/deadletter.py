"""``gateway deadletter``: quarantined inbound messages and undeliverable outbound items."""

import argparse
import asyncio
import base64
import json
import sys
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from config.load import Loaded, load
from gateway.clock import SystemClock
from gateway.store.base import Store
from gateway.store.engines import from_url
from normalizer.errors import GatewayError

_MOST = 1000


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; return 0, or 1 if one of the items could not be found or handled."""
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    loaded = load(arguments.config)
    store = from_url(loaded.settings.store.url, owner=False)
    await store.open()
    try:
        if arguments.action == "list":
            return await _list(store, loaded.settings.instance.zone)
        if arguments.action == "show":
            return await _show(store, arguments.id)
        if arguments.action == "discard":
            return await _discard(store, arguments.id, arguments.why)
        results = [await _replay(store, loaded, one) for one in arguments.ids]
        return max(results)
    finally:
        await store.close()


async def _list(store: Store, zone: ZoneInfo) -> int:
    for item in await store.quarantined(("held",), _MOST):
        at = _instant(item.at, zone)
        print(f"{item.id}  in   {at}  {item.channel}:{item.account}  {item.reason}")
    for delivery in await store.deliveries(("dead",), _MOST):
        at = _instant(delivery.created_at, zone)
        print(
            f"{delivery.id}  out  {at}  "
            f"{delivery.destination}  {delivery.type}: {delivery.last_error}"
        )
    return 0


def _instant(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat(timespec="seconds")


async def _show(store: Store, wanted: str) -> int:
    if (delivery := await store.delivery(wanted)) is not None:
        print(msgspec.json.format(msgspec.json.encode(delivery), indent=2).decode())
        return 0
    if (item := await store.held(wanted)) is None:
        return _unknown(wanted)
    shown: dict[str, Any] = msgspec.to_builtins(item)
    try:
        shown["raw"] = item.raw.decode()
    except UnicodeDecodeError:
        shown["raw_base64"] = base64.b64encode(item.raw).decode()
        del shown["raw"]
    print(json.dumps(shown, ensure_ascii=False, indent=2))
    return 0


async def _discard(store: Store, wanted: str, why: str) -> int:
    now = SystemClock().now()
    if await store.redo(wanted, "discarded", now, why) or await store.release(
        wanted, "discarded", why
    ):
        print(f"{wanted} discarded")
        return 0
    return _unknown(wanted)


async def _replay(store: Store, loaded: Loaded, wanted: str) -> int:
    if await store.redo(wanted, "due", SystemClock().now(), None):
        print(f"{wanted} is due again")
        return 0
    item = await store.held(wanted)
    if item is None or item.state != "held":
        return _unknown(wanted)
    # The whole intake is behind these: the other actions need not wait for it.
    from gateway import plugins
    from gateway.outbox.replay import replay

    try:
        receipts = await replay(item, store, loaded, plugins.load("gateway.channels"))
    except GatewayError as error:
        print(f"{wanted} stays: {error}", file=sys.stderr)
        return 1
    numbers = ", ".join(receipt.number for receipt in receipts)
    await store.release(wanted, "replayed", numbers)
    print(f"{wanted} became {numbers}")
    return 0


def _unknown(wanted: str) -> int:
    print(
        f"{wanted}: no dead or held item of this id; see gateway deadletter list", file=sys.stderr
    )
    return 1
