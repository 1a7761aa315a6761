"""Items of what was just stored, built from what is in hand instead of read back.

Only a shortcut: whatever is not here, after a restart, a failed try or a long queue, is read from
the store and has the same octets.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable

from adapters.base import Item
from gateway.store.base import Delivery

log = logging.getLogger(__name__)

#: Events kept at most; the oldest are forgotten first.
_KEPT = 4096

#: Builds the item of a delivery; None: it must be read from the store.
Build = Callable[[Delivery], Item | None]


class Fresh:
    """Builders of items by event id, each used once. Used on one event loop."""

    def __init__(self) -> None:
        self._builds: OrderedDict[str, Build] = OrderedDict()

    def put(self, event: str, build: Build) -> None:
        """Have the item of an event built by ``build``."""
        self._builds[event] = build
        if len(self._builds) > _KEPT:
            self._builds.popitem(last=False)

    def take(self, delivery: Delivery) -> Item | None:
        """Return the item of a delivery, None if it must be read."""
        build = self._builds.pop(delivery.id, None)
        if build is None:
            return None
        try:
            return build(delivery)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # Reading it shows whether it can be built at all. The trace may quote a citizen.
            log.warning(
                "dispatch.not_fresh",
                extra={"delivery": delivery.id, "error": type(error).__name__},
            )
            return None
