"""Workers that read mails: one that hangs or dies costs its mail a little, and nothing else."""

import asyncio
import sys
import time

import pytest

from channels.email.parsed import Job
from channels.email.readers import Readers
from normalizer.errors import StoreError
from tests.channels.email.vectors.building import OURS, mail

RAW = mail("家里进水齐腰深，老人被困二楼".encode())
HANGS = (sys.executable, "-c", "import signal; signal.pause()")
DIES = (sys.executable, "-c", "import sys; sys.stdin.buffer.read(4)")


async def test_a_worker_reads_many_mails() -> None:
    """In the same process, and what it says is what the codec says."""
    readers = Readers(2)
    mails = await asyncio.gather(
        *(readers.understand(Job(raw=RAW, address=OURS)) for _ in range(50))
    )
    assert {m.text for m in mails} == {"家里进水齐腰深，老人被困二楼"}
    assert not any(m.undecodable for m in mails)
    await readers.close()


@pytest.mark.parametrize("command", [HANGS, DIES], ids=["hangs", "dies"])
async def test_what_a_worker_cannot_read_is_salvaged(command: tuple[str, ...]) -> None:
    """With the best guess at its words, marked for a human, in bounded time."""
    readers = Readers(1, timeout_s=0.5, command=command)
    began = time.monotonic()
    read = await readers.understand(Job(raw=RAW, address=OURS))
    assert time.monotonic() - began < 5
    assert read.undecodable
    assert read.text == "家里进水齐腰深，老人被困二楼"
    assert read.sender == "zs@qq.example"
    assert read.subject == "路灯不亮"
    await readers.close()


async def test_without_workers_the_mail_comes_again() -> None:
    """A program that is not there is our fault, not the mail's."""
    readers = Readers(1, command=("/no/such/program",))
    with pytest.raises(StoreError):
        await readers.understand(Job(raw=RAW, address=OURS))
    await readers.close()
