"""What every pushed channel must pass: one case table a channel, one runner for all.

A channel's tests fill a `Suite` and run each of `CHECKS` on it; nothing here needs a test
framework, so that a channel in a package of its own can use it as it is.
"""

import logging
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from channels.base import Accept, Receipt, Reply, Request, Webhook
from normalizer.errors import ChannelError, Malformed, StoreError, Unauthorized
from normalizer.schema import Inbound, RequestType, Status, Urgency, Value

#: What must come through unharmed: beyond the BMP, joined emoji, characters that only GBK or
#: GB 18030 users type, full width, a NUL, scripts of the country, and 64 KiB.
TEXTS: Mapping[str, str] = {
    "emoji": "井盖没了😱👨‍👩‍👧，快来人🆘",
    "gbk": "镕华路喆盛小区，朤圐圙",
    "beyond the BMP": "𠮷祥里𪚥号，㐂㒵",
    "full width": "ＡＢＣ１２３，电话：１３８００１３８０００",
    "nul": "前\x00后",
    "Tibetan and Uyghur": "ཆུ་མེད། سۇ يوق",
    "64 KiB": "路灯不亮。" * 4370,
}
#: How often a broken push is tried; the seed makes every run the same.
BROKEN_TRIES = 300


class Failed(AssertionError):
    """A channel breaks a rule that every channel keeps."""


class Origin(StrEnum):
    """Where a case's octets come from; a channel needs one a kind of message that we did not make up."""

    CAPTURED = "captured"
    VENDOR_DOC = "vendor-doc"
    INVENTED = "invented"


class InboundCase(Value, frozen=True, kw_only=True):
    """One push and what must come of it."""

    label: str
    request: Request
    source: str  #: the page, clause or capture that the octets follow
    origin: Origin
    expect: tuple[Inbound, ...] | None = None  #: None where ``error`` is expected
    error: type[ChannelError] | None = None
    field: str | None = None  #: which member the error names
    reply: Reply | None = None  #: the carrier's documented answer to `receipt` for each message


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A channel and what the runner needs to know of its carrier."""

    channel: Webhook
    now: datetime  #: when the cases' signatures are fresh
    cases: Sequence[InboundCase]
    #: Makes a genuine push of a text.
    push: Callable[[str], Request]
    #: Signs a push anew after its body was changed.
    sign: Callable[[Request], Request]
    #: Makes a push without one required member, by name.
    without: Mapping[str, Callable[[], Request]]
    #: Makes a genuine push into one that must not be believed: ``missing``, ``flipped`` and,
    #: unless ``timeless`` says why the carrier's scheme cannot tell, ``stale``.
    forgeries: Mapping[str, Callable[[Request], Request]]
    timeless: str | None = None
    #: Why anybody may push: there is nothing to forge, and no secret.
    anybody: str | None = None
    longest: int | None = None  #: code points of a text that the channel takes, if it has a limit
    repeated: int | None = None  #: status of the answer to a repeat, where it differs
    secrets: Sequence[str] = ()  #: settings that no log, error or ticket may hold
    #: Same message in other octets (order of members, spaces), as the carrier may repeat it.
    repeats: Sequence[Callable[[Request], Request]] = ()


@dataclass
class Ledger:
    """A gateway of the smallest kind: one ticket a key, as the store's constraint has it."""

    broken: bool = False
    tickets: dict[object, Inbound] = field(default_factory=dict)

    async def accept(self, inbound: Inbound) -> Receipt:
        """Return the receipt of a new ticket, or the first one again."""
        if self.broken:
            raise StoreError("the disk is full")
        key = (inbound.channel, inbound.account, inbound.key or object())
        duplicate = key in self.tickets
        first = self.tickets.setdefault(key, inbound)
        number = list(self.tickets).index(key) + 1
        return receipt(number, duplicate=duplicate, at=first.received_at)


def receipt(number: int = 1, *, duplicate: bool = False, at: datetime | None = None) -> Receipt:
    """Return a receipt to build a case's ``reply`` from."""
    return Receipt(
        number=f"20261123-{number:06d}-0",
        query_code="ABCD2345",
        duplicate=duplicate,
        status=Status.ACCEPTED,
        urgency=Urgency.NORMAL,
        services=(),
        type=RequestType.COMPLAINT,
        received_at=at or datetime(2026, 11, 23, 2, 0, tzinfo=UTC),
        message="您的诉求已受理。",
    )


