"""Who may do what: the one table of roles and rights."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Right(StrEnum):
    """What somebody may do in the console."""

    EMERGENCIES = "emergencies"  #: see tickets that are emergencies, and their incidents
    TICKETS = "tickets"  #: see all tickets
    HEALTH = "health"
    DEADLETTERS = "deadletters"
    REPLAY = "replay"  #: try dead letters again, or give them up
    ROUTES = "routes"
    EDIT_ROUTES = "edit_routes"  #: put routes in force
    AUDIT = "audit"
    USERS = "users"  #: see who may use the console
    EDIT_USERS = "edit_users"


#: The roles, as the contract names them.
ROLES: Mapping[str, frozenset[Right]] = MappingProxyType(
    {
        "admin": frozenset(Right),
        "operator": frozenset(
            {
                Right.EMERGENCIES,
                Right.TICKETS,
                Right.HEALTH,
                Right.DEADLETTERS,
                Right.REPLAY,
                Right.ROUTES,
                Right.EDIT_ROUTES,
            }
        ),
        "liaison": frozenset({Right.EMERGENCIES, Right.HEALTH}),
        # Reads everything and changes nothing.
        "auditor": frozenset(Right) - {Right.REPLAY, Right.EDIT_ROUTES, Right.EDIT_USERS},
    }
)


def may(role: str, right: Right) -> bool:
    """Return whether a role has a right; one that is none, as of a newer gateway, has none."""
    return right in ROLES.get(role, ())
