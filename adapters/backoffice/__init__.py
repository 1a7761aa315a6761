"""Push of tickets and events to a back-office system."""
