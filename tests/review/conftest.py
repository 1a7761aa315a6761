"""A world on an empty store, as the tests of the gateway have it."""

from tests.gateway.conftest import rules, world

__all__ = ["rules", "world"]
