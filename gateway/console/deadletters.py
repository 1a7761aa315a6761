"""The console's dead letters: what is stuck, why, and trying it again or giving it up."""

import json

import msgspec
from aiohttp import web

from gateway.console.guard import Console, Page, Visit, routes_of, to
from gateway.console.roles import Right
from gateway.console.views import ROOT
from gateway.store.base import Delivery, Quarantined
from normalizer.errors import ChannelError, ConfigError

#: Items of each kind on a page; the next ones follow as these are seen to.
_SHOWN = 100
#: Characters of a quarantined message that are shown.
_RAW = 20_000
_WHY_MOST = 500


def routes(console: Console) -> list[web.RouteDef]:
    """Return the routes of this module."""
    pages: list[tuple[str, str, Page, tuple[Right, ...]]] = [
        ("GET", "deadletters", listing, (Right.DEADLETTERS,)),
        ("GET", "deadletters/{id}", show, (Right.DEADLETTERS,)),
        ("POST", "deadletters/{id}", act, (Right.REPLAY,)),
    ]
    return routes_of(console, pages)


async def listing(visit: Visit) -> web.StreamResponse:
    """List the oldest items of each kind."""
    store = visit.console.store
    return visit.page(
        "deadletters",
        held=await store.held_heads(_SHOWN),
        dead=await store.deliveries(("dead",), _SHOWN),
        counts=await store.counts(),
    )


async def show(visit: Visit) -> web.StreamResponse:
    """Show one item, whole, with what can be done about it."""
    return await _shown(visit)


async def _shown(visit: Visit, text: str = "", status: int = 200, why: str = "") -> web.Response:
    store, wanted = visit.console.store, visit.request.match_info["id"]
    delivery = await store.delivery(wanted)
    item = None if delivery is not None else await store.held(wanted)
    if delivery is None and item is None:
        return visit.notice(404, "missing")
    if item is not None:
        await visit.note("deadletter.seen", wanted)
    said: str = visit.console.views.texts["deadletter"][text] if text else ""
    return visit.page(
        "deadletter",
        status=status,
        id=wanted,
        delivery=delivery,
        number=await _number_of(visit, delivery),
        item=item,
        content=_content(delivery, item),
        readable=item is None or visit.console.again.readable(item),
        open=_is_open(delivery, item),
        said=said.format(why=why),
        why_most=_WHY_MOST,
    )


def _is_open(delivery: Delivery | None, item: Quarantined | None) -> bool:
    """Return whether there is something to do about an item."""
    return (delivery is not None and delivery.state == "dead") or (
        item is not None and item.state == "held"
    )


def _content(delivery: Delivery | None, item: Quarantined | None) -> str:
    if item is not None:
        return item.raw[: 4 * _RAW].decode(errors="backslashreplace")[:_RAW]
    data = msgspec.to_builtins(delivery.data) if delivery is not None else {}
    return json.dumps(data, ensure_ascii=False, indent=2)[:_RAW] if data else ""


async def _number_of(visit: Visit, delivery: Delivery | None) -> str | None:
    if delivery is None or delivery.ticket_id is None:
        return None
    found = (await visit.console.store.tickets([delivery.ticket_id])).get(delivery.ticket_id)
    return found.number if found is not None else None


async def act(visit: Visit) -> web.StreamResponse:
    """Try an item again, or give it up with a reason; the audit has it before it is done."""
    form, wanted = visit.form, visit.request.match_info["id"]
    action, why = form.get("action", ""), form.get("why", "").strip()[:_WHY_MOST]
    if action == "discard":
        if not why:
            return await _shown(visit, "why_needed", 400)
        return await _discard(visit, wanted, why)
    if action != "replay" or form.get("confirm") != "on":
        return await _shown(visit, "confirm_needed", 400)
    return await _replay(visit, wanted)


async def _discard(visit: Visit, wanted: str, why: str) -> web.StreamResponse:
    console = visit.console
    await visit.note("deadletter.discard", wanted)
    now = console.clock.now()
    if await console.store.redo(wanted, "discarded", now, why) or await console.store.release(
        wanted, "discarded", why
    ):
        return to(f"{ROOT}deadletters/{wanted}")
    return await _shown(visit, "done_before", 409)


async def _replay(visit: Visit, wanted: str) -> web.StreamResponse:
    console = visit.console
    await visit.note("deadletter.replay", wanted)
    if await console.store.redo(wanted, "due", console.clock.now(), None):
        return to(f"{ROOT}deadletters/{wanted}")
    item = await console.store.held(wanted)
    if item is None or item.state != "held":
        return await _shown(visit, "done_before", 409)
    try:
        receipts = await console.again.read(item)
    except (ChannelError, ConfigError) as error:
        await visit.note("deadletter.stays", wanted, why=error.code)
        return await _shown(visit, "stays", 409, str(error))
    numbers = ", ".join(receipt.number for receipt in receipts)
    await console.store.release(wanted, "replayed", numbers)
    return to(f"{ROOT}deadletters/{wanted}")
