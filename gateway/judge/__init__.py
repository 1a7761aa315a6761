"""Judging: how urgent a text is, who must come, what it is about."""
