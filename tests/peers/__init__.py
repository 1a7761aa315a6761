"""Implementations by others, and servers that play the other side."""
