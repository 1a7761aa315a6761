"""All mails of the corpus."""

from tests.channels.email.vectors import charsets, machines, quotes, shapes

CASES = (*charsets.CASES, *shapes.CASES, *quotes.CASES, *machines.CASES)
