"""Loading a configuration and what it ships with."""
