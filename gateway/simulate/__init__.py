"""Realistic traffic of citizens into a gateway that runs, and what became of it."""
