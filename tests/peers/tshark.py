"""Wireshark's dissectors: what they make of octets that went over a connection."""

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

_OURS, _THEIRS = bytes([127, 0, 0, 1]), bytes([127, 0, 0, 2])


def dissected(
    folder: Path, port: int, protocol: str, talk: Sequence[tuple[str, bytes]], fields: Sequence[str]
) -> list[list[str]]:
    """Return the fields of every packet of a conversation, one row a packet.

    Args:
        folder: Where the capture is written.
        port: The server's.
        protocol: Name of the dissector.
        talk: Who (``in``: to the server, ``out``: from it) and what, in order.
        fields: Which fields, as tshark names them.
    """
    capture = folder / "talk.pcap"
    capture.write_bytes(_pcap(port, talk))
    arguments = [each for field in fields for each in ("-e", field)]
    done = subprocess.run(
        ["tshark", "-r", capture, "-d", f"tcp.port=={port},{protocol}", "-T", "fields", *arguments],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


def _pcap(port: int, talk: Sequence[tuple[str, bytes]]) -> bytes:
    """Return a capture of raw IP packets (link type 101)."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)]
    sequence = {"in": 1, "out": 1}
    for number, (way, octets) in enumerate(talk):
        inward = way == "in"
        source, destination = (_OURS, _THEIRS) if inward else (_THEIRS, _OURS)
        ports = (40_000, port) if inward else (port, 40_000)
        other = sequence["out" if inward else "in"]
        tcp = struct.pack(">HHIIBBHHH", *ports, sequence[way], other, 0x50, 0x18, 65535, 0, 0)
        sequence[way] += len(octets)
        size = 40 + len(octets)
        ip = struct.pack(">BBHHHBBH", 0x45, 0, size, number, 0, 64, 6, 0) + source + destination
        out += [struct.pack("<IIII", number, 0, size, size), ip, tcp, octets]
    return b"".join(out)
