"""The citizens' pages and their interface to a ticket of theirs."""
