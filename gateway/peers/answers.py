"""What a citizen reads out of an answer."""

import re

_NUMBER = re.compile(r"\b\d{8}-\d{6,}-\d\b", re.ASCII)
_CODE = re.compile(r"(?:查询码|query code) ([0-9A-Z]{6,})", re.ASCII)


def number_in(text: str) -> str:
    """Return the first ticket number in a text, empty where there is none."""
    found = _NUMBER.search(text)
    return found.group() if found else ""


def code_in(text: str) -> str:
    """Return the query code that an answer gives, empty where it gives none."""
    found = _CODE.search(text)
    return found.group(1) if found else ""
