"""Tests of the stores: one conformance suite for every engine, and what is SQLite's own."""
