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

POISONED = (
    sys.executable,
    "-c",
    "import os; from channels.email.codec import understand; from channels.email.frames import serve\n"
    "from channels.email.parsed import Job\n"
    "def read(job): return os._exit(1) if b'poison' in job.raw else understand(job)\n"
    "serve(Job, read, memory=1_500_000_000, last_s=60)",
)


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


async def test_one_mail_that_kills_its_reader_takes_none_with_it() -> None:
    """What goes to a reader together is read alone where it comes to nothing."""
    readers = Readers(2, timeout_s=5, command=POISONED)
    raws = [RAW + b" %d" % n for n in range(20)] + [RAW + b" poison"]
    mails = await asyncio.gather(*(readers.understand(Job(raw=raw, address=OURS)) for raw in raws))
    assert [m.undecodable for m in mails] == [False] * 20 + [True]
    assert mails[-1].text.startswith("家里进水齐腰深")
    assert [m.text for m in mails[:20]] == [f"家里进水齐腰深，老人被困二楼 {n}" for n in range(20)]
    await readers.close()


async def test_what_is_being_read_when_the_gateway_ends_comes_again() -> None:
    """It is no mail that cannot be read: nothing is made of it now."""
    readers = Readers(1, command=HANGS)
    asked = [asyncio.create_task(readers.understand(Job(raw=RAW, address=OURS))) for _ in range(3)]
    await asyncio.sleep(0.2)
    await readers.close()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in found] == [StoreError] * 3


async def test_without_workers_the_mail_comes_again() -> None:
    """A program that is not there is our fault, not the mail's."""
    readers = Readers(1, command=("/no/such/program",))
    with pytest.raises(StoreError):
        await readers.understand(Job(raw=RAW, address=OURS))
    await readers.close()
