"""A load generator in a process of its own: raw sockets, closed loop, one request a connection.

Run as ``python -m gateway.bench.load``: reads a JSON job from standard input and writes a JSON
result to standard output. A lean client leaves the second core to the server that it measures.
"""

import asyncio
import contextlib
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

#: What citizens ask: our own sentences, about sixty characters each.
ORDINARY = (
    "埇桥区人民路与淮海路交叉口东北角的井盖昨晚八点左右不见了，电动车差点掉下去，请尽快安排人处理。",
    "请问办理居住证需要带哪些材料？周末能办吗？我白天上班，想问一下下午五点以后窗口还受理不受理。",
    "小区门口的超市卖过期牛奶，我买了两箱才发现，找店家退款不给退，希望市场监管部门查处一下。",
    "我们单元的电梯经常停在半层，物业说要等配件，已经拖了一个多月，老人上下楼非常不方便，请协调。",
    "汴河路中段的路灯坏了三盏，晚上孩子放学看不清路，建议尽快修好，也建议多装几盏太阳能路灯。",
    "我在工地干了四个月，工资一直没有发，包工头电话不接，想请劳动监察部门帮忙要回工资。",
    "表扬一下政务服务大厅的工作人员，帮我母亲办医保手续特别耐心，还帮她复印材料，谢谢你们。",
    "学校门口放学的时候车辆乱停，堵得公交车都过不去，能不能派交警在那里疏导一下，或者划出停车位。",
)
EMERGENCY = "埇桥区汴河中路{n}号居民楼三楼着火了，浓烟很大，有老人被困出不来，快来人！"


@dataclass(slots=True)
class Job:
    """What to send."""

    host: str
    port: int
    connections: int
    seconds: float
    rate: float | None = None  #: requests a second over all connections; None: as fast as it goes
    every: int = 0  #: every so manieth request is an emergency; 0: none
    seed: int = 1


@dataclass(slots=True)
class Tally:
    """What came back."""

    latencies_s: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    errors: int = 0
    numbers: list[str] = field(default_factory=list)
    sent_emergencies: dict[str, float] = field(default_factory=dict)  #: number to wall-clock send


def bodies(job: Job, offset: int) -> Iterator[tuple[bytes, bool]]:
    """Yield request bodies for ever, and whether each is an emergency."""
    chooser = random.Random(job.seed * 1000 + offset)  # noqa: S311 - traffic, not secrets
    count = 0
    while True:
        count += 1
        # Not in step: as many connections as there are would otherwise cry out at one moment.
        emergency = bool(job.every) and (count + offset) % job.every == 0
        if emergency:
            text = EMERGENCY.format(n=chooser.randrange(1, 1_000_000) * 2)
        else:
            text = f"{chooser.choice(ORDINARY)}（{chooser.randrange(1_000_000_000)}）"
        phone = f"138{chooser.randrange(100_000_000):08d}"
        body = {"text": text, "phone": phone, "public": False, "language": "zh-Hans"}
        yield json.dumps(body, ensure_ascii=False).encode(), emergency


async def _connection(job: Job, offset: int, tally: Tally, until: float) -> None:
    reader, writer = await asyncio.open_connection(job.host, job.port)
    pause = job.connections / job.rate if job.rate else 0.0
    following = time.perf_counter() + random.Random(offset).random() * pause  # noqa: S311 - as above
    try:
        for body, emergency in bodies(job, offset):
            if pause:
                await asyncio.sleep(max(0.0, following - time.perf_counter()))
                following += pause
            began = time.perf_counter()
            if began >= until:
                return
            wall = time.time()
            writer.write(_HEAD % (job.host.encode(), job.port, len(body)) + body)
            status, answer = await _answer(reader)
            tally.latencies_s.append(time.perf_counter() - began)
            tally.statuses[status] = tally.statuses.get(status, 0) + 1
            if status == 201:
                _note(tally, answer, wall if emergency else None)
    except (ConnectionError, asyncio.IncompleteReadError):
        tally.errors += 1
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


_HEAD = (
    b"POST /api/v1/requests HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n"
)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    at = head.lower().find(b"content-length:")
    length = int(head[at + 15 : head.find(b"\r\n", at)]) if at >= 0 else 0
    return status, await reader.readexactly(length) if length else b""


def _note(tally: Tally, answer: bytes, wall: float | None) -> None:
    number = answer[11:29] if answer.startswith(b'{"number":"') else b""
    text = number.decode().split('"')[0]
    tally.numbers.append(text)
    if wall is not None:
        tally.sent_emergencies[text] = wall


async def run(job: Job) -> Tally:
    """Send until the time is over, and return what came back."""
    tally = Tally()
    until = time.perf_counter() + job.seconds
    await asyncio.gather(*(_connection(job, i, tally, until) for i in range(job.connections)))
    return tally


def _result(job: Job, tally: Tally, elapsed: float) -> dict[str, Any]:
    ordered = sorted(tally.latencies_s)
    count = len(ordered)

    def quantile(q: float) -> float | None:
        return ordered[min(count - 1, int(q * count))] * 1000 if count else None

    return {
        "requests": count,
        "per_second": count / elapsed,
        "seconds": elapsed,
        "p50_ms": quantile(0.5),
        "p99_ms": quantile(0.99),
        "statuses": tally.statuses,
        "errors": tally.errors,
        "numbers": tally.numbers,
        "emergencies": tally.sent_emergencies,
        "connections": job.connections,
    }


def main() -> None:
    """Run the job on standard input."""
    job = Job(**json.loads(sys.stdin.read()))
    began = time.perf_counter()
    try:
        import uvloop

        tally = uvloop.run(run(job))
    except ImportError:
        tally = asyncio.run(run(job))
    json.dump(_result(job, tally, time.perf_counter() - began), sys.stdout)


if __name__ == "__main__":
    main()
