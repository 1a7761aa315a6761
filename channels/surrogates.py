"""Halves of surrogate pairs in JSON: what is left of an emoji where a client cut a text."""

import re

#: A pair, half of one, or any other escape, so that an escaped backslash is never taken for one.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def mended(body: bytes) -> bytes:
    """Return a JSON document with every lone half replaced by U+FFFD, the replacement character.

    JSON allows to write one (RFC 8259 section 8.2), UTF-8 cannot hold it; the words around it must
    not be lost for it.
    """
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], body)
