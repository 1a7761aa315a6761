"""The benchmark measures what it says: its load, its sink, its table."""
