"""SMPP 3.4 as a session speaks it. Sans-io."""

from collections.abc import Iterator
from datetime import datetime

from channels.sms.dialect import Answered, Asked, Came, Event, Outcome, Outgoing, Result, Told
from channels.sms.pieces import Part, Piece, part_of, split_header
from channels.sms.receipts import report_of
from channels.sms.smpp import (
    RESPONSE,
    UDHI,
    Command,
    Frame,
    Frames,
    Login,
    ShortMessage,
    Status,
    Tag,
    data_message_of,
    frame,
    login_body,
    message_id_of,
    nack,
    response,
    short_message_body,
    short_message_of,
)
from normalizer.errors import Malformed

#: Address types, section 5.2.5 and 5.2.6.
_INTERNATIONAL, _ALPHANUMERIC, _ISDN = 1, 5, 1
_SLOWER = frozenset({Status.THROTTLED, Status.QUEUE_FULL})
#: What is wrong with this one message, whenever it is tried.
_NEVER = frozenset({Status.INVALID_DESTINATION, Status.INVALID_DEST_TON, Status.INVALID_DEST_NPI})
#: Commands that have no response (sections 4.1.7 and 4.12).
_SILENT = frozenset({Command.OUTBIND, Command.ALERT_NOTIFICATION})


class SmppDialect:
    """One connection to a centre.

    Args:
        login: Who we are.
        number: The source of what we send.
        receipts: Whether the centre is to tell what becomes of it.
    """

    def __init__(self, login: Login, number: str, *, receipts: bool = True) -> None:
        self._login = login
        self._number = number
        self._receipts = receipts
        self._frames = Frames()

    def login(self, sequence: int, now: datetime) -> bytes:
        """Return a bind_transceiver."""
        del now
        return frame(Command.BIND_TRANSCEIVER, sequence, login_body(self._login)).octets

    def heartbeat(self, sequence: int) -> bytes:
        """Return an enquire_link."""
        return frame(Command.ENQUIRE_LINK, sequence).octets

    def goodbye(self, sequence: int) -> bytes:
        """Return an unbind."""
        return frame(Command.UNBIND, sequence).octets

    def submit(self, sequence: int, outgoing: Outgoing) -> bytes:
        """Return a submit_sm."""
        segment, international = outgoing.segment, outgoing.to.startswith("+")
        message = ShortMessage(
            source=self._number,
            destination=outgoing.to.removeprefix("+"),
            destination_ton=_INTERNATIONAL if international else 0,
            destination_npi=_ISDN,
            esm_class=UDHI if segment.udhi else 0,
            priority=1 if outgoing.urgent else 0,
            registered=1 if self._receipts else 0,
            coding=segment.coding,
            octets=segment.octets,
        )
        return frame(Command.SUBMIT_SM, sequence, short_message_body(message)).octets

    def feed(self, octets: bytes) -> Iterator[Event]:
        """Yield what came. Raises `Malformed`."""
        for each in self._frames.feed(octets):
            event = _event(each)
            if event is not None:
                yield event


def _event(came: Frame) -> Event | None:
    if came.command & RESPONSE:
        return Answered(sequence=came.sequence, outcome=_outcome(came))
    if came.command in (Command.DELIVER_SM, Command.DATA_SM):
        return _delivered(came)
    if came.command == Command.ENQUIRE_LINK:
        return Asked(reply=response(came).octets)
    if came.command == Command.UNBIND:
        return Asked(reply=response(came).octets, closing=True)
    if came.command in _SILENT:
        return None
    return Asked(reply=nack(came.sequence).octets, unknown=came.command)


def _outcome(came: Frame) -> Outcome:
    if came.command == RESPONSE:  # generic_nack: the centre did not understand us, or is too busy
        slow = came.status in _SLOWER
        return Outcome(result=Result.THROTTLED if slow else Result.LATER, code=came.status)
    if came.status == Status.OK:
        return Outcome(result=Result.OK, message_id=message_id_of(came.body))
    if came.status in _SLOWER:
        return Outcome(result=Result.THROTTLED, code=came.status)
    never = came.status in _NEVER
    return Outcome(result=Result.NEVER if never else Result.LATER, code=came.status)


def _delivered(came: Frame) -> Came | Told:
    taken = response(came).octets
    later = response(came, Status.RECEIVER_TEMPORARY).octets
    read = short_message_of if came.command == Command.DELIVER_SM else data_message_of
    try:
        message = read(came.body)
    except Malformed:
        # The centre means something by it: kept whole, for a human to look at.
        piece = Piece(
            source="", destination="", coding=4, octets=came.body, raw=came.octets, readable=False
        )
        return Came(piece=piece, taken=taken, later=later)
    if message.is_receipt and (report := report_of(message)) is not None:
        return Told(report=report, reply=taken)
    return Came(piece=_piece(message, came), taken=taken, later=later)


def _piece(message: ShortMessage, came: Frame) -> Piece:
    part, octets = _part(message), message.content
    if message.esm_class & UDHI:
        told, octets = split_header(octets)
        part = told or part
    return Piece(
        source=_address(message.source, message.source_ton),
        destination=message.destination,
        coding=message.coding,
        octets=octets,
        raw=came.octets,
        part=part,
    )


def _part(message: ShortMessage) -> Part | None:
    """Return what the SAR parameters say (sections 5.3.2.22 to 24); all three are needed."""
    reference = message.parameter(Tag.SAR_REFERENCE)
    total, place = message.parameter(Tag.SAR_TOTAL), message.parameter(Tag.SAR_PLACE)
    if not reference or not total or not place:
        return None
    return part_of(int.from_bytes(reference, "big"), total[-1], place[-1], 0)


def _address(address: str, ton: int) -> str:
    if ton == _INTERNATIONAL and address.isdigit():
        return f"+{address}"
    return address
