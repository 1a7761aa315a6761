"""Wireshark's dissectors on what we write: a third opinion on every message."""

from pathlib import Path

from channels.base import Message
from channels.sms.dialect import Outgoing
from channels.sms.segments import segments
from channels.sms.smpp import Frames, Login
from channels.sms.smpp_dialect import SmppDialect
from tests.channels.sms.ismg import Ismg, header
from tests.channels.sms.world import QUICK, Gateway, running, texting, until
from tests.peers.tshark import dissected

_FIELDS = (
    "cmpp.Command_Id",
    "cmpp.connect.Source_Addr",
    "cmpp.Version",
    "cmpp.Dest_terminal_Id",
    "cmpp.submit.Src_Id",
    "cmpp.submit.Pk_total",
    "cmpp.submit.Pk_number",
    "cmpp.Msg_Fmt",
    "cmpp.TP_udhi",
    "cmpp.Msg_Length",
    "cmpp.deliver.Src_terminal_Id",
    "cmpp.deliver_resp.Result",
    "_ws.malformed",
)


async def test_wireshark_reads_a_cmpp_session(tmp_path: Path) -> None:
    """Login, messages both ways, a status report, a heartbeat and the end: nothing malformed."""
    async with Ismg() as ismg:
        channel = texting(ismg.port, tmp_path, QUICK, protocol="cmpp", user="900001", version="3.0")
        async with running(channel, Gateway()):
            await until(lambda: channel.link.up)
            ismg.deliver(5, "13800138000", "路灯不亮".encode("utf-16-be"))
            report = bytes(8) + b"DELIVRD" + b"2611230959" + b"2611231000" + b"138".ljust(32, b"\0")
            ismg.deliver(6, "13800138000", report + bytes(4), report=1, coding=0)
            await until(lambda: len(ismg.results) == 2)
            await channel.messenger.send("+8613800138000", Message(key="k", text="已受理，" * 20))
            ismg.write(header(8, 99))
            await until(lambda: bool(ismg.answers) and ismg.tests > 0)
        await until(lambda: ismg.ended == 1)
    rows = dissected(tmp_path, ismg.port, "cmpp", ismg.log, _FIELDS)
    named = [dict(zip(_FIELDS, row, strict=True)) for row in rows]
    assert [row["_ws.malformed"] for row in named] == [""] * len(ismg.log)
    seen = {int(row["cmpp.Command_Id"], 0) for row in named}
    assert {1, 2, 4, 5, 8, 0x80000001, 0x80000004, 0x80000005, 0x80000008} <= seen
    of = {int(row["cmpp.Command_Id"], 0): row for row in named}
    assert of[1]["cmpp.connect.Source_Addr"] == "900001"
    assert of[4]["cmpp.Dest_terminal_Id"] == "13800138000"
    assert of[4]["cmpp.submit.Src_Id"] == "106912345"
    assert (of[4]["cmpp.submit.Pk_total"], of[4]["cmpp.submit.Pk_number"]) == ("2", "2")
    assert int(of[4]["cmpp.Msg_Length"], 0) == 6 + (80 - 67) * 2
    assert int(of[0x80000005]["cmpp.deliver_resp.Result"], 0) == 0


def test_wireshark_reads_what_we_write_in_smpp(tmp_path: Path) -> None:
    """Login, a long message, a heartbeat and the end are SMPP without a fault."""
    ours = SmppDialect(Login(system_id="hotline", password="secret"), "106912345")
    written = [
        ours.login(1, None),  # type: ignore[arg-type]  # SMPP tells no time
        *(
            ours.submit(n, Outgoing(to="+8613800138000", segment=segment))
            for n, segment in enumerate(segments("已受理，" * 20, 7), 2)
        ),
        ours.heartbeat(4),
        ours.goodbye(5),
    ]
    fields = ("smpp.command_id", "smpp.destination_addr", "smpp.data_coding", "_ws.malformed")
    rows = dissected(tmp_path, 2775, "smpp", [("in", octets) for octets in written], fields)
    assert [int(row[0], 0) for row in rows] == [
        next(iter(Frames().feed(octets))).command for octets in written
    ]
    assert {row[3] for row in rows} == {""}
    assert {row[1] for row in rows if row[0].endswith("4")} == {"8613800138000"}
    assert {int(row[2], 0) for row in rows if row[0].endswith("4")} == {8}
