"""Roundup, a tracker that is fed by mail, on the same mails: what others take a second."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

#: Everybody may write, as to a hotline; its own default refuses strangers.
_STRANGERS = "db.security.addPermissionToRole('Anonymous', 'Email Access')\n"
#: A stranger becomes a user with a password, whose hashing is not what is measured.
_SETTINGS = (
    "admin_email=admin@city.example,mail_domain=city.example,"
    "tracker_web=http://127.0.0.1:1/,password_pbkdf2_default_rounds=1000"
)


def is_there() -> bool:
    """Return whether Roundup is installed."""
    return all(shutil.which(name) for name in ("roundup-admin", "roundup-mailgw"))


async def per_second(mails: Iterable[bytes]) -> float:
    """Return mails a second that its gateway makes issues of, from a file, in one process."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name:
        folder = Path(name)
        tracker, box = folder / "tracker", folder / "mails"
        await _run("roundup-admin", "-i", str(tracker), "install", "classic", "sqlite", _SETTINGS)
        with (tracker / "schema.py").open("a") as schema:
            schema.write(_STRANGERS)
        await _run("roundup-admin", "-i", str(tracker), "initialise", "bench")
        texts = [mail.replace(b"\r\n", b"\n") for mail in mails]
        line = b"From bench Mon Nov 23 10:00:00 2026\n"
        box.write_bytes(b"".join(line + text + b"\n\n" for text in texts))
        began = time.perf_counter()
        await _run("roundup-mailgw", str(tracker), "mailbox", str(box))
        lasted = time.perf_counter() - began
        listed = await _run("roundup-admin", "-i", str(tracker), "list", "issue")
        if listed.count(b"\n") != len(texts):
            raise RuntimeError("Roundup did not make an issue of every mail")
        return len(texts) / lasted


async def _run(*command: str) -> bytes:
    """Return what a program prints; what it would mail goes nowhere."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "SENDMAILDEBUG": os.devnull},
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed")
    return out
