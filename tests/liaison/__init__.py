"""Tests of incidents, ladders, desks and their queues."""
