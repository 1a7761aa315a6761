"""CMPP 2.0 and 3.0 as a session speaks them. Sans-io."""

import hmac
import logging
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from channels.sms import cmpp
from channels.sms.cmpp import (
    RESPONSE,
    Command,
    Connect,
    Frame,
    Frames,
    Report,
    Submit,
    Submitted,
    Version,
)
from channels.sms.dialect import Answered, Asked, Came, Event, Outcome, Outgoing, Result, Told
from channels.sms.pieces import Piece, split_header
from channels.sms.receipts import DeliveryReport
from normalizer.errors import Malformed

log = logging.getLogger(__name__)

#: The time stamps of the protocol are China's, wherever the gateway stands.
_CHINA = ZoneInfo("Asia/Shanghai")
_MAINLAND = "+86"
#: Results of SUBMIT_RESP (V2.0 section 7.4.3.2, page 17) and DELIVER_RESP (7.4.5.2, page 20).
_FLOW = 8
_OTHER = 9
#: 13: wrong Dest_terminal_Id; no other result is the fault of this one message.
_NEVER = frozenset({13})
#: States of a report after which another may come. Every other is the end: what failed has the code
#: of the network that refused it, ``MA:xxxx``, ``CB:xxxx`` … (V2.0 section 7.4.5.1, page 19).
_UNDER_WAY = frozenset({"", "ENROUTE", "ACCEPTD", "UNKNOWN"})


