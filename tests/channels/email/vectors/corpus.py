"""All mails of the corpus."""

from tests.channels.email.vectors import charsets, clients, machines, quotes, shapes

CASES = (*charsets.CASES, *clients.CASES, *shapes.CASES, *quotes.CASES, *machines.CASES)
