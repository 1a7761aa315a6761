"""Names of the console's users."""

import re
import unicodedata

from normalizer.errors import ConfigError

LONGEST = 64
_NAME = re.compile(rf"[\w][\w.@-]{{0,{LONGEST - 1}}}")


def tidy(name: str) -> str:
    """Return a name as it is stored: any width, any case and spaces around make no difference."""
    return unicodedata.normalize("NFKC", name[: 4 * LONGEST]).strip().casefold()


def checked(name: str) -> str:
    """Return a new user's name as it is stored.

    Raises:
        ConfigError: It cannot be one.
    """
    tidied = tidy(name)
    if not _NAME.fullmatch(tidied):
        raise ConfigError(
            f"{name!r} cannot be a user's name: letters, digits and . _ @ -, at most {LONGEST}"
        )
    return tidied
