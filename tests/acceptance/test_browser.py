"""The pages in a real browser: Chromium, headless, at the width of a phone and of a desk."""

import asyncio
import contextlib
import signal
from pathlib import Path

import pytest

from tests.acceptance.world import World, opened, phone
from tests.console.chromium import FLAGS

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _dom(url: str, folder: Path, width: int) -> str:
    """Return the document as the browser has it after its scripts ran for two seconds."""
    process = await asyncio.create_subprocess_exec(
        "chromium",
        *FLAGS,
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={width},900",
        "--timeout=2000",
        "--dump-dom",
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
    return out.decode()


@pytest.mark.parametrize("width", [390, 1280])
async def test_the_citizens_pages_open(world: World, tmp_path: Path, width: int) -> None:
    """The form and the progress page are whole documents with their fields."""
    form = await _dom(f"{world.gateway.url}/?lang=zh", tmp_path, width)
    assert 'name="text"' in form
    assert 'href="tel:119"' in form
    progress = await _dom(f"{world.gateway.url}/progress?lang=zh", tmp_path, width)
    assert 'name="number"' in progress
    assert 'name="code"' in progress


async def test_the_desk_sees_a_fire(tmp_path: Path) -> None:
    """The desk's page, its script included, shows an open incident with the citizen's words."""
    async with opened(tmp_path, liaison={"119": {"ack_within": "30s"}}) as world:
        text = "埇桥区拂晓大道66号三楼着火了，有老人被困，快来人！"
        filed = await world.citizen.file(text, phone=phone())
        page = await _dom(f"{world.gateway.url}/desk/119", tmp_path, 1280)
    assert "拂晓大道66号" in page
    assert filed["number"] in page