async def serve(channel: Webhook, request: Request, accept: Accept, now: datetime) -> Reply:
    """Do what the gateway does with a push."""
    channel.authenticate(request, now)
    inbounds = channel.parse(request, now)
    return channel.reply(request, [await accept(inbound) for inbound in inbounds])


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise Failed(what)


def _error_of(channel: Webhook, request: Request, now: datetime) -> ChannelError | None:
    """Return how a push is refused, None if it is not. Any other exception is the channel's bug."""
    try:
        channel.authenticate(request, now)
        channel.parse(request, now)
    except ChannelError as error:
        return error
    return None


async def cases_come_out_as_written(suite: Suite) -> None:
    """Each case gives exactly its messages, raw octets included, or exactly its error."""
    for case in suite.cases:
        error = _error_of(suite.channel, case.request, suite.now)
        if case.expect is None:
            wanted = case.error or ChannelError
            _require(type(error) is wanted, f"{case.label}: {error!r} instead of {wanted.__name__}")
            named = getattr(error, "field", None)
            _require(named == case.field, f"{case.label}: names {named!r}, not {case.field!r}")
            continue
        _require(error is None, f"{case.label}: refused with {error!r}")
        got = tuple(suite.channel.parse(case.request, suite.now))
        _require(got == case.expect, f"{case.label}: {got!r}")
        for inbound in got:
            _require(inbound.raw == case.request.body, f"{case.label}: raw is not what came in")


async def forgeries_are_refused(suite: Suite) -> None:
    """A signature that is missing, has one bit flipped or is stale is refused, nothing accepted."""
    if suite.anybody:
        return
    kinds = {"missing", "flipped"} | (set() if suite.timeless else {"stale"})
    _require(kinds <= set(suite.forgeries), f"forgeries must cover {sorted(kinds)}")
    for label, forge in suite.forgeries.items():
        ledger = Ledger()
        try:
            await serve(suite.channel, forge(suite.push("路灯不亮")), ledger.accept, suite.now)
        except Unauthorized:
            pass
        else:
            raise Failed(f"{label}: a forged push was believed")
        _require(not ledger.tickets, f"{label}: a forged push was accepted")


async def required_members_are_named(suite: Suite) -> None:
    """Without a required member a push is malformed, and the error names the member."""
    _require(bool(suite.without), "a channel has at least one required member")
    for name, make in suite.without.items():
        error = _error_of(suite.channel, make(), suite.now)
        _require(isinstance(error, Malformed), f"without {name}: {error!r}")
        named = getattr(error, "field", None)
        _require(named == name, f"without {name}: the error names {named!r}")


def _unchanged(request: Request) -> Request:
    return request


async def repeats_make_one_ticket(suite: Suite) -> None:
    """The same push ten times, in whatever octets, is one ticket with one answer."""
    ledger, first = Ledger(), suite.push("路灯不亮")
    changes: list[Callable[[Request], Request]] = [_unchanged] * 9 + list(suite.repeats)
    answer = await serve(suite.channel, first, ledger.accept, suite.now)
    for change in changes:
        again = await serve(suite.channel, change(first), ledger.accept, suite.now)
        wanted = msgspec.structs.replace(answer, status=suite.repeated or answer.status)
        _require(again == wanted, "a repeat was answered otherwise than the first")
    _require(len(ledger.tickets) == 1, f"{len(ledger.tickets)} tickets of one message")
    digests = {
        inbound.digest
        for change in changes
        for inbound in suite.channel.parse(change(first), suite.now)
    }
    _require(len(digests) == 1, "repeats of one message have different digests")


async def other_words_have_another_digest(suite: Suite) -> None:
    """Two texts never have the same digest, so that a reused key is noticed."""
    digests = [
        inbound.digest
        for text in ("路灯不亮", "路灯不亮了")
        for inbound in suite.channel.parse(suite.push(text), suite.now)
    ]
    _require(len(set(digests)) == len(digests), "two texts have one digest")


