"""``gateway explain``: the ticket that a text would become, with evidence, rule and route."""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from config.load import load
from gateway.compose import Rules, compose
from gateway.ids import new_id
from gateway.rules import compile_rules
from gateway.store.base import Event, StoredTicket
from gateway.view import Public, publish
from normalizer.errors import ConfigError
from normalizer.schema import Inbound, Place, PublishedTicket, Ticket


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation and return 0. Opens no store."""
    if (arguments.text is None) == (arguments.jsonl is None):
        raise ConfigError("gateway explain: give either a TEXT or --jsonl FILE")
    loaded = load(arguments.config)
    rules = compile_rules(loaded)
    if arguments.jsonl is not None:
        return _lines(arguments, rules)
    row = {"text": arguments.text, "channel": arguments.channel, "called": arguments.called}
    ticket = explain(row, rules)
    public = Public(url=loaded.settings.http.public_url, zone=rules.zone, secret=b"")
    shown = _published(ticket, public)
    print(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())
    return 0


def explain(row: Mapping[str, Any], rules: Rules) -> Ticket:
    """Return the ticket that a row ``{"text", "channel"?, "called"?, "title"?, "address"?}`` becomes."""
    text = row["text"]
    inbound = Inbound(
        channel=row.get("channel") or "web",
        account=row.get("channel") or "web",
        message_id=None,
        text=text,
        title=row.get("title"),
        called=row.get("called"),
        place=Place(text=row.get("address")),
        received_at=datetime.now(UTC),
        raw=text.encode(errors="surrogatepass"),
        raw_type="text/plain",
    )
    return compose(inbound, rules, new_id()).ticket


def _published(ticket: Ticket, public: Public) -> PublishedTicket:
    accepted = ticket.acceptance.decision == "accepted"
    event = Event(
        seq=1,
        stream=ticket.id,
        version=1,
        at=ticket.received_at,
        event="accepted" if accepted else "refused",
        by="gateway",
        text=ticket.acceptance.reason,
    )
    return publish(StoredTicket(number="", ticket=ticket, events=(event,)), public)


def _lines(arguments: argparse.Namespace, rules: Rules) -> int:
    with ExitStack() as stack:
        source: Iterable[str] = sys.stdin
        if arguments.jsonl != "-":
            try:
                source = stack.enter_context(Path(arguments.jsonl).open(encoding="utf-8"))
            except OSError as error:
                raise ConfigError(f"{arguments.jsonl}: {error.strerror}") from None
        for at, line in enumerate(source, 1):
            if line.strip():
                row = _row(line, f"{arguments.jsonl}:{at}", arguments)
                print(json.dumps(_judgement(row, explain(row, rules)), ensure_ascii=False))
    return 0


def _row(line: str, where: str, arguments: argparse.Namespace) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise ConfigError(f"{where}: not a JSON object") from None
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise ConfigError(f'{where}: a line is a JSON object with a string "text"')
    for name in ("channel", "called", "title", "address"):
        if not isinstance(row.get(name), str | None):
            raise ConfigError(f'{where}: "{name}" is a string')
    return {"channel": arguments.channel, "called": arguments.called} | row


def _judgement(row: Mapping[str, Any], ticket: Ticket) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(
        {
            "id": row.get("id"),
            "urgency": ticket.urgency,
            "verify": ticket.verify,
            "services": ticket.services,
            "type": ticket.type,
            "domain": ticket.domain,
            "unit": ticket.route.unit,
            "route": ticket.route,
            "acceptance": ticket.acceptance,
            "evidence": ticket.evidence,
        }
    )
    return built
