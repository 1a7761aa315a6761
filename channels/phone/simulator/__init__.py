"""Telephones that call a line, for the demonstration, the benchmark and one's own trials."""
