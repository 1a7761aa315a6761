"""Talking with citizens: commands, further words on a matter, receipts and answers."""
