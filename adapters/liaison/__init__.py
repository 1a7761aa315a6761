"""Liaison queues of the emergency services."""
