"""What the gateway lends to channels beside a place to listen: one value, and one way to ask for it.

A channel or a messenger asks by having the method of a port (`channels.base`, or ``ports`` of its
own package). It knows no other channel and nothing of the gateway.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from channels.base import Following, Heeding, Keeping, Recalling, Shared, Sharing
from channels.email.ports import Entrusting, Registry
from channels.phone.ports import Equipped, Lent
from gateway.carriers import CarrierReports, Recollection


@dataclass(frozen=True, slots=True)
class Means:
    """Everything that a channel or a messenger may ask for."""

    shared: Shared  #: what all nodes see
    folder: Path  #: beside the store
    urgent: Callable[[str], bool]  #: how a text sounds, at a glance
    line: Lent  #: what telephone lines work with
    memory: Recollection
    reports: CarrierReports
    registry: Registry  #: keeps what is of mails


def _share(part: Sharing, means: Means, _kind: str) -> None:
    part.share(means.shared)


def _keep_in(part: Keeping, means: Means, kind: str) -> None:
    part.keep_in(means.folder / kind)


def _heed(part: Heeding, means: Means, _kind: str) -> None:
    part.heed(means.urgent)


def _recall(part: Recalling, means: Means, _kind: str) -> None:
    part.recall(means.memory.taken)


def _follow(part: Following, means: Means, _kind: str) -> None:
    part.follow(means.reports.tell)


def _equip(part: Equipped, means: Means, _kind: str) -> None:
    part.equip(means.line)


def _entrust(part: Entrusting, means: Means, _kind: str) -> None:
    part.entrust(means.registry)


#: What is given by the method that asks for it.
GIVEN: Mapping[str, Callable[[Any, Means, str], None]] = MappingProxyType(
    {
        "share": _share,
        "keep_in": _keep_in,
        "heed": _heed,
        "recall": _recall,
        "follow": _follow,
        "equip": _equip,
        "entrust": _entrust,
    }
)


def lend(means: Means, parts: Iterable[tuple[str, object]]) -> None:
    """Give each channel and messenger what it asks for, once.

    Args:
        means: What there is to give.
        parts: Channels and messengers by kind; one may be both.
    """
    for kind, part in {id(part): (kind, part) for kind, part in parts}.values():
        for port, give in GIVEN.items():
            if hasattr(part, port):
                give(part, means, kind)
