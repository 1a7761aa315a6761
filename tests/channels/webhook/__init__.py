"""Tests of the partner webhook."""
