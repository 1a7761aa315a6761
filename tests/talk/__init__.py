"""Talking with citizens."""
