"""Mails with what must come of them; the octets are made by builders, so that each can be read."""
