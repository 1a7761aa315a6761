"""Processes killed while they work: nothing answered is lost, nothing is doubled."""
