"""From the address of a store to the engine that keeps it."""

from pathlib import Path

from gateway.store.lined import LinedStore
from gateway.store.sqlite import from_url as sqlite_from_url
from normalizer.errors import ConfigError


def from_url(url: str, *, owner: bool = True, folder: Path | None = None) -> LinedStore:
    """Return the store at this address, not open yet.

    Args:
        url: As ``store.url`` of the configuration.
        owner: Whether a gateway process opens it, and not a command that works beside one.
        folder: Of this gateway alone; where several may share the store it is held while it is open.

    Raises:
        ConfigError: The address is none, or its engine is not installed.
    """
    if not url.startswith(("postgresql:", "postgres:")):
        return sqlite_from_url(url, owner=owner)
    try:
        from gateway.store.postgres import from_url as postgres_from_url
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise ConfigError(
            "store.url: PostgreSQL needs the package asyncpg: pip install 'intake-gateway[postgres]'"
        ) from None
    return postgres_from_url(url, owner=owner, folder=folder)
