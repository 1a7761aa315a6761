"""The console's dead letters: what is stuck, why, and trying it again or giving it up."""

import json
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from gateway.console.guard import Console, Page, Visit, routes_of, to
from gateway.console.roles import Right
from gateway.console.views import ROOT
from gateway.store.base import Delivery, Quarantined
from normalizer.errors import ChannelError, ConfigError

#: Items of each kind on a page.
_SHOWN = 100
#: Characters of a quarantined message that are shown.
_RAW = 20_000
_WHY_MOST = 500
#: States of a delivery that is shown here; what is under way is nobody's to look into.
_DEAD = ("dead", "discarded")


def routes(console: Console) -> list[web.RouteDef]:
    """Return the routes of this module."""
    pages: list[tuple[str, str, Page, tuple[Right, ...]]] = [
        ("GET", "deadletters", listing, (Right.DEADLETTERS,)),
        ("GET", "deadletters/{id}", show, (Right.DEADLETTERS,)),
        ("POST", "deadletters/{id}", act, (Right.REPLAY,)),
    ]
    return routes_of(console, pages)


async def listing(visit: Visit) -> web.StreamResponse:
    """List the items of each kind, oldest first, a page at a time."""
    store, query = visit.console.store, visit.request.query
    kept = {kind: query[kind] for kind in ("held", "dead") if kind in query}
    held_after = await store.held(query["held"]) if "held" in kept else None
    dead_after = await store.delivery(query["dead"]) if "dead" in kept else None
    held = await store.held_heads(_SHOWN, held_after)
    dead = await store.dead(_SHOWN, dead_after.seq if dead_after is not None else 0)
    more = {
        kind: urlencode({**kept, kind: shown[-1].id})
        for kind, shown in (("held", held), ("dead", dead))
        if len(shown) == _SHOWN
    }
    return visit.page(
        "deadletters",
        held=held,
        dead=dead,
        more=more,
        first=bool(kept),
        counts=await store.counts(),
    )


async def show(visit: Visit) -> web.StreamResponse:
    """Show one item, whole, with what can be done about it."""
    return await _shown(visit)


async def _shown(visit: Visit, text: str = "", status: int = 200, why: str = "") -> web.Response:
    wanted = visit.request.match_info["id"]
    delivery, item = await _found(visit, wanted)
    if delivery is None and item is None:
        return visit.notice(404, "missing")
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


async def _found(visit: Visit, wanted: str) -> tuple[Delivery | None, Quarantined | None]:
    """Return the delivery that is, or was given up as, a dead letter; or the message that is one."""
    delivery = await visit.console.store.delivery(wanted)
    if delivery is not None:
        return (delivery if delivery.state in _DEAD else None), None
    return None, await visit.console.store.held(wanted)


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
    if action == "discard" and not why:
        return await _shown(visit, "why_needed", 400)
    if action != "discard" and (action != "replay" or form.get("confirm") != "on"):
        return await _shown(visit, "confirm_needed", 400)
    delivery, item = await _found(visit, wanted)
    if not _is_open(delivery, item):
        return visit.notice(409, "done_before")
    if action == "discard":
        return await _discard(visit, wanted, why)
    return await _replay(visit, wanted, item)


async def _discard(visit: Visit, wanted: str, why: str) -> web.StreamResponse:
    store, now = visit.console.store, visit.console.clock.now()
    await visit.note("deadletter.discard", wanted)
    done = await store.redo(wanted, "discarded", now, why) or await store.release(
        wanted, "discarded", why
    )
    return await _ended(visit, wanted, done=done, to_path=f"deadletters/{wanted}")


async def _replay(visit: Visit, wanted: str, item: Quarantined | None) -> web.StreamResponse:
    console = visit.console
    await visit.note("deadletter.replay", wanted)
    if item is None:
        done = await console.store.redo(wanted, "due", console.clock.now(), None)
        return await _ended(visit, wanted, done=done, to_path="deadletters")
    try:
        receipts = await console.again.read(item)
    except (ChannelError, ConfigError) as error:
        await visit.note("deadletter.stays", wanted, why=error.code)
        return await _shown(visit, "stays", 409, str(error))
    numbers = ", ".join(receipt.number for receipt in receipts)
    done = await console.store.release(wanted, "replayed", numbers)
    return await _ended(visit, wanted, done=done, to_path=f"deadletters/{wanted}", numbers=numbers)


async def _ended(
    visit: Visit, wanted: str, *, done: bool, to_path: str, **detail: str
) -> web.StreamResponse:
    """Note what came of it; whoever was faster has done it."""
    if not done:
        await visit.note("deadletter.stays", wanted, why="done_before", **detail)
        return visit.notice(409, "done_before")
    await visit.note("deadletter.done", wanted, **detail)
    return to(f"{ROOT}{to_path}")