async def times_are_aware_and_near(suite: Suite) -> None:
    """Every instant is aware and within a year of the case's: seconds are not milliseconds."""
    for case in suite.cases:
        for inbound in case.expect or ():
            for at in (inbound.received_at, inbound.sent_at, inbound.occurred_at):
                if at is None:
                    continue
                _require(at.tzinfo is not None, f"{case.label}: a naive instant")
                near = abs(at - suite.now) < timedelta(days=366)
                _require(near, f"{case.label}: {at} is far from the case's date")


async def texts_come_through(suite: Suite) -> None:
    """Every text arrives literally."""
    for label, text in TEXTS.items():
        if suite.longest is not None and len(text) > suite.longest:
            continue
        (inbound,) = suite.channel.parse(suite.push(text), suite.now)
        _require(inbound.text == text, f"{label}: the text was changed")


@contextmanager
def _captured() -> Iterator[list[str]]:
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.getMessage()} {vars(record)}")

    root, handler = logging.getLogger(), Keep(level=0)
    before = root.level
    root.addHandler(handler)
    root.setLevel(0)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


async def secrets_stay_inside(suite: Suite) -> None:
    """No setting's secret shows in a log, an error, a message or the channel's own repr."""
    _require(bool(suite.secrets or suite.anybody), "name the channel's secrets")
    seen = [repr(suite.channel)]
    with _captured() as lines:
        for forge in suite.forgeries.values():
            error = _error_of(suite.channel, forge(suite.push("路灯不亮")), suite.now)
            seen.append(f"{error} {error!r}")
        for case in suite.cases:
            seen.append(repr(_error_of(suite.channel, case.request, suite.now)))
            if case.expect is not None:
                seen.append(repr(suite.channel.parse(case.request, suite.now)))
    for secret in suite.secrets:
        held = [s for s in [*seen, *lines] if secret in s]
        _require(not held, "a secret shows")


async def broken_octets_raise_declared_errors(suite: Suite) -> None:
    """Random, cut and bit-flipped bodies, signed as genuine, raise nothing but our own errors."""
    rng = random.Random(20261123)  # noqa: S311 - a repeatable test, no secret
    good = suite.push("路灯不亮，请尽快修理").body
    for number in range(BROKEN_TRIES):
        if number % 3 == 0:
            body = rng.randbytes(rng.randrange(200))
        elif number % 3 == 1:
            body = good[: rng.randrange(len(good))]
        else:
            at = rng.randrange(len(good))
            body = good[:at] + bytes([good[at] ^ 1 << rng.randrange(8)]) + good[at + 1 :]
        request = msgspec.structs.replace(suite.push("路灯不亮"), body=body)
        _error_of(suite.channel, suite.sign(request), suite.now)  # anything undeclared escapes


async def a_failing_store_is_not_hidden(suite: Suite) -> None:
    """When nothing was stored the carrier is not told otherwise: the store's error comes out."""
    try:
        await serve(suite.channel, suite.push("路灯不亮"), Ledger(broken=True).accept, suite.now)
    except StoreError:
        return
    raise Failed("a push was answered although nothing was stored")


async def replies_are_the_documented_ones(suite: Suite) -> None:
    """The answer to each case is, octet for octet, the documented one."""
    told = [case for case in suite.cases if case.reply is not None]
    _require(bool(told), "at least one case tells the documented answer")
    for case in told:
        receipts = [receipt(n + 1) for n, _ in enumerate(case.expect or ())]
        got = suite.channel.reply(case.request, receipts)
        _require(got == case.reply, f"{case.label}: answered {got!r}")


async def cases_say_where_they_come_from(suite: Suite) -> None:
    """Every case names its source, and not all are made up by ourselves."""
    for case in suite.cases:
        _require(bool(case.source.strip()), f"{case.label}: no source")
    known = {case.origin for case in suite.cases} - {Origin.INVENTED}
    _require(bool(known), "every case is invented")


Check = Callable[[Suite], Awaitable[None]]
#: Every channel passes all of them.
CHECKS: tuple[Check, ...] = (
    cases_come_out_as_written,
    forgeries_are_refused,
    required_members_are_named,
    repeats_make_one_ticket,
    other_words_have_another_digest,
    times_are_aware_and_near,
    texts_come_through,
    secrets_stay_inside,
    broken_octets_raise_declared_errors,
    a_failing_store_is_not_hidden,
    replies_are_the_documented_ones,
    cases_say_where_they_come_from,
)