class CmppDialect:
    """One connection to a gateway of the carrier.

    Args:
        version: Which protocol.
        source: SP_Id, six characters.
        secret: Shared with the gateway.
        number: What telephones show as the sender.
        service: Service_Id, as agreed.
        receipts: Whether status reports are wanted.
    """

    def __init__(
        self,
        version: Version,
        source: str,
        secret: str,
        number: str,
        *,
        service: str = "",
        receipts: bool = True,
    ) -> None:
        self._version = version
        self._source = source
        self._secret = secret
        self._number = number
        self._service = service
        self._receipts = receipts
        self._frames = Frames()
        self._proof = b""

    def login(self, sequence: int, now: datetime) -> bytes:
        """Return a CONNECT."""
        timestamp = cmpp.stamp(now.astimezone(_CHINA))
        self._proof = cmpp.authenticator(self._source, self._secret, timestamp)
        connect = Connect(
            source=self._source,
            authenticator=self._proof,
            version=self._version.octet,
            timestamp=timestamp,
        )
        return _frame(Command.CONNECT, sequence, cmpp.connect_body(connect))

    def heartbeat(self, sequence: int) -> bytes:
        """Return an ACTIVE_TEST (section 7.4.7, page 21)."""
        return _frame(Command.ACTIVE_TEST, sequence)

    def goodbye(self, sequence: int) -> bytes:
        """Return a TERMINATE (section 7.4.2, page 14)."""
        return _frame(Command.TERMINATE, sequence)

    def submit(self, sequence: int, outgoing: Outgoing) -> bytes:
        """Return a SUBMIT to one number."""
        segment = outgoing.segment
        submit = Submit(
            source=self._source,
            number=self._number,
            destinations=(outgoing.to.removeprefix(_MAINLAND).removeprefix("+"),),
            total=segment.total,
            place=segment.place,
            registered=1 if self._receipts else 0,
            level=3 if outgoing.urgent else 0,
            service=self._service,
            udhi=1 if segment.udhi else 0,
            coding=segment.coding,
            content=segment.octets,
        )
        return _frame(Command.SUBMIT, sequence, cmpp.submit_body(submit, self._version))

    def feed(self, octets: bytes) -> Iterator[Event]:
        """Yield what came. Raises `Malformed`."""
        for each in self._frames.feed(octets):
            yield self._event(each)

    def _event(self, came: Frame) -> Event:
        if came.command & RESPONSE:
            return Answered(sequence=came.sequence, outcome=self._outcome(came))
        if came.command == Command.DELIVER:
            return self._delivered(came)
        if came.command == Command.ACTIVE_TEST:
            # One reserved octet (section 7.4.7.2, page 21).
            return Asked(reply=_frame(Command.ACTIVE_TEST | RESPONSE, came.sequence, b"\0"))
        if came.command == Command.TERMINATE:
            reply = _frame(Command.TERMINATE | RESPONSE, came.sequence)
            return Asked(reply=reply, closing=True)
        # There is no "not understood"; an empty response at least ends the gateway's waiting.
        return Asked(reply=_frame(came.command | RESPONSE, came.sequence), unknown=came.command)

    def _outcome(self, came: Frame) -> Outcome:
        try:
            if came.command == Command.CONNECT | RESPONSE:
                return self._connected(came.body)
            if came.command == Command.SUBMIT | RESPONSE:
                return _submitted(cmpp.result_of(came.body))
        except Malformed:
            return Outcome(result=Result.LATER, code=-1)
        return Outcome(result=Result.OK)

    def _connected(self, body: bytes) -> Outcome:
        told = cmpp.connected_of(body)
        if told.status:
            return Outcome(result=Result.LATER, code=told.status)
        status = body[: len(body) - 17]
        proof = cmpp.gateway_authenticator(status, self._proof, self._secret)
        if not hmac.compare_digest(proof, told.authenticator):
            # Gateways in use are known to get theirs wrong; to refuse would lose citizens' words.
            log.warning("sms.carrier_unproven", extra={"version": self._version.value})
        if told.version < self._version.octet and self._version.wide:
            # Section 6.1: the lower of both is spoken.
            self._version = Version.V2
        return Outcome(result=Result.OK)

    def _delivered(self, came: Frame) -> Came | Told:
        try:
            deliver = cmpp.deliver_of(came.body, self._version)
        except Malformed:
            return self._unreadable(came)
        taken = self._answer(came, deliver.message_id, 0)
        if deliver.registered:
            try:
                report = cmpp.report_of(deliver.content)
            except Malformed:
                log.warning("sms.report_unreadable", extra={"octets": len(deliver.content)})
                report = Report(message_id=0, state="UNKNOWN")
            told = DeliveryReport(
                message_id=str(report.message_id),
                state=report.state,
                final=report.state not in _UNDER_WAY,
            )
            return Told(report=told, reply=taken)
        part, octets = None, deliver.content
        if deliver.udhi:
            part, octets = split_header(octets)
        piece = Piece(
            source=deliver.source,
            destination=deliver.destination,
            coding=deliver.coding,
            octets=octets,
            raw=came.octets,
            part=part,
            carrier_id=f"{deliver.message_id:016x}",
        )
        return Came(piece=piece, taken=taken, later=self._answer(came, deliver.message_id, _FLOW))

    def _unreadable(self, came: Frame) -> Came:
        """Return a DELIVER that is not of its form: kept whole, for a human to look at."""
        number = int.from_bytes(came.body[:8].ljust(8, b"\0"), "big")
        piece = Piece(
            source="", destination="", coding=4, octets=came.body, raw=came.octets, readable=False
        )
        return Came(
            piece=piece,
            taken=self._answer(came, number, 0),
            later=self._answer(came, number, _OTHER),
        )

    def _answer(self, came: Frame, message_id: int, result: int) -> bytes:
        said = Submitted(message_id=message_id, result=result)
        body = cmpp.result_body(said, self._version)
        return _frame(Command.DELIVER | RESPONSE, came.sequence, body)


def _submitted(said: Submitted) -> Outcome:
    if said.result == 0:
        return Outcome(result=Result.OK, message_id=str(said.message_id))
    if said.result == _FLOW:
        return Outcome(result=Result.THROTTLED, code=said.result)
    never = said.result in _NEVER
    return Outcome(result=Result.NEVER if never else Result.LATER, code=said.result)


def _frame(command: int, sequence: int, body: bytes = b"") -> bytes:
    return Frame(command=command, sequence=sequence, body=body).octets
