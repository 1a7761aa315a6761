"""The story, played from its first scene to the answer of the back office."""

import asyncio
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager

import aiohttp
import aiosmtplib

from gateway.demo.peers import LoopbackDesk, LoopbackOffice
from gateway.demo.reading import sent, waited
from gateway.demo.story import PATIENCE_S, SERVICES, Peer, Scene, Sent, scenes
from gateway.demo.verdict import Run, settled
from gateway.demo.wechat import WeChat

#: What the back office answers the first citizen who came by WeChat.
ANSWER = "经查，工资已于今日由劳动监察部门监督发放到位，请查收。"
#: What a carrier's end raises where the gateway does not do as it should.
_BROKEN = (OSError, TimeoutError, aiohttp.ClientError, aiosmtplib.SMTPException)


async def perform(
    gateway: str,
    office: LoopbackOffice,
    playing: MutableMapping[str, Peer],
    patience_s: float = PATIENCE_S,
) -> tuple[Run, list[str]]:
    """Return what became of every scene, and what is not as it should be.

    Args:
        gateway: Its address.
        office: Its back office.
        playing: The peers by name; who does not meet the gateway is taken out.
        patience_s: Seconds that everything has to arrive.
    """
    run = Run(office, [LoopbackDesk(gateway, service) for service in SERVICES])
    async with _desks(run):
        wrong = await _meet(gateway, playing)
        for scene in scenes(playing):
            run.sent.append(await _played(playing[scene.channel], scene))
        wrong += await settled(run, patience_s)
    return run, wrong


@asynccontextmanager
async def _desks(run: Run) -> AsyncIterator[None]:
    """Have all desks look at their screens. Raises `TimeoutError` if one cannot."""
    async with aiohttp.ClientSession() as session:
        looking = [asyncio.create_task(desk.follow(session)) for desk in run.desks]
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(*(desk.ready.wait() for desk in run.desks))
            yield
        finally:
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)


async def _meet(gateway: str, playing: MutableMapping[str, Peer]) -> list[str]:
    wrong = []
    for name, peer in list(playing.items()):
        try:
            async with asyncio.timeout(PATIENCE_S):
                await peer.meet(gateway)
        except _BROKEN as error:
            wrong.append(f"{name}: the gateway is not reached: {type(error).__name__} {error}")
            del playing[name]
    return wrong


async def _played(peer: Peer, scene: Scene) -> Sent:
    began = time.perf_counter()
    try:
        return await peer.play(scene)
    except _BROKEN as error:
        return sent(scene, began, f"{type(error).__name__}: {error}")


async def answered(gateway: str, run: Run, wechat: WeChat) -> tuple[str, list[str]]:
    """Have the back office answer a ticket that came by WeChat.

    Returns:
        What is to be told of it, and what went wrong.
    """
    one = next((s for s in run.sent if s.scene.channel == wechat.name and s.number), None)
    if one is None:
        return "", []  # and that is a fault by itself
    began, citizen = time.perf_counter(), one.scene.by
    unit = run.ticket(one.number).get("route", {}).get("unit") or ""
    for step, text in (("signed", ""), ("answered", ANSWER)):
        report = {"number": one.number, "unit": unit, "text": text}
        status = await run.office.report(gateway, step, report)
        if status != 202:
            return "", [f"office: {step} on {one.number} was answered {status}"]
    if not await waited(lambda: any(ANSWER in text for text in wechat.chat(citizen))):
        return "", [f"wechat: the answer on {one.number} is not in the citizen's chat"]
    took = (time.perf_counter() - began) * 1000
    told = (
        f"Then {unit} signed for {one.number} and answered it. After {took:.0f} ms the citizen's "
        f"chat shows, as a customer-service message:"
    )
    return f"{told}\n{wechat.chat(citizen)[-1]}", []
