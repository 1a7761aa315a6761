"""The ways in: one folder a channel."""
