"""Structured logs: one JSON object a line, with what looks like a citizen's data masked."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import TextIO

from normalizer.identity import mask

#: Attributes that every record has: what is left over came as ``extra``.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


#: Ids of our own: among their digits there is no citizen's number.
_IDENT = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON; names an error's type and place, not its words."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. Strings are masked: a log is read by more people than a ticket."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": _event(record),
            "logger": record.name,
        }
        for name, value in vars(record).items():
            if name not in _STANDARD:
                line[name] = value if isinstance(value, (int, float, bool)) else _masked(str(value))
        if record.exc_info is not None and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["trace"] = _trace(record)
        return json.dumps(line, ensure_ascii=False)


def _masked(value: str) -> str:
    """Return a value without what looks like a citizen's data; an id stays what one can look up."""
    return value if _IDENT.fullmatch(value) else mask(value)


def _event(record: logging.LogRecord) -> str:
    """Return the event; of a library's message the first line, masked.

    asyncio puts an exception that nobody fetched, words and all, on the lines below.
    """
    return mask(record.getMessage().partition("\n")[0])


def _trace(record: logging.LogRecord) -> list[str]:
    """Return file and line of each frame: exception texts may quote a citizen."""
    frames = []
    traceback = record.exc_info[2] if record.exc_info else None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 2)[-1]}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return frames[-8:]


def configure(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send every log record to ``stream`` (default: standard error) as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("aiohttp.access").disabled = True
