"""Identifiers: unique, and sorted by the time at which they were made."""

import time
import uuid

from gateway.ids import new_id


def test_an_id_is_a_uuid_of_version_7() -> None:
    """Version and variant are where RFC 9562 wants them."""
    for _ in range(200):
        made = uuid.UUID(new_id())
        assert made.version == 7
        assert made.variant == uuid.RFC_4122


def test_an_id_begins_with_the_milliseconds_of_its_making() -> None:
    """Ids sort by time, whoever made them."""
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(new_id()).int >> 80
    assert before <= made <= time.time_ns() // 1_000_000


def test_ids_of_one_millisecond_differ() -> None:
    """Seventy-four random bits tell them apart."""
    assert len({new_id() for _ in range(20_000)}) == 20_000
