"""The demonstration's peers, one module a channel."""
