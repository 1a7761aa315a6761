"""Alarms to the operators: which part does not work, and that it works again."""
