"""Brings the schema of a PostgreSQL store up to date, one transaction for all steps."""

from collections.abc import Sequence

from gateway.store.postgres_link import Link
from gateway.store.sql import too_new
from normalizer.errors import StoreError

#: Says that a schema is ours.
APPLICATION = "intake-gateway"

#: Of the lock that lets one gateway at a time look after the schema.
_LOCK = 0x4757_4159_0001


def version_of(link: Link, name: str, newest: int) -> int:
    """Return the schema's version, 0 where there is none yet.

    Raises:
        StoreError: The database is not in UTF-8, belongs to another program, or to a newer version
            of this one.
    """
    encoding = link.rows("encoding")[0][0]
    if encoding != "UTF8":
        raise StoreError(f"{name}: the database is in {encoding}; create one with ENCODING 'UTF8'")
    ours, others = link.rows("version_table")[0]
    if not ours:
        if others:
            raise StoreError(f"{name}: this is another program's database; name an empty one")
        return 0
    version, application = link.rows("version")[0]
    if application != APPLICATION:
        raise StoreError(f"{name}: this is another program's database; name an empty one")
    if version > newest:
        raise too_new(name, version, newest)
    return int(version)


def migrate(link: Link, name: str, scripts: Sequence[str]) -> int:
    """Apply the scripts that are missing and return how many there were.

    All in one transaction: a crash leaves the schema as it was. Gateways that start together wait
    for the first of them.

    Raises:
        StoreError: As with `version_of`.
    """
    link.execute(f"BEGIN; SELECT pg_advisory_xact_lock({_LOCK:d})")
    try:
        have = version_of(link, name, len(scripts))
        if not have and scripts:
            link.rows("create_version")
            link.rows("claim", APPLICATION)
        for script in scripts[have:]:
            link.execute(script)
        if have < len(scripts):
            link.changed("set_version", len(scripts))
    except BaseException:
        link.execute("ROLLBACK")
        raise
    link.execute("COMMIT")
    return len(scripts) - have
