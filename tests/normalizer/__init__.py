"""Tests of the normalizer."""
